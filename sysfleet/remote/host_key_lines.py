"""Where in files of host keys a key stands, for messages alone: what is trusted is ssh's to decide."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sysfleet.remote.known_hosts import HostKey

_FILE_BYTES = 16 << 20
_TYPES = ("ssh-", "ecdsa-", "sk-")


@dataclass(frozen=True, slots=True)
class HostKeyLines:
    """The files that ssh was told to read."""

    files: tuple[Path, ...]

    def key(self, file: str, number: int) -> str | None:
        """The key in a line that ssh named, as people compare it: `type SHA256:…`."""
        line = next((line for at, line in _lines(Path(file)) if at == number), b"")
        key = _key(line)
        return None if key is None else str(key)

    def revoked_at(self, fingerprint: str) -> str | None:
        """`file:line` of the line that revokes a key."""
        for file in self.files:
            for number, line in _lines(file):
                key = _key(line) if line.startswith(b"@revoked") else None
                if key is not None and key.fingerprint == fingerprint:
                    return f"{file}:{number}"
        return None


def _lines(file: Path) -> Iterator[tuple[int, bytes]]:
    try:
        with file.open("rb") as stream:
            yield from enumerate(stream.read(_FILE_BYTES).split(b"\n"), 1)
    except OSError:
        return


def _key(line: bytes) -> HostKey | None:
    fields = line.decode("utf-8", "replace").split()
    at = next((at for at, text in enumerate(fields) if text.startswith(_TYPES)), None)
    if at is None or at + 1 == len(fields):
        return None
    try:
        return HostKey(fields[at], base64.b64decode(fields[at + 1]))
    except binascii.Error:
        return None
