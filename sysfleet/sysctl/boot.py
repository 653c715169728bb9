"""The records of a boot: settings with their lines, lines that fail, and the writes that a loader makes of files.

Refuses to know any loader; each model in `models` makes these in its own way.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

import msgspec

from sysfleet.sysctl import effects
from sysfleet.sysctl.document import Assignment, Exclusion, Line
from sysfleet.sysctl.key import Key, is_glob
from sysfleet.sysctl.knowledge import lookup
from sysfleet.sysctl.value import half_applied, refused


class BootProblem(msgspec.Struct, frozen=True):
    """A line that the loader ignores, cannot write, or (`stops`) after which it leaves the file."""

    file: str
    line: int
    text: str
    why: str
    stops: bool = False


class BootSetting(msgspec.Struct, frozen=True, gc=False):
    """One value and the line (file, number) it comes from."""

    key: Key
    value: str
    file: str
    line: int


class Step(msgspec.Struct, frozen=True):
    """One write, or one glob's worth of writes.

    `fails` if the kernel refuses the value; `over_explicit` if the glob does not spare keys that have lines
    of their own; `plain` if the write moves nothing else and replaces the whole value, which is then `left`;
    `half` is what a refused write stores nevertheless.
    """

    write: BootSetting
    left: BootSetting
    is_glob: bool
    fails: bool
    plain: bool
    over_explicit: bool = False
    half: BootSetting | None = None


class Steps(msgspec.Struct, frozen=True):
    """All writes in order, the keys that no glob touches, and what went wrong on the way.

    `spared` are expressions over paths that globs leave alone as well. `otherwise` is what the program may do
    just as well, where its version does not tell which.
    """

    steps: tuple[Step, ...] = ()
    explicit: frozenset[Key] = frozenset()
    problems: tuple[BootProblem, ...] = ()
    spared: tuple[re.Pattern[str], ...] = ()
    otherwise: Steps | None = None


@lru_cache(maxsize=1 << 15)
def step_of(line: Assignment, path: str) -> Step:
    """The write that an assignment asks for, whether or not its key exists."""
    pattern = line.pattern
    known = lookup(pattern)
    fails = refused(pattern, line.value) or (known is not None and known.read_only)
    write = BootSetting(pattern, line.value, path, line.line)
    left = BootSetting(pattern, effects.stored_text({}, pattern, line.value), path, line.line)
    glob = is_glob(pattern)
    part = half_applied(pattern, line.value) if fails and not glob else ""
    half = BootSetting(pattern, part, path, line.line) if part else None
    return Step(write, left, glob, fails, known is not None and effects.is_plain(pattern), half=half)


def spelling(line: Assignment | Exclusion) -> str:
    """The key as the file has it, without dash and blanks."""
    return line.text.partition("=")[0].strip().removeprefix("-").strip()


def ignored(path: str, line: Line, why: str) -> BootProblem:
    """The problem of a line that the loader does not follow."""
    return BootProblem(path, line.line, line.text, why)


def failing(steps: Iterable[Step]) -> list[BootProblem]:
    """The problems of the writes that the kernel refuses."""
    why = "the kernel refuses the value"
    refusals = [step.write for step in steps if step.fails]
    return [BootProblem(one.file, one.line, f"{one.key} = {one.value}", why) for one in refusals]
