"""What a connection to a server travels on: a socket, or a channel through a bastion that looks like one to paramiko.

Knows bytes only; refuses to know which server is at the other end.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

from paramiko.ssh_exception import SSHException
from typing_extensions import Buffer, override

if TYPE_CHECKING:
    from paramiko.channel import Channel

_READ_BYTES = 65536
_OPENING_BYTES = 256


class Wire(Protocol):
    """The part of a socket that paramiko uses."""

    @property
    def opening(self) -> bytes:
        """The first that was heard."""

    def recv(self, bufsize: int, /) -> bytes:
        """Some bytes; empty at the end."""

    def send(self, data: Buffer, /) -> int:
        """How many bytes were taken; may wait."""

    def settimeout(self, value: float | None, /) -> None:
        """How long `recv` and `send` wait."""

    def shutdown(self, how: int, /) -> None:
        """End it from any thread: who waits in `recv` or `send` wakes up."""

    def close(self) -> None:
        """Give it back."""


class Stream(socket.socket):
    """A connected socket that asks the kernel once for what paramiko asks for in small pieces."""

    opening = b""
    _held = b""

    @override
    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        held = self._held or super().recv(_READ_BYTES, flags)
        if not self.opening:
            self.opening = held[:_OPENING_BYTES]
        self._held = held[bufsize:]
        return held[:bufsize]

    @override
    def send(self, data: Buffer, flags: int = 0) -> int:
        return super().send(data, flags | socket.MSG_NOSIGNAL)


class ChannelWire:
    """A channel through a bastion. Whoever reads it waits for bytes or its end, and never looks in between."""

    def __init__(self, channel: Channel, ended: Callable[[], object]) -> None:
        """`ended` is called once, when the wire is given back."""
        channel.settimeout(None)
        self._ended: Callable[[], object] | None = ended
        self.opening = b""
        self._channel = channel
        self._held = b""
        self._closed = False  # paramiko asks a socket for it

    def recv(self, bufsize: int, /) -> bytes:
        """Some bytes; empty at the end."""
        held = self._held or self._channel.recv(_READ_BYTES)
        if not self.opening:
            self.opening = held[:_OPENING_BYTES]
        self._held = held[bufsize:]
        return held[:bufsize]

    def send(self, data: Buffer, /) -> int:
        """How many bytes were taken; waits while the host takes none."""
        return self._channel.send(bytes(data))

    def settimeout(self, value: float | None, /) -> None:
        """Nothing: `shutdown` wakes whoever waits."""

    def shutdown(self, how: int, /) -> None:
        """End it from any thread."""
        del how
        self.close()

    def close(self) -> None:
        """End the channel; the bastion's other channels go on."""
        self._closed = True
        with suppress(OSError, EOFError, SSHException):  # the bastion may be gone
            self._channel.close()
        ended, self._ended = self._ended, None
        if ended is not None:
            ended()
