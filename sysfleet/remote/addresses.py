"""From a name to a TCP connection: the resolver, held to a time, and the first address that answers.

Knows nothing of SSH.
"""

from __future__ import annotations

import errno
import ipaddress
import os
import selectors
import socket
import threading
import time
from collections.abc import Sequence
from typing import Any, TypeAlias

from sysfleet.errors import ConnectTimeout
from sysfleet.remote.wire import Stream

Place: TypeAlias = tuple[socket.AddressFamily, socket.SocketKind, int, str, Any]

# An address that has not answered for so long gets company by the next one (RFC 8305, "Connection Attempt Delay").
_HEAD_START_S = 0.25


def look_up(address: str, port: int, *, until: float) -> Sequence[Place]:
    """The addresses of a name by `until` (time.monotonic); the resolver's error, or ConnectTimeout."""
    if _is_numeric(address):
        return socket.getaddrinfo(address, port, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    answer: list[Sequence[Place] | OSError] = []
    done = threading.Event()

    def ask() -> None:
        try:
            answer.append(socket.getaddrinfo(address, port, type=socket.SOCK_STREAM))
        except (OSError, UnicodeError) as error:
            answer.append(error if isinstance(error, OSError) else socket.gaierror(socket.EAI_NONAME, str(error)))
        finally:
            done.set()

    # The resolver has no time limit of its own that could be set, and cannot be stopped: it is left behind.
    threading.Thread(target=ask, name="sysfleet-resolver", daemon=True).start()
    if not done.wait(max(0.0, until - time.monotonic())):
        raise ConnectTimeout("the resolver does not answer in time", phase="connect")
    if isinstance(answer[0], OSError):
        raise answer[0]
    return answer[0]


def _is_numeric(address: str) -> bool:
    try:
        ipaddress.ip_address(address)
    except ValueError:
        return False
    return True


def connect_first(found: Sequence[Place], *, until: float) -> Stream:
    """A connection to the first address that takes one by `until`; else the last address's error."""
    race = _Race(until)
    try:
        stream = race.run(found)
    finally:
        race.close()
    stream.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return stream


class _Race:
    """Connections under way to several addresses of one name; all but the winner are closed."""

    def __init__(self, until: float) -> None:
        self._until = until
        self._selector = selectors.DefaultSelector()
        self._runners: dict[int, Stream] = {}  # by file descriptor
        self._last: OSError | None = None

    def run(self, found: Sequence[Place]) -> Stream:
        rest = list(found)
        while rest or self._runners:
            left = self._until - time.monotonic()
            if left <= 0:
                break
            winner = self._begin(rest.pop(0)) if rest else None
            winner = winner or self._wait(min(left, _HEAD_START_S) if rest else left)
            if winner is not None:
                winner.setblocking(True)
                return winner
        raise self._last or ConnectTimeout("nothing answered in time", phase="connect")

    def _begin(self, place: Place) -> Stream | None:
        stream = None
        try:
            stream = Stream(place[0], place[1], place[2])
            stream.setblocking(False)
            status = stream.connect_ex(place[4])
            if status not in (0, errno.EINPROGRESS):
                raise OSError(status, os.strerror(status))
        except OSError as error:
            self._last = error
            if stream is not None:
                stream.close()
            return None
        if status == 0:
            return stream
        self._selector.register(stream, selectors.EVENT_WRITE)
        self._runners[stream.fileno()] = stream
        return None

    def _wait(self, seconds: float) -> Stream | None:
        for key, _ in self._selector.select(seconds) if self._runners else ():
            stream = self._runners.pop(key.fd)
            self._selector.unregister(stream)
            status = stream.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if status == 0:
                return stream
            self._last = OSError(status, os.strerror(status))
            stream.close()
        return None

    def close(self) -> None:
        for stream in self._runners.values():
            stream.close()
        self._selector.close()
