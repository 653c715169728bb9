"""procps `sysctl --system`: strictly file order, duplicates and all.

sysctl(8) and sysctl.conf(5); what differs by version is in `versions`.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable

import msgspec

from sysfleet.sysctl.boot import BootProblem, Step, Steps, failing, ignored, spelling, step_of
from sysfleet.sysctl.document import Assignment, Exclusion, Malformed, parse
from sysfleet.sysctl.key import Key, is_glob, key_path
from sysfleet.sysctl.sources import SourceFile
from sysfleet.sysctl.versions import Habits

_DASH_BLANK = re.compile(r"\s*-\s")
_DEPRECATED = ("base_reachable_time", "retrans_time")


def procps(files: Iterable[SourceFile], problems: list[BootProblem], habits: Habits) -> Steps:
    """The writes of `sysctl --system` with these habits."""
    steps: list[Step] = []
    explicit: set[Key] = set()
    spared: list[re.Pattern[str]] = []
    for file in files:
        for line in parse(file.content or b"", file.path).lines:
            why = _ignored(line, habits) if isinstance(line, Assignment | Exclusion | Malformed) else None
            if why is not None:
                problems.append(ignored(file.path, line, why))
            elif isinstance(line, Assignment):
                # It compares paths as text: other spellings of a key are written, but never found again.
                odd = _is_odd(line)
                if not odd:
                    explicit.add(line.pattern)
                step = step_of(line, file.path)
                steps.append(msgspec.structs.replace(step, over_explicit=True) if odd else step)
            elif isinstance(line, Exclusion) and not _is_odd(line):
                explicit.add(line.pattern)
                if habits.glob_exclusions and is_glob(line.pattern):
                    # Here a wildcard does cross the separators.
                    spared.append(re.compile(fnmatch.translate(key_path(line.pattern))))
    return Steps(tuple(steps), frozenset(explicit), (*problems, *failing(steps)), tuple(spared))


def _ignored(line: Assignment | Exclusion | Malformed, habits: Habits) -> str | None:
    if isinstance(line, Malformed):
        return line.why
    if _DASH_BLANK.match(line.text):
        return "procps takes the blank after the dash for the key"
    if spelling(line).endswith((".", "/")):
        return "procps takes the separator at the end for a folder"
    return None if habits.globs else _ignored_before_globs(line, habits)


def _ignored_before_globs(line: Assignment | Exclusion, habits: Habits) -> str | None:
    if isinstance(line, Exclusion):
        return "this version of procps knows no exclusions"
    if is_glob(line.pattern):
        return "this version of procps knows no globs"
    if line.ignore_failure and not habits.dash:
        return "this version of procps takes the dash for part of the key"
    if not line.value:
        return "this version of procps skips an empty value"
    if line.pattern.endswith(_DEPRECATED):
        return "this version of procps does not write a deprecated key"
    return None


def _is_odd(line: Assignment | Exclusion) -> bool:
    return spelling(line) not in (line.pattern, key_path(line.pattern))
