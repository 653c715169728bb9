"""The cheap way to an SSH connection: one socket, one paramiko transport, the fastest of the safe algorithms.

Each phase has its own end; nothing here decides which host key or which login is right.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from paramiko.packet import Packetizer
from paramiko.transport import Transport
from typing_extensions import Buffer, override

from sysfleet.errors import ConnectTimeout

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

_READ_BYTES = 65536


class Stream(socket.socket):
    """A connected socket that asks the kernel once for what paramiko asks for in small pieces."""

    _held = b""

    @override
    def recv(self, bufsize: int, flags: int = 0) -> bytes:
        held = self._held or super().recv(_READ_BYTES, flags)
        self._held = held[bufsize:]
        return held[:bufsize]

    @override
    def send(self, data: Buffer, flags: int = 0) -> int:
        return super().send(data, flags | socket.MSG_NOSIGNAL)


class _Untimed(Packetizer):
    """Without the thread that paramiko starts to time each handshake: whoever waits here times it."""

    @override
    def start_handshake(self, timeout: float) -> None:
        pass

    @override
    def complete_handshake(self) -> None:
        pass


def open_stream(address: str, port: int, *, until: float) -> Stream:
    """A TCP connection by `until` (time.monotonic); each address of the name has its share of the time."""
    found = socket.getaddrinfo(address, port, type=socket.SOCK_STREAM)
    last: OSError | None = None
    for number, (family, kind, protocol, _, place) in enumerate(found):
        left = until - time.monotonic()
        if left <= 0:
            break
        stream = Stream(family, kind, protocol)
        try:
            stream.settimeout(left / (len(found) - number))
            stream.connect(place)
            stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        except OSError as error:
            stream.close()
            last = error
        except BaseException:
            stream.close()
            raise
        else:
            return stream
    raise last or ConnectTimeout(f"{address} does not answer in time", phase="connect")


def start(stream: Stream, host_key_types: Iterable[str], *, until: float) -> Transport:
    """Agree on keys over the stream by `until`, asking for host keys of these types; foreign errors."""
    transport = Transport(stream, packetizer_class=_Untimed)
    transport.banner_timeout = max(0.1, until - time.monotonic())
    options = transport.get_security_options()
    options.kex = _only(_KEX, options.kex)
    options.ciphers = _only(_CIPHERS, options.ciphers)
    options.digests = _only(_MACS, options.digests)
    able = set(options.key_types)
    options.key_types = tuple(name for name in host_key_types if name.partition("-cert-v01@")[0] in able) or tuple(able)
    agreed = threading.Event()
    transport.start_client(event=agreed)
    if not agreed.wait(max(0.0, until - time.monotonic())):
        shut(transport)
        raise ConnectTimeout("the host does not agree on keys in time", phase="connect")
    if not transport.is_active():
        raise transport.get_exception() or EOFError()
    return transport


def shut(transport: Transport) -> None:
    """End the connection from any thread, at once."""
    # Without this the library's thread finds out up to 0.1 s later, and close() waits for it.
    with suppress(OSError):
        transport.sock.shutdown(socket.SHUT_RDWR)
    transport.close()


def _only(wanted: tuple[str, ...], offered: Iterable[str]) -> tuple[str, ...]:
    have = set(offered)
    return tuple(name for name in wanted if name in have)
