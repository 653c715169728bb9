"""What is wrong with the way to a host, done where its port is: in front of its SSH server, which knows nothing of it.

- `black_hole`: the port's queue of connections has room for one and holds it; the kernel drops every further SYN.
- `slow`: a relay passes one byte a second towards the client, and all at once towards the host.
- `drops_mid_read`: the relay cuts a connection when the login shell (`shell`) says that a program's output has begun.
- `drops_mid_write`: the relay looks at every value below /proc/sys/net before it passes anything to the client.
  Once one is other than it was when the connection came, it passes nothing more and cuts. What the host says after a
  write never arrives, so a program that writes is always cut, and always after it has written; one that does not
  write never is. It asks nothing of the program, which goes on as it can.
"""

from __future__ import annotations

import os
import socket
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Never

from sysfleet.lab import linux
from sysfleet.lab.faults.names import Fault

# What is written here, by a login shell, is the number of a connection's port between relay and server.
CUT = Path("/run/lab-cut")

_BACKLOG = 1024
_CHUNK_BYTES = 1 << 16
_PAUSE_S = 1.0
_RELAYED = frozenset({"slow", "drops_mid_read", "drops_mid_write"})
_WATCHED = tuple(Path("/proc/sys/net") / part for part in ("core", "ipv4", "ipv6"))


def fill(listener: socket.socket) -> list[socket.socket]:
    """Listen, and let no connection through for as long as these sockets are kept open.

    Has to be called where the listener's port is, not in a host's own network.
    """
    # The kernel takes one connection more than it is told (include/net/sock.h: sk_acceptq_is_full).
    listener.listen(0)
    first, second = socket.socket(), socket.socket()
    first.connect(listener.getsockname())
    second.setblocking(False)
    with suppress(BlockingIOError):
        second.connect(listener.getsockname())
    return [first, second]


def server_side(listener: socket.socket, faults: tuple[Fault, ...]) -> socket.socket:
    """The socket that the host's SSH server accepts from: this one, or one that a relay stands before."""
    if _RELAYED.isdisjoint(faults):
        return listener
    inner = socket.create_server(("127.0.0.1", 0), backlog=_BACKLOG)
    if "drops_mid_read" in faults:
        os.mkfifo(CUT)
        CUT.chmod(0o622)
    if os.fork() == 0:
        _run_relay(listener, inner, faults)
    return inner


def _run_relay(listener: socket.socket, inner: socket.socket, faults: tuple[Fault, ...]) -> Never:
    try:
        linux.set_process_name("relay")
        target = inner.getsockname()
        inner.close()
        listener.setblocking(True)
        _Relay(target, faults).serve(listener)
    except Exception:  # noqa: BLE001 - the boundary of a process
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(1)


class _Relay:
    def __init__(self, target: tuple[str, int], faults: tuple[Fault, ...]) -> None:
        self._target = target
        self._is_slow = "slow" in faults
        self._is_watching = "drops_mid_write" in faults
        self._by_port: dict[int, tuple[socket.socket, socket.socket]] = {}
        if "drops_mid_read" in faults:
            _in_background(self._obey)

    def serve(self, listener: socket.socket) -> None:
        while True:
            client, _ = listener.accept()
            server = socket.socket()
            server.connect(self._target)
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            _in_background(self._serve_one, client, server)

    def _serve_one(self, client: socket.socket, server: socket.socket) -> None:
        port = server.getsockname()[1]
        self._by_port[port] = client, server
        before = _values() if self._is_watching else None
        upwards = _in_background(_pass, client, server)
        with suppress(OSError):
            while chunk := server.recv(_CHUNK_BYTES):
                if before is not None and _values() != before:
                    break
                self._send(client, chunk)
        _cut(client, server)
        upwards.join()
        del self._by_port[port]
        client.close()
        server.close()

    def _send(self, client: socket.socket, chunk: bytes) -> None:
        if not self._is_slow:
            client.sendall(chunk)
            return
        for byte in chunk:
            client.sendall(bytes([byte]))
            time.sleep(_PAUSE_S)

    def _obey(self) -> None:
        """Cut the connections whose ports are written to the pipe."""
        # Open for writing too, so that it never ends. Bytes, since modules of codecs are out of sight by now.
        with os.fdopen(os.open(CUT, os.O_RDWR), "rb") as orders:
            for line in orders:
                if line.strip().isdigit() and (ends := self._by_port.get(int(line))):
                    _cut(*ends)


def _in_background(action: Callable[..., None], *arguments: socket.socket) -> threading.Thread:
    thread = threading.Thread(target=action, args=arguments, daemon=True)
    thread.start()
    return thread


def _pass(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while chunk := source.recv(_CHUNK_BYTES):
            target.sendall(chunk)
        target.shutdown(socket.SHUT_WR)


def _cut(*ends: socket.socket) -> None:
    for end in ends:
        with suppress(OSError):
            end.shutdown(socket.SHUT_RDWR)


def _values() -> dict[str, bytes]:
    """Every value of the host's network that can be read."""
    return {name: value for folder in _WATCHED for name, value in _values_below(os.fspath(folder))}


def _values_below(folder: str) -> Iterator[tuple[str, bytes]]:
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                yield from _values_below(entry.path)
                continue
            with suppress(OSError):
                handle = os.open(entry.path, os.O_RDONLY)
                try:
                    yield entry.path, os.read(handle, 4096)
                finally:
                    os.close(handle)
