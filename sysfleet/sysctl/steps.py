"""From the files a loader reads to the settings it holds and the order in which it writes them.

One small model a program; refuses to know which keys exist on a host, so that hosts with equal files share
one result. kernel.md 5, 6.1 and 6.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import msgspec

from sysfleet.sysctl.document import Assignment, Document, Exclusion, Line, Malformed, parse
from sysfleet.sysctl.key import Key, file_key, is_glob
from sysfleet.sysctl.knowledge import lookup
from sysfleet.sysctl.sources import Loader, SourceFile, load_order
from sysfleet.sysctl.value import refused

_DASH_BLANK = re.compile(r"\s*-\s")


class BootProblem(msgspec.Struct, frozen=True):
    """A line that the loader ignores, cannot write, or (`stops`) after which it leaves the file."""

    file: str
    line: int
    text: str
    why: str
    stops: bool = False


class Step(msgspec.Struct, frozen=True):
    """One write, or one glob's worth of writes, of the loader; `fails` if the kernel refuses the value."""

    pattern: Key
    value: str
    file: str
    line: int
    is_glob: bool
    fails: bool


class Steps(msgspec.Struct, frozen=True):
    """All writes in order, the keys that no glob touches, and what went wrong on the way."""

    steps: tuple[Step, ...] = ()
    explicit: frozenset[Key] = frozenset()
    problems: tuple[BootProblem, ...] = ()


@lru_cache(maxsize=512)
def steps_of(loader: Loader, files: tuple[SourceFile, ...]) -> Steps:
    """What the loader makes of these files; the same files are worked out once."""
    read = load_order(loader, files)
    problems = [
        BootProblem(file.path, 0, "", "the file could not be read") for file in read if file.content is None
    ]
    return _MODELS[loader]([file for file in read if file.content is not None], problems)


def _systemd(files: Iterable[SourceFile], problems: list[BootProblem]) -> Steps:
    # An insertion-ordered map: a repeated key keeps its place if the value is the same, else it moves back.
    held: dict[Key, Step | None] = {}
    for file in files:
        content = file.content or b""
        if b"\r" in content or b"\0" in content:
            content = re.sub(rb"\r(?!\n)|\0", b"\n", content)  # to systemd these end a line as well
        for line in parse(content, file.path).lines:
            if isinstance(line, Assignment):
                old = held.get(line.pattern)
                if old is None or old.value != line.value:
                    held.pop(line.pattern, None)
                    held[line.pattern] = _step(line, file.path)
            elif isinstance(line, Exclusion):
                if held.get(line.pattern, False) is not None:
                    held.pop(line.pattern, None)
                    held[line.pattern] = None
            elif isinstance(line, Malformed):
                problems.append(_ignored(file.path, line, line.why))
    steps = tuple([step for step in held.values() if step is not None])
    return Steps(steps, frozenset(held), (*problems, *_failing(steps)))


def _procps(files: Iterable[SourceFile], problems: list[BootProblem]) -> Steps:
    # Strictly file order, duplicates and all.
    steps: list[Step] = []
    explicit: set[Key] = set()
    for file in files:
        for line in _document(file).lines:
            if isinstance(line, Assignment | Exclusion) and _DASH_BLANK.match(line.text):
                problems.append(
                    _ignored(file.path, line, "procps takes the blank after the dash for the key")
                )
            elif isinstance(line, Assignment):
                steps.append(_step(line, file.path))
                explicit.add(line.pattern)
            elif isinstance(line, Exclusion):
                explicit.add(line.pattern)
            elif isinstance(line, Malformed):
                problems.append(_ignored(file.path, line, line.why))
    return Steps(tuple(steps), frozenset(explicit), (*problems, *_failing(steps)))


def _alpine(files: Iterable[SourceFile], problems: list[BootProblem]) -> Steps:
    # BusyBox `sysctl -p`, once a file: no globs, no dash, ends at the first refused value.
    steps: list[Step] = []
    for file in files:
        for line in _continued(file):
            why = _not_for_busybox(line)
            if why is not None:
                problems.append(_ignored(file.path, line, why))
            elif isinstance(line, Assignment):
                step = _step(line, file.path)
                if step.fails:
                    problems.append(
                        BootProblem(
                            file.path, line.line, line.text, "BusyBox stops at the refused value", True
                        )
                    )
                    break
                steps.append(step)
    return Steps(tuple(steps), frozenset(), tuple(problems))


def _openrc(files: Iterable[SourceFile], problems: list[BootProblem]) -> Steps:
    # A shell loop of `sysctl -w` on the first word of each line, after ` = ` became `=`.
    steps: list[Step] = []
    for file in files:
        document = _document(file)
        lines = document.lines if document.final_newline else document.lines[:-1]
        if lines != document.lines and document.lines:
            problems.append(
                _ignored(file.path, document.lines[-1], "the shell skips a last line without its end")
            )
        for line in lines:
            words = line.text.replace(" = ", "=", 1).strip(" \t").split(None, 1)
            word = words[0] if words else ""
            if not word or word.startswith("#"):
                continue
            name, equals, value = word.partition("=")
            if not equals or not value or name.startswith(("-", ";")) or is_glob(name):
                problems.append(_ignored(file.path, line, "the script makes no assignment of this line"))
                continue
            try:
                pattern = file_key(name)
            except ValueError as error:
                problems.append(_ignored(file.path, line, str(error)))
                continue
            steps.append(_step(Assignment(pattern, value, line.line, False, line.text), file.path))
    return Steps(tuple(steps), frozenset(), (*problems, *_failing(steps)))


def _nothing(_files: Iterable[SourceFile], problems: list[BootProblem]) -> Steps:
    return Steps(problems=tuple(problems))


def _document(file: SourceFile) -> Document:
    return parse(file.content or b"", file.path)


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


def _not_for_busybox(line: Assignment | Exclusion | Malformed) -> str | None:
    if isinstance(line, Malformed):
        return line.why
    if isinstance(line, Exclusion) or line.ignore_failure:
        return "BusyBox takes the dash for part of the key"
    if is_glob(line.pattern):
        return "BusyBox knows no globs"
    return None if line.value else "BusyBox skips an empty value"


def _step(line: Assignment, path: str) -> Step:
    known = lookup(line.pattern)
    fails = refused(line.pattern, line.value) or (known is not None and known.read_only)
    return Step(line.pattern, line.value, path, line.line, is_glob(line.pattern), fails)


def _ignored(path: str, line: Line, why: str) -> BootProblem:
    return BootProblem(path, line.line, line.text, why)


def _failing(steps: Iterable[Step]) -> list[BootProblem]:
    why = "the kernel refuses the value"
    return [
        BootProblem(step.file, step.line, f"{step.pattern} = {step.value}", why)
        for step in steps
        if step.fails
    ]


_MODELS: dict[Loader, Callable[[list[SourceFile], list[BootProblem]], Steps]] = {
    Loader.SYSTEMD: _systemd,
    Loader.PROCPS: _procps,
    Loader.ALPINE: _alpine,
    Loader.OPENRC: _openrc,
    Loader.UNKNOWN: _nothing,
}
