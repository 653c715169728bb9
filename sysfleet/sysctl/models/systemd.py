"""systemd-sysctl: all files are read first, into a map that holds each key once; then it writes.

sysctl.d(5); what differs by version is in `versions`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

import msgspec

from sysfleet.sysctl.boot import BootProblem, Step, Steps, failing, ignored, step_of
from sysfleet.sysctl.document import Assignment, Exclusion, Line, Malformed, parse
from sysfleet.sysctl.key import Key, is_glob
from sysfleet.sysctl.sources import SourceFile
from sysfleet.sysctl.versions import Habits


def systemd(files: Iterable[SourceFile], problems: list[BootProblem], habits: Habits) -> Steps:
    """The writes of systemd-sysctl with these habits."""
    read = [(file.path, line) for file in files for line in _lines(file)]
    held = _held(read, problems, habits)
    if not habits.keeps_order:
        turned = msgspec.structs.replace(held, steps=held.steps[::-1])
        return msgspec.structs.replace(held, otherwise=turned)
    if not habits.dash and any(isinstance(line, Assignment) and line.ignore_failure for _, line in read):
        # Upstream takes the dash for part of the key; some distributions brought it to older versions.
        return msgspec.structs.replace(held, otherwise=_held(read, [], msgspec.structs.replace(habits, dash=True)))
    return held


def _lines(file: SourceFile) -> Iterable[Line]:
    content = file.content or b""
    if b"\r" in content or b"\0" in content:
        content = re.sub(rb"\r(?!\n)|\0", b"\n", content)  # to systemd these end a line as well
    return parse(content, file.path).lines


def _held(read: Iterable[tuple[str, Line]], problems: list[BootProblem], habits: Habits) -> Steps:
    # An insertion-ordered map: a repeated key keeps its place if the value is the same, else it moves back.
    held: dict[Key, Step | None] = {}
    for path, line in read:
        why = _ignored(line, habits)
        if why is not None:
            problems.append(ignored(path, line, why))
        elif isinstance(line, Assignment):
            old = held.get(line.pattern)
            if old is None or old.write.value != line.value:
                held.pop(line.pattern, None)
                held[line.pattern] = step_of(line, path)
        elif isinstance(line, Exclusion) and held.get(line.pattern, False) is not None:
            held.pop(line.pattern, None)
            held[line.pattern] = None
    steps = tuple([step for step in held.values() if step is not None])
    return Steps(steps, frozenset(held), (*problems, *failing(steps)))


def _ignored(line: Line, habits: Habits) -> str | None:
    if isinstance(line, Malformed):
        return line.why
    if isinstance(line, Exclusion) and not habits.globs:
        return "this version of systemd knows no exclusions"
    if isinstance(line, Assignment):
        if line.ignore_failure and not habits.dash:
            return "this version of systemd takes the dash for part of the key"
        if is_glob(line.pattern) and not habits.globs:
            return "this version of systemd knows no globs"
    return None
