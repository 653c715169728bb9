"""The kernel's own forms of values: integers by C's rule, lists of ranges, keys, addresses, ticks.

Knows text and numbers alone; which key has which form is for `knowledge` to say.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from ipaddress import AddressValueError, IPv6Address

_INTEGER = re.compile(r"[ \t\n\v\f\r]*(-?)(?:0[xX]([0-9a-fA-F]+)|(0[0-7]*)|([1-9][0-9]*))[ \t\n\v\f\r]*", re.ASCII)
_INT32 = (-(2**31), 2**31 - 1)


def as_int(text: str) -> int | None:
    """The integer that C's base-0 rule reads (`010` is 8, `0x10` is 16), or None."""
    found = _INTEGER.fullmatch(text)
    if found is None:
        return None
    sign, hexadecimal, octal, decimal = found.groups()
    number = int(hexadecimal, 16) if hexadecimal else int(octal, 8) if octal else int(decimal)
    return -number if sign else number


def _ranges(flat: str, highest: int) -> str | None:
    spans: list[tuple[int, int]] = []
    for part in flat.replace(" ", "").split(","):
        if not part:
            continue
        one, dash, other = part.partition("-")
        first = as_int(one)
        last = as_int(other) if dash else first
        if first is None or last is None or not 0 <= first <= last <= highest:
            return None
        spans.append((first, last))
    merged: list[tuple[int, int]] = []
    for first, last in sorted(spans):
        if merged and first <= merged[-1][1] + 1:
            merged[-1] = (merged[-1][0], max(last, merged[-1][1]))
        else:
            merged.append((first, last))
    return ",".join([str(first) if first == last else f"{first}-{last}" for first, last in merged])


def _ports(flat: str) -> str | None:
    return _ranges(flat, 65535)


def _bitmap(flat: str) -> str | None:
    return _ranges(flat, 255)


def _hex_words(flat: str) -> str | None:
    keys = flat.split(",")
    if all(re.fullmatch(r"[0-9a-fA-F]{1,16}(-[0-9a-fA-F]{1,16}){3}", one) for one in keys):
        return ",".join(["-".join([word.lower().zfill(8)[-8:] for word in one.split("-")]) for one in keys])
    return None


def _flag(flat: str) -> str | None:
    number = as_int(flat)
    return None if number is None else str(int(number != 0))


def _zero(flat: str) -> str | None:
    return None if as_int(flat) is None else "0"


def _gids(flat: str) -> str | None:
    numbers = [as_int(part) for part in flat.split(" ")]
    if len(numbers) != 2 or numbers[0] is None or numbers[1] is None:
        return None
    return "1 0" if numbers[0] > numbers[1] else f"{numbers[0]} {numbers[1]}"


def _address6(flat: str) -> str | None:
    try:
        return IPv6Address(flat).exploded
    except AddressValueError:
        return None


def _ticks_ms(flat: str) -> str | None:
    number = as_int(flat)
    if number is None or abs(number) >= 1 << 64:
        return None
    # Of a longer number the kernel keeps the lower 32 bits.
    return str(number if _INT32[0] <= number <= _INT32[1] else number & 0xFFFFFFFF)


_SHAPES: Mapping[str, Callable[[str], str | None]] = {
    "ports": _ports,
    "bitmap": _bitmap,
    "hex_words": _hex_words,
    "address6": _address6,
    "flag": _flag,
    "zero": _zero,
    "gids": _gids,
    "ticks_ms": _ticks_ms,
}


def shape(form: str, flat: str) -> str | None:
    """The text as the kernel shows it, white space being in order; None where it is not of that form."""
    shaper = _SHAPES.get(form)
    return None if shaper is None else shaper(flat)
