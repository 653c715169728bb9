"""BusyBox as init scripts call it: Alpine's, `sysctl -p` once a file, and OpenRC's, `sysctl -w` on each line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

import msgspec

from sysfleet.sysctl.boot import BootProblem, Step, Steps, failing, ignored, spelling, step_of
from sysfleet.sysctl.document import Assignment, Document, Exclusion, Malformed, parse
from sysfleet.sysctl.key import file_key, is_glob
from sysfleet.sysctl.sources import SourceFile
from sysfleet.sysctl.versions import Habits


def alpine(files: Iterable[SourceFile], problems: list[BootProblem], _habits: Habits) -> Steps:
    """The writes of BusyBox `sysctl -p`, once a file: no globs, no dash, ends at the first refused value."""
    steps: list[Step] = []
    for file in files:
        for line in _continued(file):
            why = _ignored(line)
            if why is not None:
                problems.append(ignored(file.path, line, why))
            elif isinstance(line, Assignment):
                step = step_of(line, file.path)
                steps.append(step)
                if step.fails:
                    why = "BusyBox stops at the refused value"
                    problems.append(BootProblem(file.path, line.line, line.text, why, stops=True))
                    break
    return Steps(tuple(steps), frozenset(), tuple(problems))


def openrc(files: Iterable[SourceFile], problems: list[BootProblem], _habits: Habits) -> Steps:
    """The writes of a shell loop of `sysctl -w` on the first word of each line, after ` = ` became `=`."""
    steps: list[Step] = []
    for file in files:
        for number, text in _shell_lines(parse(file.content or b"", file.path)):
            word = re.split(r"[ \t]", text.strip(" \t"), maxsplit=1)[0]
            if not word or word.startswith("#"):
                continue
            line = _shell_assignment(number, word)
            if isinstance(line, Malformed):
                problems.append(ignored(file.path, line, line.why))
            else:
                steps.append(step_of(line, file.path))
    return Steps(tuple(steps), frozenset(), (*problems, *failing(steps)))


def _shell_lines(document: Document) -> Iterator[tuple[int, str]]:
    """The lines as `read` gives them: joined at a backslash, unescaped, an unfinished last line lost."""
    first, text = 0, ""
    lines = document.lines if document.final_newline else document.lines[:-1]
    for line in lines:
        part = line.text.replace(" = ", "=", 1)
        first = first or line.line
        if (len(part) - len(part.rstrip("\\"))) % 2:
            text += part[:-1]
            continue
        yield first, re.sub(r"\\(.)", r"\1", text + part)
        first, text = 0, ""


def _shell_assignment(number: int, word: str) -> Assignment | Malformed:
    name, equals, value = word.partition("=")
    if not equals or not value or name.startswith(("-", ";", "/")) or name.endswith((".", "/")) or is_glob(name):
        return Malformed(number, word, "the script makes no assignment of this line")
    try:
        return Assignment(file_key(name), value, number, False, word)
    except ValueError as error:
        return Malformed(number, word, str(error))


def _continued(file: SourceFile) -> Iterator[Assignment | Exclusion | Malformed]:
    """The lines as BusyBox joins them: a backslash at the end takes the next line in."""
    content = file.content or b""
    starts = [1]
    for number, text in enumerate(content.split(b"\n"), 1):
        if not text.endswith(b"\\"):
            starts.append(number + 1)
    for line in parse(content.replace(b"\\\n", b""), file.path).lines:
        if isinstance(line, Assignment | Exclusion | Malformed):
            yield msgspec.structs.replace(line, line=starts[line.line - 1])


def _ignored(line: Assignment | Exclusion | Malformed) -> str | None:
    if isinstance(line, Malformed):
        return line.why
    if isinstance(line, Exclusion) or line.ignore_failure:
        return "BusyBox takes the dash for part of the key"
    if is_glob(line.pattern):
        return "BusyBox knows no globs"
    if spelling(line).startswith("/") or spelling(line).endswith((".", "/")):
        return "BusyBox takes no separator at the beginning or end"
    return None if line.value else "BusyBox skips an empty value"
