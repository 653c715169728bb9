"""The project's own file of host keys: what is there stays, new lines are appended whole, by many runs at once.

Knows files and lines, nothing of servers.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Sequence
from pathlib import Path

from sysfleet.errors import UsageError
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.learn import NewKey

_MODE = 0o644
_HINT = "nothing was added to it"


def check_writable(path: Path) -> None:
    """Raise UsageError where lines cannot be appended; writes nothing."""
    if path.exists() and not path.is_file():
        raise UsageError(f"{path} cannot be written: it is not a file")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise UsageError(f"{path} cannot be written: no permission", hint="--learn-host-keys writes there")


def append(path: Path, keys: Sequence[NewKey]) -> tuple[NewKey, ...]:
    """Add the keys whose names nobody has added meanwhile, and give those back; UsageError where it cannot be done.

    A name that has a key by now keeps that one alone, whichever it is.
    """
    try:
        # Without waiting: a pipe in its place has no reader.
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NONBLOCK, _MODE)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint=_HINT) from error
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UsageError(f"{path} cannot be written: it is not a file")
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        before = _content(descriptor)
        new = _unknown(before, keys)
        if new:
            _write(descriptor, before, "".join(f"{line}\n" for line in dict.fromkeys(key.line for key in new)))
        return new
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}", hint=_HINT) from error
    finally:
        os.close(descriptor)


def _unknown(content: bytes, keys: Sequence[NewKey]) -> tuple[NewKey, ...]:
    there = KnownHosts()
    there.add(content, "")
    # A name that is spelled out is its own at the port which is never spelled.
    return tuple(key for key in keys if not there.lookup(key.name))


def _content(descriptor: int) -> bytes:
    with open(descriptor, "rb", closefd=False) as file:
        return file.read()


def _write(descriptor: int, before: bytes, lines: str) -> None:
    """All of the lines or none: one write, taken back where the disk took only a part."""
    unended = before and not before.endswith(b"\n")
    data = (b"\n" if unended else b"") + lines.encode()
    try:
        if os.write(descriptor, data) != len(data):
            raise OSError(0, "the disk is full")
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, len(before))
        raise
