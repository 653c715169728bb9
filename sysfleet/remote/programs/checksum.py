"""The checksum that every host can make of a file: that of POSIX's cksum. It proves no honesty, only sameness."""

from __future__ import annotations

import zlib

_MIRRORED = bytes(int(f"{number:08b}"[::-1], 2) for number in range(256))


def cksum(data: bytes) -> int:
    """POSIX cksum: the polynomial of zlib's, but the other way round, from zero, and over the length as well."""
    size = len(data)
    length = size.to_bytes((size.bit_length() + 7) // 8, "little")
    mirrored = zlib.crc32((data + length).translate(_MIRRORED), 0xFFFFFFFF)
    return int.from_bytes(mirrored.to_bytes(4, "little").translate(_MIRRORED), "big")
