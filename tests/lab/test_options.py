"""What lab hosts can differ in."""

import socket
from pathlib import Path
from typing import Any

import pytest

from sysfleet.errors import UsageError
from sysfleet.lab import HostSpec, Lab, Loader
from sysfleet.lab.loaders import is_available
from tests.support.lab import LAB_KINDS, LabFactory, ssh

_NAMESPACES = [pytest.param(LAB_KINDS["openssh"], id="openssh"), pytest.param(LAB_KINDS["asyncssh"], id="asyncssh")]


@pytest.mark.parametrize("number", [1, 2, 3, 2000])
def test_a_host_has_as_many_interfaces_as_asked_for(lab_factory: LabFactory, number: int) -> None:
    lab = lab_factory(HostSpec("a", interfaces=number), mode="namespaces")
    for family in ("ipv4", "ipv6"):
        found = ssh(lab, "a", f"ls /proc/sys/net/{family}/conf").stdout.decode().split()
        assert set(found) == {"all", "default", "lo", *(f"eth{index}" for index in range(number))}
    assert lab.hosts["a"].read(f"net.ipv4.conf.eth{number - 1}.rp_filter") == "0"


def test_interfaces_in_a_folder_are_folders(lab_factory: LabFactory) -> None:
    lab = lab_factory(HostSpec("a", interfaces=3), mode="folder")
    assert lab.hosts["a"].read("net.ipv4.conf.eth2.rp_filter") == "0"
    with pytest.raises(UsageError, match="need namespaces"):
        lab_factory(HostSpec("b", interfaces=2000), mode="folder")


def test_drop_ins_are_many_files_that_the_loader_reads(lab_factory: LabFactory, lab_kind: dict[str, Any]) -> None:
    lab = lab_factory(HostSpec("a", drop_ins=400), **lab_kind)
    assert len(list((lab.hosts["a"].etc / "sysctl.d").glob("*.conf"))) == 400
    listed = ssh(lab, "a", 'ls "$SYSFLEET_STAND_IN/etc/sysctl.d" | wc -l').stdout
    assert int(listed) == 400


@pytest.mark.parametrize("folder", ["etc", "run", "usr/lib", "usr/local/lib"])
def test_a_rival_file_can_lie_wherever_a_loader_looks(
    lab_factory: LabFactory, lab_kind: dict[str, Any], folder: str
) -> None:
    rival = {f"/{folder}/sysctl.d/70-rival.conf": b"net.ipv4.tcp_fin_timeout = 23\n"}
    lab = lab_factory(HostSpec("a", files=rival, loader="systemd"), **lab_kind)
    host = lab.hosts["a"]
    for _ in range(2):
        assert host.read("net.ipv4.tcp_fin_timeout") == "23"
        assert ssh(lab, "a", f'cat "$SYSFLEET_STAND_IN/{folder}/sysctl.d/70-rival.conf"').stdout == rival.popitem()[1]
        rival = dict(host.spec.files)
        lab.restart("a")


def test_values_to_start_from_come_before_the_loader(lab_factory: LabFactory, lab_kind: dict[str, Any]) -> None:
    spec = HostSpec(
        "a",
        values={"net.ipv4.ip_forward": "1", "net.ipv4.tcp_fin_timeout": "11"},
        files={"/etc/sysctl.d/50-mine.conf": b"net.ipv4.tcp_fin_timeout = 22\n"},
    )
    host = lab_factory(spec, **lab_kind).hosts["a"]
    assert host.read("net.ipv4.ip_forward") == "1"
    assert host.read("net.ipv4.tcp_fin_timeout") == "22"


def test_an_absent_key_has_no_file_and_its_neighbours_are_the_kernels_own(
    lab_factory: LabFactory, lab_kind: dict[str, Any]
) -> None:
    absent = ("net.ipv4.tcp_rfc1337", "net.ipv4.conf.eth0.log_martians", "net.ipv4.conf.all.log_martians")
    lab = lab_factory(HostSpec("a", absent=absent), **lab_kind)
    for _ in range(2):
        host = lab.hosts["a"]
        assert [host.read(key) for key in absent] == [None, None, None]
        assert ssh(lab, "a", 'ls "$SYSFLEET_STAND_IN/proc/sys/net/ipv4" | grep -c rfc1337').stdout == b"0\n"
        host.write("net.ipv4.tcp_fin_timeout", "24")
        assert host.read("net.ipv4.tcp_fin_timeout") == "24"
        assert host.read("net.ipv4.conf.default.log_martians") == "0"
        lab.restart("a")


@pytest.mark.parametrize("kind", _NAMESPACES)
def test_beside_an_absent_key_the_kernel_still_moves_values(lab_factory: LabFactory, kind: dict[str, Any]) -> None:
    host = lab_factory(HostSpec("a", absent=("net.ipv4.conf.all.log_martians",)), **kind).hosts["a"]
    host.write("net.ipv4.ip_forward", "1")
    assert host.read("net.ipv4.conf.all.forwarding") == "1"
    assert host.read("net.ipv4.conf.all.accept_redirects") == "0"


def test_a_whole_family_of_keys_can_be_absent(lab_factory: LabFactory, lab_kind: dict[str, Any]) -> None:
    host = lab_factory(HostSpec("a", absent=("net.ipv6",)), **lab_kind).hosts["a"]
    assert host.read("net.ipv6.conf.all.forwarding") is None
    assert host.read("net.ipv4.ip_forward") == "0"


def test_a_host_can_refuse(lab_factory: LabFactory, lab_kind: dict[str, Any]) -> None:
    lab = lab_factory(HostSpec("a", refuse=True), HostSpec("b"), **lab_kind)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", lab.hosts["a"].port), 5).close()
    assert lab.hosts["a"].read("net.ipv4.ip_forward") == "0"
    assert ssh(lab, "b", "true").status == 0


def test_a_host_can_accept_and_be_silent(lab_factory: LabFactory, lab_kind: dict[str, Any]) -> None:
    lab = lab_factory(HostSpec("a", hang=True), **lab_kind)
    with socket.create_connection(("127.0.0.1", lab.hosts["a"].port), 5) as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert lab.hosts["a"].read("net.ipv4.ip_forward") == "0"


# What each loader makes of the same three files, and what shows it (sysfleet/lab/loaders.py).
_FILES = {
    "/usr/lib/sysctl.d/50-vendor.conf": b"net.ipv4.tcp_fin_timeout = 11\nnet.ipv4.tcp_keepalive_time = 1111\n",
    "/etc/sysctl.d/60-own.conf": b"net.ipv4.tcp_fin_timeout = 22\n",
    "/etc/sysctl.conf": b"net.ipv4.tcp_fin_timeout = 33\n",
}
_RESULTS: dict[Loader, tuple[str, str]] = {
    "systemd": ("22", "1111"),
    "procps": ("33", "1111"),
    "alpine": ("33", "1111"),
    "openrc": ("22", "7200"),
    "none": ("60", "7200"),
}
_SHOWN: dict[Loader, list[str]] = {
    "systemd": ["run/systemd/system"],
    "procps": ["etc/init.d/procps", "etc/rcS.d/S01procps"],
    "alpine": ["etc/alpine-release", "etc/init.d/sysctl", "etc/runlevels/boot/sysctl", "run/openrc"],
    "openrc": ["etc/init.d/sysctl", "etc/runlevels/boot/sysctl", "run/openrc"],
    "none": [],
}


def _skip_without(loader: Loader) -> None:
    if not is_available(loader):
        pytest.skip(f"this machine has no program for the loader {loader}")


def _loader_lab(make: LabFactory, kind: dict[str, Any], loader: Loader, *, enabled: bool) -> Lab:
    _skip_without(loader)
    return make(HostSpec("a", loader=loader, files=_FILES, loader_enabled=enabled), **kind)


@pytest.mark.parametrize("loader", _RESULTS)
def test_a_boot_gives_what_the_declared_loader_makes_of_the_files(
    lab_factory: LabFactory, lab_kind: dict[str, Any], loader: Loader
) -> None:
    lab = _loader_lab(lab_factory, lab_kind, loader, enabled=True)
    host = lab.hosts["a"]
    for _ in range(2):
        read = (host.read("net.ipv4.tcp_fin_timeout"), host.read("net.ipv4.tcp_keepalive_time"))
        assert read == _RESULTS[loader]
        host.write("net.ipv4.tcp_fin_timeout", "44")
        lab.restart("a")


@pytest.mark.parametrize("loader", [loader for loader in _RESULTS if loader != "none"])
def test_a_loader_that_is_off_applies_nothing(
    lab_factory: LabFactory, lab_kind: dict[str, Any], loader: Loader
) -> None:
    host = _loader_lab(lab_factory, lab_kind, loader, enabled=False).hosts["a"]
    assert host.read("net.ipv4.tcp_keepalive_time") == "7200"


@pytest.mark.parametrize("loader", _SHOWN)
def test_a_host_shows_its_loader_and_no_other(
    lab_factory: LabFactory, lab_kind: dict[str, Any], loader: Loader
) -> None:
    lab = _loader_lab(lab_factory, lab_kind, loader, enabled=True)
    names = sorted({name for shown in _SHOWN.values() for name in shown})
    found = ssh(lab, "a", f'cd "$SYSFLEET_STAND_IN/"; for f in {" ".join(names)}; do [ -e "$f" ] && echo "$f"; done')
    assert found.stdout.decode().split() == _SHOWN[loader]


@pytest.mark.parametrize("kind", _NAMESPACES)
@pytest.mark.parametrize("loader", ["alpine", "openrc"])
def test_sysctl_is_busybox_where_the_loader_is(
    lab_factory: LabFactory, kind: dict[str, Any], loader: Loader
) -> None:
    lab = _loader_lab(lab_factory, kind, loader, enabled=True)
    assert ssh(lab, "a", "sysctl -V").status != 0
    assert ssh(lab, "a", "sysctl -n net.ipv4.ip_forward").stdout == b"0\n"


def test_systemd_switched_off_shows_as_a_masked_unit(lab_factory: LabFactory, lab_kind: dict[str, Any]) -> None:
    lab = _loader_lab(lab_factory, lab_kind, "systemd", enabled=False)
    mask = lab.hosts["a"].etc / "systemd/system/systemd-sysctl.service"
    assert mask.readlink() == Path("/dev/null")
