"""One listening sshd inside a lab host, for options that count connections, and the relay from the lab's port to it.

Runs in the host's init and its children. The lab's listening socket is outside the host's network, where an sshd of
the host cannot bind; the relay accepts there and passes bytes on, in one thread however many connections there are.
"""

from __future__ import annotations

import errno
import os
import re
import selectors
import signal
import socket
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from sysfleet.lab import etc, openssh
from sysfleet.lab.spec import HostSpec

# sshd_config(5): these are the listening process's own, an sshd for one connection takes no notice of them.
_COUNTING = re.compile(r"\s*(MaxStartups|PerSource\w*)\b", re.IGNORECASE)
_ADDRESS = ("127.0.0.1", 22)
_CHUNK_BYTES = 1 << 16
_POLL_S = 0.01
_START_TIMEOUT_S = 20.0
_NOT_NOW = (BlockingIOError, InterruptedError)


def is_wanted(spec: HostSpec) -> bool:
    """Whether the host's own lines of sshd_config mean something to a listening sshd alone."""
    return any(_COUNTING.match(line) for line in spec.sshd)


def start_sshd(environment: Mapping[str, str]) -> int:
    """Start the listening sshd; its process."""
    sshd = openssh.program()
    if sshd is None:
        raise FileNotFoundError(errno.ENOENT, "no sshd")
    address = "ListenAddress={}:{}".format(*_ADDRESS)
    words = [sshd, "-D", "-e", "-f", str(Path("/") / etc.SSHD_CONFIG), "-o", address, "-o", "PidFile=none"]
    return os.posix_spawn(sshd, words, environment, setsigdef=[signal.SIGPIPE, signal.SIGXFSZ])


def relay(listener: socket.socket, address: tuple[str, int] = _ADDRESS) -> None:
    """Pass every connection on to what listens there, for ever; whoever comes before it does, waits."""
    _await_server(address)
    listener.setblocking(False)
    with selectors.DefaultSelector() as selector:
        selector.register(listener, selectors.EVENT_READ)
        while True:
            for event, mask in selector.select():
                if event.fileobj is listener:
                    _accept(listener, address, selector)
                    continue
                if mask & selectors.EVENT_WRITE:
                    event.data.flush()
                if mask & selectors.EVENT_READ:
                    event.data.forward()


def _await_server(address: tuple[str, int]) -> None:
    deadline = time.monotonic() + _START_TIMEOUT_S
    while True:
        with socket.socket() as attempt:
            if attempt.connect_ex(address) == 0:
                return
        if time.monotonic() > deadline:
            raise TimeoutError("nothing listens on {}:{}".format(*address))
        time.sleep(_POLL_S)


def _accept(listener: socket.socket, address: tuple[str, int], selector: selectors.BaseSelector) -> None:
    with suppress(*_NOT_NOW, ConnectionAbortedError):
        client, _ = listener.accept()
        server = socket.socket()
        server.setblocking(False)
        # What this cannot say at once, the first use of the socket says.
        server.connect_ex(address)
        one, other = _End(client, selector), _End(server, selector)
        one.other, other.other = other, one
        one.watch()
        other.watch()


class _End:
    """One of the two sockets of a relayed connection, and what is yet to be written to it."""

    other: _End

    def __init__(self, connection: socket.socket, selector: selectors.BaseSelector) -> None:
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.connection = connection
        self.selector = selector
        self.events = 0
        self.unsent = b""
        self.has_ended = False

    def watch(self) -> None:
        """Wait for what can be done next: reading while the other end takes it, writing what is left."""
        if self.connection.fileno() < 0:
            return
        can_read = not self.has_ended and not self.other.unsent
        events = (selectors.EVENT_READ if can_read else 0) | (selectors.EVENT_WRITE if self.unsent else 0)
        if events == self.events:
            return
        if not self.events:
            self.selector.register(self.connection, events, self)
        elif not events:
            self.selector.unregister(self.connection)
        else:
            self.selector.modify(self.connection, events, self)
        self.events = events

    def forward(self) -> None:
        """Pass on what has come."""
        try:
            data = self.connection.recv(_CHUNK_BYTES)
        except _NOT_NOW:
            return
        except OSError:
            self._close_both()
            return
        if not data:
            self.has_ended = True
        self.other.send(data)

    def send(self, data: bytes) -> None:
        """Write this, or the end of all where it is nothing; what does not fit is kept."""
        self.unsent = data
        self.flush()

    def flush(self) -> None:
        """Write what was kept; the other end is read again when nothing is left."""
        try:
            if self.unsent:
                self.unsent = self.unsent[self.connection.send(self.unsent) :]
            if not self.unsent and self.other.has_ended:
                self.connection.shutdown(socket.SHUT_WR)
        except _NOT_NOW:
            pass
        except OSError:
            self._close_both()
            return
        if self.has_ended and self.other.has_ended and not self.unsent and not self.other.unsent:
            self._close_both()
        self.watch()
        self.other.watch()

    def _close_both(self) -> None:
        for end in (self, self.other):
            if end.events:
                self.selector.unregister(end.connection)
                end.events = 0
            end.connection.close()
