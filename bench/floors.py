"""The floors: what paramiko alone costs for the same hosts, with keys and known hosts shared, output thrown away."""

from __future__ import annotations

import base64
import queue
import socket
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import paramiko

from sysfleet.remote.framing import upload
from sysfleet.remote.privilege import PLAIN

NINE = (
    *("ip_forward", "tcp_syncookies", "tcp_max_syn_backlog", "icmp_echo_ignore_broadcasts"),
    *("icmp_ignore_bogus_error_responses", "tcp_tw_reuse", "tcp_fin_timeout", "tcp_rfc1337", "tcp_timestamps"),
)
NINE_VALUES = "cat " + " ".join(f"/proc/sys/net/ipv4/{name}" for name in NINE)
MARK = "0123456789abcdef0123456789abcdef"
_CHUNK = 1 << 16


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections share: the client's key, and each port's host key."""

    key: paramiko.PKey
    host_keys: Mapping[int, bytes]

    @classmethod
    def load(cls, project: Path) -> Shared:
        """From a lab's project folder."""
        known: dict[int, bytes] = {}
        for line in (project / "known_hosts").read_text().splitlines():
            name, _, blob = line.split()[:3]
            known[int(name.rpartition(":")[2])] = base64.b64decode(blob)
        return cls(paramiko.Ed25519Key.from_private_key_file(str(project / "id_ed25519")), known)


def connected(port: int, shared: Shared) -> paramiko.Transport:
    """A bare transport, its host key checked, logged in."""
    stream = socket.create_connection(("127.0.0.1", port), timeout=30)
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    transport = paramiko.Transport(stream)
    transport.start_client(timeout=30)
    if transport.get_remote_server_key().asbytes() != shared.host_keys[port]:
        raise SystemExit(f"port {port} shows another host key")
    transport.auth_publickey("root", shared.key)
    return transport


def nine_values(port: int, shared: Shared) -> None:
    """Floor A: one connection, one exec of nine values."""
    with connected(port, shared) as transport:
        channel = transport.open_session()
        channel.exec_command(NINE_VALUES)
        _drained(channel)


def programs(rounds: Mapping[int, Sequence[Sequence[bytes]]]) -> Callable[[int, Shared], None]:
    """Floor B: each port's own programs, one connection a round, one exec a program."""
    uploads = {port: [[upload(program, MARK) for program in each] for each in mine] for port, mine in rounds.items()}

    def send(port: int, shared: Shared) -> None:
        opened = []
        try:
            for each in uploads[port]:
                opened.append(connected(port, shared))
                for text in each:
                    channel = opened[-1].open_session()
                    channel.exec_command(PLAIN)
                    channel.sendall(text)
                    channel.shutdown_write()
                    _drained(channel)
        finally:
            for transport in opened:
                transport.close()

    return send


def _drained(channel: paramiko.Channel) -> None:
    while channel.recv(_CHUNK):
        pass
    if channel.recv_exit_status() != 0:
        raise SystemExit("a floor's command failed")


def every(ports: Sequence[int], workers: int, work: Callable[[int], None]) -> None:
    """Run the work for every port with so many threads."""
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    failed: list[Exception] = []
    for port in ports:
        todo.put(port)

    def run() -> None:
        while not failed:
            try:
                port = todo.get_nowait()
            except queue.Empty:
                return
            try:
                work(port)
            except Exception as error:  # noqa: BLE001 — told by the thread that waits
                failed.append(error)

    threads = [threading.Thread(target=run) for _ in range(min(workers, len(ports)))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
