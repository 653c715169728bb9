"""Values as text: their canonical form, when two are the same to the kernel, and which must not be sent.

Knows how the kernel reads and shows values (kernel.md 4); refuses to know any host's running values.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from sysfleet.sysctl.forms import as_int, shape
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.knowledge import Knowledge, lookup

__all__ = ["as_int", "canonical", "half_applied", "problem", "refused", "same"]

_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")
_INT32 = (-(2**31), 2**31 - 1)
_TICK_MS = 10  # a tick of the slowest common kernel, HZ=100; faster ones round less
_PAGE = 4096
_LISTS = frozenset({"ports", "bitmap"})
_CHECKED = _LISTS | {"hex_words", "address6"}
_ALL_OR_NOTHING = frozenset({"net.ipv4.ip_local_port_range"})


@lru_cache(maxsize=65536)
def canonical(key: Key, text: str) -> str:
    """The value in one form: one space between parts, integers decimal, lists sorted and merged.

    Text that is not of its key's form only has its white space put in order.
    """
    flat = " ".join(text.split())
    known = lookup(key)
    if known is None:
        return flat
    if known.form:
        shaped = shape(known.form, flat)
        if shaped is not None:
            return shaped
    if known.type == "string":
        return flat
    numbers = [as_int(part) for part in flat.split(" ")]
    return " ".join([part if n is None else str(n) for part, n in zip(flat.split(" "), numbers, strict=True)])


@lru_cache(maxsize=65536)
def same(key: Key, wanted: str, running: str) -> bool:
    """Whether the kernel, told `wanted`, would show `running`.

    Besides the canonical form this knows: milliseconds kept in ticks (rounded up, at most one tick of 10 ms),
    hundredths of a second kept in ticks (rounded down, by one at most),
    strings cut at the kernel's length, pipe sizes rounded up to a power of two of pages, conntrack's table
    rounded up to a page.
    """
    asked, shown = canonical(key, wanted), canonical(key, running)
    if asked == shown:
        return True
    known = lookup(key)
    if known is None:
        return False
    if known.cut_bytes is not None:
        return _bytes(asked)[: known.cut_bytes] == _bytes(shown)
    low, high = as_int(asked), as_int(shown)
    return low is not None and high is not None and _rounded(known.form, low, high)


def _rounded(form: str, low: int, high: int) -> bool:
    if form == "ticks_ms":
        return 0 < low < high < low + _TICK_MS
    if form == "ticks_user":
        return 0 <= high == low - 1
    if form == "pages":
        return high == max(_PAGE, 1 << (low - 1).bit_length())
    return form == "hash_size" and 0 < low < high < low + _PAGE // 8


@lru_cache(maxsize=65536)
def problem(key: Key, text: str) -> str | None:
    """One sentence why this value must not be sent to this key, or None."""
    if _CONTROL.search(text):
        return "the value has a control character inside"
    flat = " ".join(text.split())
    if not flat:
        return "the value is empty"
    if len(_bytes(flat)) >= _PAGE:
        return "the value is longer than one page, and the kernel would cut it"
    known = lookup(key)
    if known is None:
        return None
    if known.type == "string":
        return _problem_of_string(known, flat)
    return _problem_of_form(known, flat) or _problem_of_range(known, flat)


@lru_cache(maxsize=65536)
def refused(key: Key, text: str) -> bool:
    """Whether a kernel is known to answer a write of this value with EINVAL; False where nobody knows."""
    known = lookup(key)
    if known is None:
        return False
    if known.type == "string":
        return known.form in _CHECKED and (" " in text.strip() or shape(known.form, text.strip()) is None)
    parts = text.split()
    if not parts or any(mark in text for mark in "\r\v\f"):
        return True  # the kernel takes these for no white space
    words = parts[: known.length or None]  # further ones are a short write that succeeds
    if len(_taken(known, words)) < len(words):
        return True
    return known.form == "span" and len(words) == 2 and (as_int(words[0]) or 0) > (as_int(words[1]) or 0)


def half_applied(key: Key, text: str) -> str:
    """The numbers that a refused write leaves stored all the same: a plain tuple takes them one by one."""
    known = lookup(key)
    if known is None or known.type != "tuple" or known.form or key in _ALL_OR_NOTHING:
        return ""
    return " ".join(_taken(known, text.split()[: known.length or None]))


def _taken(known: Knowledge, words: Sequence[str]) -> list[str]:
    lowest = _INT32[0] if known.kernel_minimum is None else known.kernel_minimum
    highest = _INT32[1] if known.kernel_maximum is None else known.kernel_maximum
    numbers = [as_int((shape(known.form, word) or "") if known.form == "ticks_ms" else word) for word in words]
    fits = [number is not None and lowest <= number <= highest for number in numbers]
    return list(words[: fits.index(False) if False in fits else None])


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _problem_of_string(known: Knowledge, flat: str) -> str | None:
    if known.cut_bytes is not None and len(_bytes(flat)) > known.cut_bytes:
        return f"the value is longer than {known.cut_bytes} bytes, and the kernel would cut it"
    if known.form in _LISTS and shape(known.form, flat) is None:
        return "the value is no list of numbers and ranges like 1-3,7"
    if known.form in _CHECKED and shape(known.form, flat) is None:
        return "the value is not of the form that the kernel reads"
    return None


def _problem_of_form(known: Knowledge, flat: str) -> str | None:
    parts = flat.split(" ")
    for part in parts:
        if as_int(part) is None:
            return f"{part!r} is no integer"
    if known.type != "tuple" and len(parts) > 1:
        return f"one integer is wanted, there are {len(parts)}"
    if known.type == "tuple" and known.length and len(parts) != known.length:
        return f"{known.length} integers are wanted, there are {len(parts)}"
    return None


def _problem_of_range(known: Knowledge, flat: str) -> str | None:
    low = known.minimum if known.minimum is not None else known.kernel_minimum
    high = known.maximum if known.maximum is not None else known.kernel_maximum
    if known.type != "tuple" and high is None:
        high = _INT32[1]
    for part in flat.split(" "):
        number = as_int(part)
        if number is None:
            continue
        if low is not None and number < low:
            return f"{number} is below {low}"
        if high is not None and number > high:
            return f"{number} is above {high}"
    return None
