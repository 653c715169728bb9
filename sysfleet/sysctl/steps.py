"""From the files a loader reads to the settings it holds and the order in which it writes them.

One small model a program; refuses to know which keys exist on a host, so that hosts with equal files share
one result. kernel.md 5, 6.1 and 6.2.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache

import msgspec

from sysfleet.sysctl import effects
from sysfleet.sysctl.document import Assignment, Document, Exclusion, Line, Malformed, parse
from sysfleet.sysctl.key import Key, file_key, is_glob, key_path
from sysfleet.sysctl.knowledge import lookup
from sysfleet.sysctl.sources import Loader, SourceFile, load_order
from sysfleet.sysctl.value import half_applied, refused

_DASH_BLANK = re.compile(r"\s*-\s")


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
    """All writes in order, the keys that no glob touches, and what went wrong on the way."""

    steps: tuple[Step, ...] = ()
    explicit: frozenset[Key] = frozenset()
    problems: tuple[BootProblem, ...] = ()


@lru_cache(maxsize=512)
def steps_of(loader: Loader, files: tuple[SourceFile, ...]) -> Steps:
    """What the loader makes of these files; the same files are worked out once."""
    read = load_order(loader, files)
    problems = [BootProblem(file.path, 0, "", "the file could not be read") for file in read if file.content is None]
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
                if old is None or old.write.value != line.value:
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
            if not isinstance(line, Assignment | Exclusion):
                if isinstance(line, Malformed):
                    problems.append(_ignored(file.path, line, line.why))
                continue
            why = _not_for_procps(line)
            if why is not None:
                problems.append(_ignored(file.path, line, why))
                continue
            # It compares paths as text: other spellings of a key are written, but never found again.
            odd = _is_odd(line)
            if not odd:
                explicit.add(line.pattern)
            if isinstance(line, Assignment):
                step = _step(line, file.path)
                steps.append(msgspec.structs.replace(step, over_explicit=True) if odd else step)
    return Steps(tuple(steps), frozenset(explicit), (*problems, *_failing(steps)))


def _not_for_procps(line: Assignment | Exclusion) -> str | None:
    if _DASH_BLANK.match(line.text):
        return "procps takes the blank after the dash for the key"
    if _spelling(line).endswith((".", "/")):
        return "procps takes the separator at the end for a folder"
    return None


def _spelling(line: Assignment | Exclusion) -> str:
    return line.text.partition("=")[0].strip().removeprefix("-").strip()


def _is_odd(line: Assignment | Exclusion) -> bool:
    return _spelling(line) not in (line.pattern, key_path(line.pattern))


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
                steps.append(step)
                if step.fails:
                    problems.append(
                        BootProblem(file.path, line.line, line.text, "BusyBox stops at the refused value", True)
                    )
                    break
    return Steps(tuple(steps), frozenset(), tuple(problems))


def _openrc(files: Iterable[SourceFile], problems: list[BootProblem]) -> Steps:
    # A shell loop of `sysctl -w` on the first word of each line, after ` = ` became `=`.
    steps: list[Step] = []
    for file in files:
        for number, text in _shell_lines(_document(file)):
            word = re.split(r"[ \t]", text.strip(" \t"), maxsplit=1)[0]
            if not word or word.startswith("#"):
                continue
            line = _shell_assignment(number, word)
            if isinstance(line, Malformed):
                problems.append(_ignored(file.path, line, line.why))
            else:
                steps.append(_step(line, file.path))
    return Steps(tuple(steps), frozenset(), (*problems, *_failing(steps)))


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
    if _spelling(line).startswith("/") or _spelling(line).endswith((".", "/")):
        return "BusyBox takes no separator at the beginning or end"
    return None if line.value else "BusyBox skips an empty value"


def _step(line: Assignment, path: str) -> Step:
    pattern = line.pattern
    known = lookup(pattern)
    fails = refused(pattern, line.value) or (known is not None and known.read_only)
    write = BootSetting(pattern, line.value, path, line.line)
    left = BootSetting(pattern, effects.stored_text({}, pattern, line.value), path, line.line)
    glob = is_glob(pattern)
    part = half_applied(pattern, line.value) if fails and not glob else ""
    half = BootSetting(pattern, part, path, line.line) if part else None
    return Step(write, left, glob, fails, known is not None and effects.is_plain(pattern), half=half)


def _ignored(path: str, line: Line, why: str) -> BootProblem:
    return BootProblem(path, line.line, line.text, why)


def _failing(steps: Iterable[Step]) -> list[BootProblem]:
    why = "the kernel refuses the value"
    failing = [step.write for step in steps if step.fails]
    return [BootProblem(one.file, one.line, f"{one.key} = {one.value}", why) for one in failing]


_MODELS: dict[Loader, Callable[[list[SourceFile], list[BootProblem]], Steps]] = {
    Loader.SYSTEMD: _systemd,
    Loader.PROCPS: _procps,
    Loader.ALPINE: _alpine,
    Loader.OPENRC: _openrc,
    Loader.UNKNOWN: _nothing,
}
