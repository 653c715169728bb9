"""The way to a host that drops, is slow or cuts, seen from its port."""

import socket

import asyncssh
import pytest

from sysfleet.lab import HostSpec, Lab
from tests.support.lab import LabFactory, ssh

_SYN_SENT = 2  # include/net/tcp_states.h
_FIN_TIMEOUT = "net.ipv4.tcp_fin_timeout"
_TIMEOUT_S = 30


def _asks_in_vain(port: int) -> bool:
    """Whether a SYN has no answer at all: on loopback a yes or no would be there when the call returns."""
    with socket.socket() as client:
        client.setblocking(False)
        with pytest.raises(BlockingIOError):
            client.connect(("127.0.0.1", port))
        return client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == _SYN_SENT


def test_a_black_hole_answers_no_syn_however_often_it_is_asked(faulty: Lab) -> None:
    port = faulty.hosts["black-hole"].port
    assert [_asks_in_vain(port) for _ in range(3)] == [True, True, True]
    assert not _asks_in_vain_of_another(faulty)


def _asks_in_vain_of_another(lab: Lab) -> bool:
    with socket.create_connection(("127.0.0.1", lab.hosts["nixos"].port), _TIMEOUT_S) as client:
        return client.recv(4) != b"SSH-"


def test_a_black_hole_is_one_again_after_a_restart(lab_factory: LabFactory) -> None:
    lab = lab_factory(HostSpec("a", faults=("black_hole",)), mode="namespaces")
    lab.restart("a")
    assert _asks_in_vain(lab.hosts["a"].port)


def test_a_folder_can_be_a_black_hole(lab_factory: LabFactory) -> None:
    lab = lab_factory(HostSpec("a", faults=("black_hole",)), mode="folder")
    assert _asks_in_vain(lab.hosts["a"].port)
    lab.restart("a")
    assert _asks_in_vain(lab.hosts["a"].port)


def test_a_slow_host_sends_single_bytes(faulty: Lab) -> None:
    with socket.create_connection(("127.0.0.1", faulty.hosts["slow"].port), _TIMEOUT_S) as client:
        assert [client.recv(4096) for _ in range(3)] == [b"S", b"S", b"H"]


def _said_until_cut(lab: Lab, name: str, command: str) -> bytes:
    """What came of a command's output before the connection was lost, as it must be."""
    try:
        answer = ssh(lab, name, command)
    except asyncssh.ConnectionLost:
        return b""
    assert (answer.status, answer.signal) == (None, None)
    return answer.stdout


def test_a_host_that_drops_mid_read_cuts_within_the_output(faulty: Lab) -> None:
    for _ in range(2):
        assert len(_said_until_cut(faulty, "drops-mid-read", "head -c 100000 /dev/zero; exit 7")) <= 1000


def test_a_host_that_drops_mid_write_lets_reads_through_whole(faulty: Lab) -> None:
    answer = ssh(faulty, "drops-mid-write", f"sysctl -n {_FIN_TIMEOUT} >/dev/null; head -c 3000000 /dev/zero; exit 7")
    assert (answer.status, len(answer.stdout)) == (7, 3_000_000)


def test_a_host_that_drops_mid_write_has_the_value_and_says_nothing(faulty: Lab) -> None:
    host = faulty.hosts["drops-mid-write"]
    before = int(host.read(_FIN_TIMEOUT) or 0)
    write = f"echo read; echo {before + 1} >/proc/sys/net/ipv4/tcp_fin_timeout && echo written; exit 7"
    assert b"written" not in _said_until_cut(faulty, "drops-mid-write", write)
    assert host.read(_FIN_TIMEOUT) == str(before + 1)
    again = ssh(faulty, host, "cat /proc/sys/net/ipv4/tcp_fin_timeout; exit 7")
    assert (again.status, again.stdout) == (7, b"%d\n" % (before + 1))
