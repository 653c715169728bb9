"""Many names in few characters: `db1,web[1-3,7]`, and 2,000 interfaces as `eth0…eth1999 (2000)`.

Pure; does not know what is named.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator

_DIGITS = re.compile(r"[0-9]{1,18}")
_MARKS = frozenset("[],")

# Text before and after the number that counts.
_Frame = tuple[str, str]


def natural(name: str) -> tuple[list[tuple[int, int, str]], str]:
    """The sort key that puts node2 before node10."""
    parts = re.split(r"([0-9]{1,18})", name)
    return [(1, int(part), "") if part.isdecimal() else (0, 0, part) for part in parts if part], name


def fold_names(names: Iterable[str]) -> str:
    """The names once each, in natural order, numbers that follow each other as ranges.

    Loss-free: `web[09-11]` is web09, web10 and web11. A name with brackets or a comma stays as it is.
    """
    groups: dict[_Frame | str, list[str]] = {}
    for name, frame, number in _framed(set(names)):
        groups.setdefault(frame or name, []).append(number)
    folded = sorted((_group(frame, numbers) for frame, numbers in groups.items()), key=lambda pair: natural(pair[0]))
    return ",".join(text for _, text in folded)


def count_names(names: Iterable[str]) -> str:
    """First, last and number of the names: `eth0…eth1999 (2000)`; up to three are listed."""
    ordered = sorted(set(names), key=natural)
    if len(ordered) <= 3:
        return ",".join(ordered)
    return f"{ordered[0]}…{ordered[-1]} ({len(ordered)})"


def _framed(names: set[str]) -> Iterator[tuple[str, _Frame | None, str]]:
    frames = {name: _frames(name) for name in names}
    counts = Counter(frame for found in frames.values() for frame, _ in found)
    for name, found in frames.items():
        if not found:
            yield name, None, ""
            continue
        # The number that most names share a frame around; of equals the last.
        frame, number = max(reversed(found), key=lambda pair: counts[pair[0]])
        yield name, frame, number


def _frames(name: str) -> list[tuple[_Frame, str]]:
    if _MARKS.intersection(name):
        return []
    return [((name[: m.start()], name[m.end() :]), m.group()) for m in _DIGITS.finditer(name)]


def _group(frame: _Frame | str, numbers: list[str]) -> tuple[str, str]:
    """The first name, by which groups are ordered, and the text for all."""
    if isinstance(frame, str):
        return frame, frame
    before, after = frame
    ordered = sorted(numbers, key=lambda number: (int(number), len(number)))
    inside = ",".join(_ranges(ordered))
    first = f"{before}{ordered[0]}{after}"
    return first, first if len(numbers) == 1 else f"{before}[{inside}]{after}"


def _ranges(numbers: list[str]) -> Iterator[str]:
    first = last = numbers[0]
    for number in numbers[1:]:
        if number == str(int(last) + 1).zfill(len(last)):
            last = number
            continue
        yield first if first == last else f"{first}-{last}"
        first = last = number
    yield first if first == last else f"{first}-{last}"
