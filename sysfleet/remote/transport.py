"""The cheap way to an SSH connection: one wire, one paramiko transport, the fastest of the safe algorithms.

Each phase has its own end; nothing here decides which host key or which login is right.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar, cast, overload

from paramiko.packet import Packetizer
from paramiko.ssh_exception import SSHException
from paramiko.transport import Transport
from typing_extensions import override

from sysfleet.errors import ConnectError, ConnectTimeout
from sysfleet.remote.addresses import connect_first, look_up
from sysfleet.remote.evidence import clean
from sysfleet.remote.wire import Stream, Wire

# Failures come back as our errors; without a handler, logging would print the library's tracebacks.
logging.getLogger("paramiko").addHandler(logging.NullHandler())

# Client CPU of a whole key exchange, measured: both first curves 2.5 ms, the larger ones 3.5, group 14 23 ms,
# group 16 76 ms, group exchange 2 s. The hybrid with ML-KEM stands behind a curve: what travels here is neither
# secret for decades nor much.
_KEX = (
    "curve25519-sha256",
    "curve25519-sha256@libssh.org",
    "ecdh-sha2-nistp256",
    "mlkem768x25519-sha256",
    "ecdh-sha2-nistp521",
    "ecdh-sha2-nistp384",
    "diffie-hellman-group14-sha256",
    "diffie-hellman-group16-sha512",
    "diffie-hellman-group-exchange-sha256",
)
# GCM needs no separate checksum, which would be computed in Python.
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
_MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)


_BEFORE_VERSION_BYTES = 64 << 10
_BEFORE_VERSION_LINES = 100  # paramiko reads no more


class _Untimed(Packetizer):
    """Without the thread that paramiko starts to time each handshake: whoever waits here times it."""

    @override
    def start_handshake(self, timeout: float) -> None:
        pass

    @override
    def complete_handshake(self) -> None:
        pass

    heard_bytes = 0
    heard_lines = 0

    @property
    def flooded(self) -> bool:
        """Whether more came before the version line than any server has to say there."""
        return self.heard_bytes > _BEFORE_VERSION_BYTES or self.heard_lines >= _BEFORE_VERSION_LINES

    @override
    def readline(self, timeout: float) -> str:
        line = super().readline(timeout)
        self.heard_lines += 1
        return line

    def _read_timeout(self, timeout: float) -> bytes:
        """What paramiko reads a line of, which may have no end; the stubs leave it out."""
        data: bytes = super()._read_timeout(timeout)  # type: ignore[misc]
        self.heard_bytes += len(data)
        if self.heard_bytes > _BEFORE_VERSION_BYTES:
            raise SSHException("too much before the version line")
        return data


FULL = "Exceeded MaxStartups"
"""What sshd says when it hangs up because too many are logging in; it may take the next one."""
# It says this to an address that has misbehaved, and will not change its mind soon.
_PENALTY = "Not allowed at this time"


class Dropped(Exception):
    """The server ended the connection before its banner; `words` is what it said, cleaned."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


class Phase(Protocol):
    """Who is told which phase of connecting is under way."""

    now: str


@dataclass
class _Nobody:
    now: str = ""


def open_stream(address: str, port: int, *, until: float, steps: Phase | None = None) -> Stream:
    """A TCP connection by `until` (time.monotonic); of several addresses of the name, the first that answers."""
    steps = steps or _Nobody()
    steps.now = "name lookup"
    found = look_up(address, port, until=until)
    steps.now = "TCP connect"
    return connect_first(found, until=until)


Kind = TypeVar("Kind", bound=Transport)


@overload
def start(wire: Wire | socket.socket, host_key_types: Iterable[str], *, until: float) -> Transport: ...
@overload
def start(
    wire: Wire | socket.socket, host_key_types: Iterable[str], *, until: float, kind: type[Kind], steps: Phase
) -> Kind: ...
def start(
    wire: Wire | socket.socket,
    host_key_types: Iterable[str],
    *,
    until: float,
    kind: type[Transport] = Transport,
    steps: Phase | None = None,
) -> Transport:
    """Agree on keys by `until`, asking for host keys of these types; Dropped, ConnectTimeout or foreign errors."""
    transport = kind(cast("socket.socket", wire), packetizer_class=_Untimed)
    transport.banner_timeout = max(0.1, until - time.monotonic())
    options = transport.get_security_options()
    options.kex = _only(_KEX, options.kex)
    options.ciphers = _only(_CIPHERS, options.ciphers)
    options.digests = _only(_MACS, options.digests)
    able = set(options.key_types)
    options.key_types = tuple(name for name in host_key_types if name.partition("-cert-v01@")[0] in able) or tuple(able)
    agreed = threading.Event()
    transport.start_client(event=agreed)
    answered = agreed.wait(max(0.0, until - time.monotonic()))
    if transport.remote_version and steps is not None:
        steps.now = "key exchange"
    if not answered:
        shut(transport)
        raise ConnectTimeout("nothing answered in time", phase="connect")
    if not transport.is_active():
        error = transport.get_exception() or EOFError()
        packets = transport.packetizer
        if not transport.remote_version and time.monotonic() < until:
            raise _before_the_banner(wire, flooded=isinstance(packets, _Untimed) and packets.flooded)
        raise error
    return transport


def _before_the_banner(wire: Wire | socket.socket, *, flooded: bool) -> Exception:
    """What it means that there was no banner: nothing but an end of the connection is a server that is full."""
    words = clean(getattr(wire, "opening", b""))
    if flooded:
        return ConnectError("the server floods before its version line", phase="connect", evidence=words or None)
    if not words or words in {FULL, _PENALTY}:
        return Dropped(words)
    return SSHException(f"it speaks no SSH: {words}")


def shut(transport: Transport) -> None:
    """End the connection from any thread, at once."""
    # Without this the library's thread finds out up to 0.1 s later, and close() waits for it.
    with suppress(OSError):
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()


def _only(wanted: tuple[str, ...], offered: Iterable[str]) -> tuple[str, ...]:
    have = set(offered)
    return tuple(name for name in wanted if name in have)
