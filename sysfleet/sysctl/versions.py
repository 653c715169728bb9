"""What a loader does in one version and not in another, and how that is known.

Knows programs by name and version alone; refuses to know what distributions change in them. The order of dates
is that of the programs' own change logs and sources (kernel.md 6.1 and 6.2).
"""

from __future__ import annotations

import re
from enum import StrEnum
from functools import lru_cache

import msgspec


class Loader(StrEnum):
    """The program that applies files at boot."""

    SYSTEMD = "systemd"
    PROCPS = "procps"
    ALPINE = "alpine"
    OPENRC = "openrc"
    UNKNOWN = "unknown"


class Habits(msgspec.Struct, frozen=True, kw_only=True):
    """How one version of a loader goes about it; the defaults are those of the present ones.

    `globs` stands for patterns and exclusions, `glob_exclusions` for patterns in exclusions, `skips_equal` for
    leaving a value alone whose text is there already. `known_from` says what the model was held against.
    """

    known_from: str
    keeps_order: bool = True
    dash: bool = True
    globs: bool = True
    glob_exclusions: bool = False
    skips_equal: bool = False
    run_before_etc: bool = False
    takes_empty: bool = True


_COMPARED = "compared with the program"
_FROM_SOURCE = "from its source"
_SCRIPT = "from the source of its script; BusyBox itself was compared"

# What a version that is not known counts as: the newest of the common ones that was compared.
_TAKEN_FOR = {Loader.SYSTEMD: "252", Loader.PROCPS: "4.0.2"}
# A major number alone is what a library's name tells.
_MAJOR = {"3": "3.3.17", "4": "4.0.2"}
_NEWEST_PROCPS = (4, 0, 7)


@lru_cache(maxsize=256)
def habits_of(loader: Loader, version: str = "") -> Habits:
    """The habits of that version; without one, of the newest that was compared with the program."""
    text = version if re.match(r"\d", version) else _TAKEN_FOR.get(loader, "")
    if loader is Loader.PROCPS:
        return _procps(_numbers(_MAJOR.get(text, text)))
    if loader is Loader.SYSTEMD:
        return _systemd(_numbers(text))
    if loader is Loader.UNKNOWN:
        return Habits(known_from="nothing is known of it", dash=False, globs=False)
    return Habits(known_from=_SCRIPT, dash=False, globs=False, takes_empty=False)


def _systemd(version: tuple[int, ...]) -> Habits:
    return Habits(
        known_from=_COMPARED if version[:1] == (252,) else _FROM_SOURCE,
        keeps_order=version >= (232,),
        dash=version >= (243,),
        globs=version >= (245,),
        skips_equal=version >= (250,),
    )


def _procps(version: tuple[int, ...]) -> Habits:
    return Habits(
        known_from=_COMPARED if (3, 3, 15) <= version[:3] <= _NEWEST_PROCPS else _FROM_SOURCE,
        dash=version >= (3, 3, 16),
        run_before_etc=version < (3, 3, 17),
        takes_empty=version >= (4,),
        globs=version >= (4,),
        glob_exclusions=version >= (4, 0, 5),
    )


def _numbers(version: str) -> tuple[int, ...]:
    found = re.match(r"\d+(?:\.\d+)*", version)
    return tuple(int(part) for part in found[0].split(".")) if found else ()
