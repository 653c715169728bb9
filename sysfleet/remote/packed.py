"""Numbers and texts as SSH packs them into bytes (RFC 4251, 5). Knows nothing of what they stand for."""

from __future__ import annotations


def sized(data: bytes) -> bytes:
    """A text: its size, then itself."""
    return len(data).to_bytes(4, "big") + data


def number(data: bytes) -> tuple[int, bytes]:
    """The number that the data begin with, and the rest; ValueError where they end too early."""
    if len(data) < 4:
        raise ValueError("the data end too early")
    return int.from_bytes(data[:4], "big"), data[4:]


def text(data: bytes) -> tuple[bytes, bytes]:
    """The text that the data begin with, and the rest; ValueError where they end too early."""
    size, rest = number(data)
    if size > len(rest):
        raise ValueError("the data end too early")
    return rest[:size], rest[size:]
