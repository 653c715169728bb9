"""Runs inside namespaces: writes values to keys of its own network and reads back what the kernel made of them.

Reads one JSON request a line, answers one a line; imports nothing of the project.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from pathlib import Path


def read(path: str) -> str | None:
    try:
        opened = os.open("/proc/sys/" + path, os.O_RDONLY)
    except OSError:
        return None
    try:
        return os.read(opened, 65536).decode("utf-8", "surrogateescape").removesuffix("\n")
    except OSError:
        return None
    finally:
        os.close(opened)


def write(path: str, value: str) -> str | None:
    """The name of the error, or None; a short write counts as taken, as it does for every loader."""
    try:
        opened = os.open("/proc/sys/" + path, os.O_WRONLY)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    try:
        os.write(opened, value.encode("utf-8", "surrogateescape") + b"\n")
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    finally:
        os.close(opened)
    return None


def can_be_written(path: str) -> bool:
    """Whether the key is no read-only one, and lets this user in: not every namespace's keys do without root."""
    if not Path("/proc/sys", path).stat().st_mode & 0o200:
        return False
    try:
        os.close(os.open("/proc/sys/" + path, os.O_WRONLY))
    except OSError:
        return False
    return True


def attempts(path: str, values: list[str]) -> list[tuple[str | None, str | None, str | None]] | None:
    """For each value what was there before, the error, and what was there after; then the first one is put back."""
    first = read(path)
    if first is None or not can_be_written(path):
        return None
    found = []
    for value in values:
        before = read(path)
        error = write(path, value)
        found.append((before, error, read(path)))
        write(path, first)
    return found


def main() -> None:
    for line in sys.stdin:
        request = json.loads(line)
        sys.stdout.write(json.dumps([attempts(path, values) for path, values in request]) + "\n")
        sys.stdout.flush()


main()
