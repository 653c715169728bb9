"""Keys that a host's kernel does not let go as one would think; each next to one that it does."""

from sysfleet.lab import Lab
from sysfleet.lab.faults.keys import KEY, VALUE
from tests.support.lab import ssh

_FILE = f"/proc/sys/{KEY.replace('.', '/')}"
_OTHER = "/proc/sys/net/ipv4/tcp_retries1"


def test_all_of_proc_sys_can_be_read_only(faulty: Lab) -> None:
    for path in (_FILE, "/proc/sys/net/ipv6/conf/all/forwarding", "/proc/sys/kernel/hostname", "/proc/sys/kernel/sem"):
        answer = ssh(faulty, "proc-sys-read-only", f"cat {path} && cat {path} >{path}")
        assert answer.status != 0
        assert answer.stdout
        assert b"ead-only file system" in answer.stderr


def test_one_key_can_be_read_only(faulty: Lab) -> None:
    answer = ssh(faulty, "key-read-only", f"cat {_FILE} && echo 30 >{_FILE}")
    assert (answer.stdout, b"ead-only file system" in answer.stderr) == (b"60\n", True)
    assert ssh(faulty, "key-read-only", f"cat {_OTHER} >{_OTHER}").status == 0


def test_one_key_can_be_there_and_unreadable_for_root(faulty: Lab) -> None:
    answer = ssh(faulty, "key-unreadable", f"id -u; test -f {_FILE} && test ! -r {_FILE} && cat {_FILE}")
    assert answer.stdout == b"0\n"
    assert b"ermission denied" in answer.stderr
    assert ssh(faulty, "key-unreadable", f"cat {_OTHER}").status == 0


def test_a_value_can_hold_escapes(faulty: Lab) -> None:
    answer = ssh(faulty, "escapes-in-value", f"cat {_FILE}")
    assert answer.stdout == VALUE
    assert answer.stdout.startswith(b"60 \x1b[2J")
    assert answer.stdout.count(b"\n") == 1


def test_a_key_without_a_fault_is_as_ever_on_all_others(faulty: Lab) -> None:
    assert faulty.hosts["nixos"].read(KEY) == "60"
