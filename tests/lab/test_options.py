"""What lab hosts can differ in: one lab of each kind holds them all."""

import shutil
import socket
from collections.abc import Callable, Iterator

import pytest

from sysfleet.errors import UsageError
from sysfleet.lab import HostSpec, Lab, Loader
from sysfleet.lab.loaders import is_available
from tests.support.lab import LAB_KINDS, LabFactory, one_lab_a_kind, ssh

_ABSENT = ("net.ipv4.tcp_rfc1337", "net.ipv4.conf.eth0.log_martians", "net.ipv4.conf.all.log_martians")
_FIN_TIMEOUT = "net.ipv4.tcp_fin_timeout"

# One rival in each folder that a loader looks into, each with a key of its own.
_RIVALS = {
    "etc": "net.ipv4.tcp_fin_timeout",
    "run": "net.ipv4.tcp_keepalive_time",
    "usr/lib": "net.ipv4.tcp_keepalive_probes",
    "usr/local/lib": "net.ipv4.tcp_retries1",
}
_RIVAL_FILES = {
    f"/{at}/sysctl.d/70-{at.replace('/', '-')}.conf": f"{key} = 8\n".encode() for at, key in _RIVALS.items()
}

# What each loader makes of the same three files, and what shows it (sysfleet/lab/loaders.py).
_LOADED = {
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


def _specs() -> list[HostSpec]:
    loaders = [loader for loader in _RESULTS if is_available(loader)]
    mine = {"/etc/sysctl.d/60-mine.conf": f"{_FIN_TIMEOUT} = 22\n".encode()}
    return [
        HostSpec(
            "large",
            drop_ins=400,
            values={"net.ipv4.ip_forward": "1", _FIN_TIMEOUT: "11"},
            files=mine,
        ),
        HostSpec("absent", absent=_ABSENT),
        HostSpec("refuse", absent=("net.ipv6",), refuse=True),
        HostSpec("hang", hang=True),
        HostSpec("rivals", files=_RIVAL_FILES),
        HostSpec("off", loader=loaders[0], loader_enabled=False, files=_LOADED),
        *(HostSpec(f"with-{loader}", loader=loader, files=_LOADED) for loader in loaders),
    ]


@pytest.fixture(scope="module")
def varieties(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Lab]]:
    with one_lab_a_kind(tmp_path_factory.mktemp("options"), _specs()) as lab_of:
        yield lab_of


@pytest.fixture(params=LAB_KINDS)
def variety(request: pytest.FixtureRequest, varieties: Callable[[str], Lab]) -> Lab:
    return varieties(request.param)


def _skip_without(loader: Loader) -> None:
    if not is_available(loader):
        pytest.skip(f"this machine has no program for the loader {loader}")


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


def test_drop_ins_are_many_files_where_the_loader_looks(variety: Lab) -> None:
    assert len(list((variety.hosts["large"].etc / "sysctl.d").glob("50-*.conf"))) == 400
    assert int(ssh(variety, "large", 'ls "$SYSFLEET_STAND_IN/etc/sysctl.d" | wc -l').stdout) == 401


def test_a_rival_file_can_lie_wherever_a_loader_looks(variety: Lab) -> None:
    host = variety.hosts["rivals"]
    for _ in range(2):
        assert {key: host.read(key) for key in _RIVALS.values()} == dict.fromkeys(_RIVALS.values(), "8")
        for path, content in _RIVAL_FILES.items():
            assert ssh(variety, host, f'cat "$SYSFLEET_STAND_IN{path}"').stdout == content
        variety.restart("rivals")


def test_values_to_start_from_come_before_the_loader(variety: Lab) -> None:
    host = variety.hosts["large"]
    assert host.read("net.ipv4.ip_forward") == "1"
    assert host.read(_FIN_TIMEOUT) == "22"


def test_an_absent_key_has_no_file_and_its_neighbours_are_as_ever(variety: Lab) -> None:
    host = variety.hosts["absent"]
    for _ in range(2):
        assert [host.read(key) for key in _ABSENT] == [None, None, None]
        assert ssh(variety, host, 'ls "$SYSFLEET_STAND_IN/proc/sys/net/ipv4" | grep -c rfc1337').stdout == b"0\n"
        host.write(_FIN_TIMEOUT, "24")
        assert host.read(_FIN_TIMEOUT) == "24"
        assert host.read("net.ipv4.conf.default.log_martians") == "0"
        variety.restart("absent")


def test_beside_an_absent_key_the_kernel_still_moves_values(lab_factory: LabFactory) -> None:
    host = lab_factory(HostSpec("a", absent=_ABSENT), mode="namespaces").hosts["a"]
    host.write("net.ipv4.ip_forward", "1")
    assert host.read("net.ipv4.conf.all.forwarding") == "1"
    assert host.read("net.ipv4.conf.all.accept_redirects") == "0"


def test_a_whole_family_of_keys_can_be_absent(variety: Lab) -> None:
    host = variety.hosts["refuse"]
    assert host.read("net.ipv6.conf.all.forwarding") is None
    assert host.read("net.ipv4.ip_forward") == "0"


def test_a_host_can_refuse(variety: Lab) -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", variety.hosts["refuse"].port), 5).close()
    assert variety.hosts["refuse"].read("net.ipv4.ip_forward") == "0"


def test_a_host_can_accept_and_be_silent(variety: Lab) -> None:
    with socket.create_connection(("127.0.0.1", variety.hosts["hang"].port), 5) as connection:
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
    assert variety.hosts["hang"].read("net.ipv4.ip_forward") == "0"


@pytest.mark.parametrize("loader", _RESULTS)
def test_a_boot_gives_what_the_declared_loader_makes_of_the_files(variety: Lab, loader: Loader) -> None:
    _skip_without(loader)
    host = variety.hosts[f"with-{loader}"]
    for _ in range(2):
        assert (host.read(_FIN_TIMEOUT), host.read("net.ipv4.tcp_keepalive_time")) == _RESULTS[loader]
        host.write(_FIN_TIMEOUT, "44")
        variety.restart(host.name)


# How an operator switches each loader off, below the host's /etc.
_SWITCHES: dict[Loader, str] = {
    "systemd": "systemd/system/systemd-sysctl.service",
    "procps": "rcS.d/S01procps",
    "alpine": "runlevels/boot/sysctl",
    "openrc": "runlevels/boot/sysctl",
}


@pytest.mark.parametrize("loader", _SWITCHES)
def test_a_loader_that_is_switched_off_applies_nothing(variety: Lab, loader: Loader) -> None:
    _skip_without(loader)
    host = variety.hosts[f"with-{loader}"]
    switch = host.etc / _SWITCHES[loader]
    was = switch.readlink() if switch.is_symlink() else None
    if was is None:
        switch.parent.mkdir(parents=True)
        switch.symlink_to("/dev/null")
    else:
        switch.unlink()
    variety.restart(host.name)
    assert host.read(_FIN_TIMEOUT) == "60"
    if was is None:
        shutil.rmtree(host.etc / "systemd")
    else:
        switch.symlink_to(was)
    variety.restart(host.name)


@pytest.mark.parametrize("loader", _SHOWN)
def test_a_host_shows_its_loader_and_no_other(variety: Lab, loader: Loader) -> None:
    _skip_without(loader)
    names = " ".join(sorted({name for shown in _SHOWN.values() for name in shown}))
    found = ssh(
        variety,
        f"with-{loader}",
        f'cd "$SYSFLEET_STAND_IN/"; for name in {names}; do if [ -e "$name" ]; then echo "$name"; fi; done',
    )
    assert found.stdout.decode().split() == _SHOWN[loader]


@pytest.mark.parametrize("loader", ["alpine", "openrc"])
def test_sysctl_is_busybox_where_the_loader_is(lab_factory: LabFactory, loader: Loader) -> None:
    _skip_without(loader)
    lab = lab_factory(HostSpec("a", loader=loader), mode="namespaces")
    assert ssh(lab, "a", "sysctl -V").status != 0
    assert ssh(lab, "a", "sysctl -n net.ipv4.ip_forward").stdout == b"0\n"


def test_a_host_can_begin_with_its_loader_off(variety: Lab) -> None:
    assert variety.hosts["off"].read(_FIN_TIMEOUT) == "60"
