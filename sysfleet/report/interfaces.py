"""Lines that differ in nothing but their interface, as one: two thousand lines become one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeAlias

from sysfleet.report.names import count_names
from sysfleet.report.printable import printable
from sysfleet.sysctl.key import Key, interface_of, with_interface

Cells: TypeAlias = tuple[str, ...]

_SPECIAL = frozenset({"all", "default"})


def fold_interfaces(lines: Iterable[tuple[str, Cells]]) -> list[tuple[str, Cells]]:
    """Lines of a key and its cells; those of equal cells on many interfaces as `…conf.{eth0…eth9 (10)}.…`.

    A folded line stands where the first of its interfaces stood; keys come back printable.
    """
    groups: dict[tuple[str, Cells], list[str]] = {}
    for key, cells in lines:
        name = interface_of(Key(key))
        if name is None or name in _SPECIAL:
            groups.setdefault((key, cells), [])
        else:
            groups.setdefault((with_interface(Key(key), "\0"), cells), []).append(name)
    return [(_key(pattern, names), cells) for (pattern, cells), names in groups.items()]


def _key(pattern: str, names: list[str]) -> str:
    if not names:
        return printable(pattern)
    before, _, after = pattern.partition("\0")
    spelled = [printable(name.replace(".", "/")) for name in names]
    inside = spelled[0] if len(spelled) == 1 else "{" + count_names(spelled) + "}"
    return f"{printable(before)}{inside}{printable(after)}"
