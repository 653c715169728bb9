"""What other programs answer when asked for a password: a command's first line, the system keyring's entry.

Bounded in time and size; says what failed in the program's own words, and never what it answered.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from threading import Thread
from typing import IO

from typing_extensions import override

from sysfleet.errors import UsageError
from sysfleet.remote.evidence import clean

# A person may have to unlock what the command opens.
TIMEOUT_S = 120.0
_LIMIT_BYTES = 65536
# What a command leaves running may hold its output open.
_GRACE_S = 1.0


def first_line(argv: Sequence[str], environ: Mapping[str, str], what: str, *, timeout_s: float = TIMEOUT_S) -> str:
    """The first line that a program prints; UsageError with its words (standard error) where it fails."""
    name = f"the command for {what}, {argv[0]},"
    try:
        process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=dict(environ)
        )
    except OSError as error:
        raise UsageError(f"{name} cannot be run: {error.strerror}") from None
    out, words = _Gathering(process.stdout), _Gathering(process.stderr)
    try:
        process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        raise UsageError(f"{name} is not done after {timeout_s:g} s") from None
    finally:
        process.kill()
        process.wait()
        for one in (out, words):
            one.join(_GRACE_S)
    if process.returncode != 0:
        said = clean(bytes(words.data))
        raise UsageError(f"{name} failed with status {process.returncode}" + (f": {said}" if said else ""))
    line, ended, _ = bytes(out.data).partition(b"\n")
    if not ended and len(out.data) >= _LIMIT_BYTES:
        raise UsageError(f"{name} prints a line without end")
    return line.removesuffix(b"\r").decode("utf-8", "surrogateescape")


class _Gathering(Thread):
    """Reads a stream to its end and keeps the beginning, so that whoever writes is never kept waiting."""

    def __init__(self, stream: IO[bytes] | None) -> None:
        super().__init__(daemon=True)
        self._stream = stream
        self.data = bytearray()
        self.start()

    @override
    def run(self) -> None:
        """Read."""
        if self._stream is None:
            return
        with self._stream:
            while more := os.read(self._stream.fileno(), _LIMIT_BYTES):
                self.data += more[: _LIMIT_BYTES - len(self.data)]


def from_keyring(service: str, whose: str, what: str) -> str | None:
    """The system keyring's entry of a service for a login or key file; None where it has none."""
    try:
        import keyring
        from keyring.errors import KeyringError, NoKeyringError
    except ImportError:
        raise UsageError(
            f"{what} is to come from the system keyring, and the keyring library is not installed",
            hint="install sysfleet[keyring]",
        ) from None
    try:
        return keyring.get_password(service, whose)
    except NoKeyringError:
        raise UsageError(
            f"{what} is to come from the system keyring, and this machine has none that can be used",
            hint="take it from a command, a variable or a prompt",
        ) from None
    except (KeyringError, OSError, RuntimeError) as error:
        raise UsageError(f"the system keyring does not give {what}: {clean(str(error))}") from None
