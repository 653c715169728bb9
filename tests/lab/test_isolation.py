"""A lab host is a machine of its own: what it does reaches neither this machine nor another host."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sysfleet.lab import HostSpec, Lab
from tests.support.lab import one_lab_a_kind, ssh

# Values that change by themselves, or that reading changes.
_VOLATILE = ("fs/", "kernel/random/", "kernel/ns_last_pid", "kernel/perf_", "kernel/pty/nr", "vm/stat_refresh")


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Lab]]:
    with one_lab_a_kind(tmp_path_factory.mktemp("isolation"), [HostSpec("a"), HostSpec("b")]) as lab_of:
        yield lab_of


@pytest.fixture(params=["openssh", "asyncssh"])
def pair(request: pytest.FixtureRequest, pairs: Callable[[str], Lab]) -> Lab:
    return pairs(request.param)


@pytest.mark.parametrize("kind", ["user", "net", "mnt", "uts", "ipc", "pid"])
def test_each_host_has_every_namespace_to_itself(pair: Lab, kind: str) -> None:
    link = f"readlink /proc/self/ns/{kind}"
    seen = {ssh(pair, name, link).stdout.decode().strip() for name in pair.hosts}
    assert len(seen | {str(Path(f"/proc/self/ns/{kind}").readlink())}) == 3


def test_a_host_has_its_own_name_and_numbers_its_processes_from_one(pair: Lab) -> None:
    assert ssh(pair, "a", "hostname; cat /proc/sys/kernel/hostname /proc/1/comm").stdout == b"a\na\ninit\n"


def test_a_host_has_an_interface_with_an_address_and_a_route(pair: Lab) -> None:
    words = ssh(pair, "a", "ls /proc/sys/net/ipv4/conf; cat /proc/net/route").stdout.decode().split()
    assert words[:4] == ["all", "default", "eth0", "lo"]
    assert words.count("eth0") == 3, "one interface, a route to its network and one to all others"


def test_a_value_set_on_one_host_is_set_nowhere_else(pair: Lab) -> None:
    before = Path("/proc/sys/net/ipv4/tcp_fin_timeout").read_text(encoding="ascii")
    assert ssh(pair, "a", "echo 23 >/proc/sys/net/ipv4/tcp_fin_timeout").status == 0
    assert pair.hosts["a"].read("net.ipv4.tcp_fin_timeout") == "23"
    assert pair.hosts["b"].read("net.ipv4.tcp_fin_timeout") != "23"
    assert Path("/proc/sys/net/ipv4/tcp_fin_timeout").read_text(encoding="ascii") == before


@pytest.mark.parametrize("folder", ["/etc", "/run", "/var/lib", "/tmp", "/root"])
def test_a_file_written_on_one_host_is_nowhere_else(pair: Lab, folder: str) -> None:
    name = f"{folder}/sysfleet-was-here"
    assert ssh(pair, "a", f"echo yes >{name}").status == 0
    assert ssh(pair, "b", f"cat {name}").status != 0
    assert not os.path.exists(name)  # noqa: PTH110 - false as well where we may not look
    assert ssh(pair, "a", f"rm {name}").status == 0


def test_the_machine_is_read_only_from_inside(pair: Lab) -> None:
    targets = ["/usr/x", "/bin/x", "/usr/lib/x", "/proc/sys/vm/swappiness", "/proc/sys/kernel/printk", "/sys/x"]
    for target in targets:
        assert ssh(pair, "a", f": >>{target}").status != 0, target


def test_what_is_namespaced_of_kernel_keys_stays_inside(pair: Lab) -> None:
    files = [Path("/proc/sys/kernel/domainname"), Path("/proc/sys/kernel/msgmax")]
    before = [file.read_bytes() for file in files]
    answer = ssh(pair, "a", f"echo example.org >{files[0]} && echo 9000 >{files[1]}")
    # Without real root a kernel may refuse, as in a container.
    if os.geteuid() == 0:
        assert answer.status == 0
        assert pair.hosts["a"].read("kernel.domainname") == "example.org"
        assert pair.hosts["a"].read("kernel.msgmax") == "9000"
    assert pair.hosts["b"].read("kernel.domainname") != "example.org"
    assert pair.hosts["b"].read("kernel.msgmax") != "9000"
    assert [file.read_bytes() for file in files] == before


def test_nothing_that_root_does_inside_moves_a_value_of_the_machine(pair: Lab) -> None:
    before = _machine_values()
    done = ssh(
        pair,
        "a",
        "find /proc/sys -type f ! -path '*/net/*' -perm -200 | while read -r key; do"
        ' value=$(cat "$key" 2>/dev/null); case "$value" in *[!0-9]*|"") ;; *) echo $((value + 1)) >"$key";; esac; done'
        " 2>/dev/null; echo 1 >/proc/sys/net/ipv4/ip_forward",
    )
    assert done.status == 0
    assert {key: value for key, value in _machine_values().items() if before.get(key) != value} == {}


def _machine_values() -> dict[str, bytes]:
    found = {}
    for folder, _, names in os.walk("/proc/sys"):
        for name in names:
            path = Path(folder) / name
            key = str(path.relative_to("/proc/sys"))
            # nf_conntrack_count and what else counts is read-only.
            if not key.startswith(_VOLATILE) and path.stat().st_mode & 0o200 and path.stat().st_mode & 0o400:
                try:
                    found[key] = path.read_bytes()
                except OSError:
                    continue
    return found


def test_no_socket_of_the_machine_is_there(pair: Lab) -> None:
    assert ssh(pair, "a", "find / -xdev -type s; ls -d /run/dbus /run/systemd/private /run/user").stdout == b""


def test_other_hosts_and_the_labs_own_folder_are_out_of_sight(pair: Lab) -> None:
    assert ssh(pair, "a", f"ls {pair.folder}").status != 0
    assert ssh(pair, "a", "ls /home /mnt").stdout.split() == [b"/home:", b"/mnt:"]


def test_hosts_begin_with_the_kernels_own_values_whatever_this_machine_has(pair: Lab) -> None:
    host = pair.hosts["b"]
    assert host.read("net.ipv4.conf.default.rp_filter") == "0"
    assert host.read("net.ipv4.conf.all.accept_redirects") == "1"
    assert host.read("net.ipv4.conf.eth0.accept_source_route") == "1"
    assert host.read("net.ipv4.ip_forward") == "0"


def test_the_supervisors_environment_is_not_ours(pair: Lab) -> None:
    entries = ssh(pair, "a", "cat /proc/1/environ").stdout.split(b"\0")
    assert {entry.partition(b"=")[0] for entry in entries} <= {b"", b"PATH", b"PYTHONPATH", b"LC_CTYPE"}
