"""The relay before a lab host's listening sshd, between two sockets that the test holds itself."""

import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Never

import pytest

_PROGRAM = """\
import socket, sys
from sysfleet.lab import listening
listening.relay(socket.socket(fileno=int(sys.argv[1])), ("127.0.0.1", int(sys.argv[2])))
"""
_DATA = os.urandom(1 << 20) * 24


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The client's socket, which holds little, and the server's, with a relay between them."""
    with socket.create_server(("127.0.0.1", 0)) as outer, socket.create_server(("127.0.0.1", 0)) as inner:
        words = [sys.executable, "-c", _PROGRAM, str(outer.fileno()), str(inner.getsockname()[1])]
        folder = Path(__file__).parents[2]
        relay = subprocess.Popen(words, pass_fds=[outer.fileno()], cwd=folder)
        try:
            # The relay asks whether anybody listens before it begins.
            inner.accept()[0].close()
            with socket.socket() as client:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
                client.connect(outer.getsockname())
                with inner.accept()[0] as server:
                    yield client, server
        finally:
            relay.kill()
            relay.wait()


def _read_all(source: socket.socket) -> bytes:
    return b"".join(iter(lambda: source.recv(1 << 16), b""))


def _send_on(target: socket.socket) -> Never:
    while True:
        target.sendall(b"x" * (1 << 16))


def test_what_a_slow_reader_does_not_take_is_kept_for_it(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends

    def send() -> None:
        server.sendall(_DATA)
        server.shutdown(socket.SHUT_WR)

    sender = threading.Thread(target=send)
    sender.start()
    assert _read_all(client) == _DATA
    sender.join()


def test_the_end_of_one_direction_leaves_the_other_open(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    client.sendall(b"question")
    client.shutdown(socket.SHUT_WR)
    assert _read_all(server) == b"question"
    server.sendall(b"answer")
    server.shutdown(socket.SHUT_WR)
    assert _read_all(client) == b"answer"


def test_a_server_that_has_gone_is_gone_for_the_client(ends: tuple[socket.socket, socket.socket]) -> None:
    client, server = ends
    server.sendall(b"last words")
    server.close()
    assert _read_all(client) == b"last words"
    # Nobody takes it any more; the relay finds out, and says so.
    with pytest.raises((BrokenPipeError, ConnectionResetError)):
        _send_on(client)
