"""How far a connection came: each phase that can fail says which it is and after how long, and ends in time."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from sysfleet.errors import ConnectError, ConnectTimeout, Unreachable
from sysfleet.remote import addresses
from sysfleet.remote.access import Access
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.paramiko_session import connect
from sysfleet.remote.target import Target
from tests.remote.boxes import MARK
from tests.remote.servers import public, silent_port
from tests.remote.test_session import run, soon, way_in

ACCESS = Access(KnownHosts(), connect_timeout_s=0.6)


def target(port: int, address: str = "127.0.0.1") -> Target:
    return Target(name="h1", address=address, port=port, mark=MARK)


def failure(way: Target, access: Access = ACCESS) -> ConnectError:
    with pytest.raises(ConnectError) as caught:
        connect(way, access, deadline=soon())
    return caught.value


@contextmanager
def talking(say: Callable[[socket.socket, threading.Event], None]) -> Iterator[int]:
    """A server that says to each connection whatever it likes."""
    done = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with connection:
                    try:
                        say(connection, done)
                    except OSError:
                        continue

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            done.set()
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def drip(connection: socket.socket, done: threading.Event) -> None:
    for byte in b"SSH-2.0-slow and slower\r\n" * 100:
        connection.send(bytes([byte]))
        if done.wait(0.1):
            return


def banner_alone(connection: socket.socket, done: threading.Event) -> None:
    connection.send(b"SSH-2.0-test\r\n")
    done.wait(30)


def not_ssh(connection: socket.socket, done: threading.Event) -> None:
    connection.send(b"220 mail.example.net \x1b[31mESMTP\r\n")
    done.wait(0)


def test_a_name_that_nobody_knows() -> None:
    error = failure(target(22, "no-such-host.invalid"))
    assert isinstance(error, Unreachable)
    assert "(name lookup, " in error.message


def test_a_resolver_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_named: release.wait(30) and [])
    error = failure(target(22, "host.example.net"))
    release.set()
    assert isinstance(error, ConnectTimeout)
    assert "the resolver does not answer in time (name lookup, " in error.message


def test_a_port_that_refuses() -> None:
    with silent_port() as port:
        pass
    assert failure(target(port)).message == "the host refuses connections (TCP connect, at once)"


def test_a_port_that_takes_no_connection() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        full = [socket.socket() for _ in range(4)]
        for one in full:
            one.setblocking(False)
            one.connect_ex(listener.getsockname())
        error = failure(target(listener.getsockname()[1]))
        for one in full:
            one.close()
    assert isinstance(error, ConnectTimeout)
    assert "(TCP connect, " in error.message


def test_a_server_that_says_nothing() -> None:
    with silent_port() as port:
        error = failure(target(port))
    assert isinstance(error, ConnectTimeout)
    assert "(waiting for the banner, " in error.message


def test_a_server_that_sends_a_byte_now_and_then_has_one_time_for_all() -> None:
    with talking(drip) as port:
        error = failure(target(port))
    assert isinstance(error, ConnectTimeout)
    assert "(waiting for the banner, " in error.message


def test_a_server_that_stops_after_its_banner() -> None:
    with talking(banner_alone) as port:
        error = failure(target(port))
    assert isinstance(error, ConnectTimeout)
    assert "(key exchange, " in error.message


def test_a_server_that_is_none_is_told_in_its_words_without_its_escapes() -> None:
    with talking(not_ssh) as port:
        error = failure(target(port))
    assert error.evidence == "it speaks no SSH: 220 mail.example.net ESMTP"


@pytest.mark.parametrize("line", ["", "\n"])
def test_a_server_that_talks_without_end_before_its_version_line_is_given_up_soon(line: str) -> None:
    heard: list[int] = []

    def flood(connection: socket.socket, _done: threading.Event) -> None:
        heard.append(0)
        # More would fill what the kernels hold between us: then somebody has read it.
        while heard[-1] < 32 << 20:
            heard[-1] += connection.send((b"x" * 1023 + (line or "x").encode()) * 64)

    with talking(flood) as port:
        error = failure(target(port), replace(ACCESS, connect_timeout_s=25))
    assert type(error) is ConnectError
    assert error.message.startswith("the server floods before its version line (waiting for the banner, ")
    assert len(heard) == 1
    assert heard[0] < 32 << 20


def test_a_few_lines_before_the_version_line_are_let_pass(tmp_path: Path) -> None:
    with way_in(tmp_path) as way, talking(partial(greeted, way.server.port)) as port:
        known = KnownHosts()
        known.add(f"h1 {public(way.server.host_key)}".encode(), "known_hosts")
        connect(replace(way.target, port=port), replace(way.access, known_hosts=known), deadline=soon()).close()


def greeted(port: int, connection: socket.socket, _done: threading.Event) -> None:
    connection.sendall(b"welcome\r\n" * 50)
    with socket.create_connection(("127.0.0.1", port)) as real:
        back = threading.Thread(target=pump, args=(real, connection))
        back.start()
        pump(connection, real)
        back.join()


def pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)


def test_seconds_are_told_whole() -> None:
    with silent_port() as port:
        error = failure(target(port), replace(ACCESS, connect_timeout_s=1.2))
    assert error.message.endswith("(waiting for the banner, after 1 s)")


def test_of_several_addresses_the_first_that_answers_is_taken(tmp_path: Path) -> None:
    with silent_port() as gone:
        pass
    with way_in(tmp_path) as way:
        ports = (gone, gone, way.server.port)
        places = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port)) for port in ports]
        stream = addresses.connect_first(places, until=time.monotonic() + 30)
        assert stream.getpeername()[1] == way.server.port
        stream.close()


def test_an_address_that_is_silent_holds_the_next_one_up_for_a_moment_only(tmp_path: Path) -> None:
    with way_in(tmp_path) as way, socket.create_server(("127.0.0.1", 0), backlog=0) as deaf:
        full = [socket.socket() for _ in range(4)]
        for one in full:
            one.setblocking(False)
            one.connect_ex(deaf.getsockname())
        places = [
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", place)
            for place in (deaf.getsockname(), ("127.0.0.1", way.server.port))
        ]
        stream = addresses.connect_first(places, until=time.monotonic() + 3600)
        assert stream.getpeername()[1] == way.server.port
        stream.close()
        for one in full:
            one.close()


RELAY = """
import os, socket, sys, threading
server = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
def copy(read, write, end):
    while data := read():
        write(data)
    end()
there = (lambda: os.read(0, 65536), server.sendall, lambda: server.shutdown(1))
threading.Thread(target=copy, args=there, daemon=True).start()
copy(lambda: server.recv(65536), lambda data: os.write(1, data), lambda: None)
"""


def relay(folder: Path, port: int, before: str = "") -> str:
    script = folder / "relay.py"
    script.write_text(before + RELAY)
    return f"{shlex.quote(sys.executable)} {script} {port}"


def running(script: Path) -> bool:
    done = subprocess.run(["pgrep", "-f", str(script)], capture_output=True, check=False)
    return done.returncode == 0


def test_a_proxy_command_is_the_connection_and_ends_with_it(tmp_path: Path) -> None:
    with way_in(tmp_path / "sshd") as way:
        command = relay(tmp_path, way.server.port)
        session = connect(replace(way.target, proxy_command=command), way.access, deadline=soon())
        big = b"x='" + b"y" * 1_000_000 + b"'; echo ${#x}"
        assert run(session, big)[1] == b"1000000\n"
        assert running(tmp_path / "relay.py")
        session.close()
        assert not running(tmp_path / "relay.py")


def test_a_proxy_command_that_fails_is_told_in_its_words(tmp_path: Path) -> None:
    with way_in(tmp_path / "sshd") as way:
        command = "sh -c 'echo \"no \033[31mway\" >&2; exit 3'"
        error = failure(replace(way.target, proxy_command=command), way.access)
    assert isinstance(error, Unreachable)
    assert error.message.startswith("the ProxyCommand hung up")
    assert error.evidence == "no way"


def test_a_proxy_command_that_says_nothing_is_killed_in_time_with_all_its_children(tmp_path: Path) -> None:
    script = tmp_path / "silent.sh"
    script.write_text("trap '' HUP TERM\necho waiting >&2\nsleep 600 & wait\n")
    error = failure(replace(target(22), proxy_command=f"sh {script}"))
    assert isinstance(error, ConnectTimeout)
    assert error.evidence == "waiting"
    assert not running(script)
