"""An ssh_config, read once a run: which options apply to a name, each with its file and line (ssh_config(5)).

Knows blocks, patterns and includes; refuses to know what an option means.
"""

from __future__ import annotations

import glob
import os.path
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, TypeAlias

from sysfleet.errors import Problem, UsageError

_DEPTH = 16
# Their value is the rest of the line, as it stands.
_WHOLE = frozenset({"proxycommand", "localcommand", "remotecommand", "knownhostscommand"})
_KEYWORD = re.compile(r"\s*([A-Za-z0-9]+)(?:\s*=\s*|\s+|$)(.*)", re.DOTALL)
_CRITERIA = frozenset({"host", "originalhost", "user", "localuser"})
_NOT_HERE = frozenset({"exec", "canonical", "final", "tagged", "localnetwork", "version", "sessiontype", "command"})


@dataclass(frozen=True, slots=True)
class Option:
    """One line: an option in lower case, its values, and where it stands."""

    name: str
    values: tuple[str, ...]
    file: str
    line: int

    @property
    def value(self) -> str:
        """The first value."""
        return self.values[0] if self.values else ""

    def problem(self, what: str, hint: str | None = None) -> Problem:
        """A problem with this line."""
        return Problem(self.file, self.line, what, hint)


class _Patterns:
    """Names with `*` and `?`, of which a negated one that matches settles it."""

    def __init__(self, words: Iterable[str], *, lower: bool) -> None:
        words = [word.lower() if lower else word for word in words]
        self._lower = lower
        self._yes = _any_of(word for word in words if not word.startswith("!"))
        no = [word[1:] for word in words if word.startswith("!")]
        self._no = _any_of(no) if no else None

    def match(self, name: str) -> bool:
        name = name.lower() if self._lower else name
        if self._no is not None and self._no.fullmatch(name):
            return False
        return self._yes.fullmatch(name) is not None


def _any_of(words: Iterable[str]) -> re.Pattern[str]:
    special = {"*": ".*", "?": "."}
    parts = ("".join(special.get(char) or re.escape(char) for char in re.sub(r"\*+", "*", word)) for word in words)
    return re.compile("|".join(parts) or "(?!)", re.DOTALL)


_Subject: TypeAlias = Literal["all", "host", "originalhost", "user", "localuser", "unknown"]


@dataclass(frozen=True, slots=True)
class _Criterion:
    subject: _Subject
    negated: bool = False
    patterns: _Patterns | None = None
    name: str = ""


@dataclass(frozen=True, slots=True)
class _Condition:
    """A `Host` or `Match` line."""

    criteria: tuple[_Criterion, ...]
    option: Option


@dataclass(slots=True)
class _Block:
    conditions: tuple[_Condition, ...]  # more than one: an Include stands in another block
    options: list[Option] = field(default_factory=list)


@dataclass(slots=True)
class Applied:
    """The options that apply to one name: the first of each, all of those that add up, and what is wrong."""

    first: dict[str, Option] = field(default_factory=dict)
    several: dict[str, list[Option]] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


_ADD_UP = frozenset({"identityfile", "certificatefile"})
# Of these two, whichever stands first settles both; but no jump leaves room for a command.
_RIVALS = {"proxyjump": "proxycommand", "proxycommand": "proxyjump"}
# As ssh, which ends over a second value of these.
_SINGLE = frozenset(
    {"certificatefile", "connecttimeout", "hostkeyalias", "hostname", "identitiesonly", "identityagent"}
    | {"identityfile", "port", "user"}
)


class SshConfig:
    """The blocks of a file and of what it includes, in order."""

    def __init__(self) -> None:
        self._blocks: list[_Block] = []

    @classmethod
    def load(cls, path: Path, *, home: Path, check_owner: int | None = None) -> SshConfig:
        """Read a file; UsageError with every line that makes no sense.

        With `check_owner`, the file and what it includes must be that user's (or root's) and writable by nobody else.
        """
        reader = _Reader(home, check_owner)
        reader.read(path, (), ())
        if reader.problems:
            raise UsageError(f"cannot follow {path}", problems=reader.problems, hint='[ssh] config = "none" reads none')
        config = cls()
        config._blocks = [block for block in reader.blocks if block.options]
        return config

    def applied(self, name: str, *, user: str | None, local_user: str, default_user: str | None = None) -> Applied:
        """What applies to a name as somebody would type it after `ssh`, with the user that is asked for.

        Where nobody asks for one and the config names none, it is `default_user`, else `local_user`.
        """
        users = _Users(user, default_user or local_user, local_user)
        found = Applied()
        held: dict[int, bool] = {}
        for block in self._blocks:
            for condition in block.conditions:
                known = held.get(id(condition))
                if known is None:
                    known = held[id(condition)] = _holds(condition, name, users, found)
                if not known:
                    break
            else:
                _take(found, block.options)
        return found


@dataclass(frozen=True, slots=True)
class _Users:
    asked: str | None
    usual: str
    local: str


def _holds(condition: _Condition, name: str, users: _Users, found: Applied) -> bool:
    for criterion in condition.criteria:
        if criterion.subject == "unknown":
            what = f"Match {criterion.name} cannot be followed here"
            found.problems.append(condition.option.problem(what))
            return False
        if criterion.patterns is not None:
            subject = _subject(criterion.subject, name, users, found)
            if criterion.patterns.match(subject) == criterion.negated:
                return False
        elif criterion.negated:
            return False
    return True


def _subject(subject: _Subject, name: str, users: _Users, found: Applied) -> str:
    if subject == "host":
        host = found.first.get("hostname")
        return host.value.replace("%h", name).replace("%%", "%") if host is not None else name
    if subject == "user":
        said = found.first.get("user")
        return users.asked or (said.value if said is not None else users.usual)
    return users.local if subject == "localuser" else name


def _take(found: Applied, options: Iterable[Option]) -> None:
    for option in options:
        if option.name in _ADD_UP:
            found.several.setdefault(option.name, []).append(option)
            continue
        rival = found.first.get(_RIVALS.get(option.name, ""))
        if rival is None or (rival.name == "proxyjump" and rival.value.lower() == "none"):
            found.first.setdefault(option.name, option)


class _Reader:
    def __init__(self, home: Path, check_owner: int | None) -> None:
        self._home = home
        self._owner = check_owner
        self.blocks: list[_Block] = []
        self.problems: list[Problem] = []

    def read(self, path: Path, outer: tuple[_Condition, ...], stack: tuple[Path, ...]) -> None:
        try:
            with path.open("rb") as file:
                about = path.stat()
                text = file.read().decode("utf-8")
        except (OSError, UnicodeDecodeError) as error:
            self.problems.append(Problem(str(path), None, f"cannot be read: {getattr(error, 'strerror', error)}"))
            return
        if self._owner is not None and (about.st_uid not in {0, self._owner} or about.st_mode & 0o022):
            self.problems.append(
                Problem(str(path), None, "belongs to somebody else, or others may write it", "as ssh: chmod 600, chown")
            )
            return
        if stat.S_ISREG(about.st_mode) or text:
            self._lines(path, text, outer, (*stack, path))

    def _lines(self, path: Path, text: str, outer: tuple[_Condition, ...], stack: tuple[Path, ...]) -> None:
        block = self._begin(outer)
        for number, line in enumerate(text.splitlines(), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            try:
                option = _option(line, str(path), number)
                if option.name in {"host", "match"}:
                    block = self._begin((*outer, _condition(option)))
                elif option.name == "include":
                    self._include(option, block.conditions, stack)
                    block = self._begin(block.conditions)
                else:
                    block.options.append(option)
            except ValueError as error:
                self.problems.append(Problem(str(path), number, str(error)))

    def _begin(self, conditions: tuple[_Condition, ...]) -> _Block:
        self.blocks.append(_Block(conditions))
        return self.blocks[-1]

    def _include(self, option: Option, conditions: tuple[_Condition, ...], stack: tuple[Path, ...]) -> None:
        if not option.values:
            raise ValueError("Include names no file")
        for pattern in option.values:
            for path in self._included(pattern):
                if path in stack or len(stack) > _DEPTH:
                    raise ValueError(f"Include of {path}: too deep, or in a circle")
                self.read(path, conditions, stack)

    def _included(self, pattern: str) -> Iterator[Path]:
        if pattern.startswith("~/"):
            pattern = f"{self._home}/{pattern[2:]}"
        elif pattern.startswith("~"):
            pattern = os.path.expanduser(pattern)  # noqa: PTH111 - a pattern is no path, and nobody's home no error
        if not pattern.startswith("/"):
            pattern = f"{self._home}/.ssh/{pattern}"
        for found in sorted(glob.glob(pattern)):  # noqa: PTH207 - Path.glob takes no absolute pattern
            if Path(found).is_file():
                yield Path(found)


def _option(line: str, file: str, number: int) -> Option:
    parts = _KEYWORD.fullmatch(line.rstrip())
    if parts is None:
        raise ValueError("this is no option and value")
    name = parts[1].lower()
    if name in _WHOLE:
        return Option(name, (parts[2],) if parts[2] else (), file, number)
    values = tuple(_words(parts[2]))
    if len(values) > 1 and name in _SINGLE:
        raise ValueError(f"{parts[1]} takes one value: {' '.join(values)}")
    return Option(name, values, file, number)


_WORD = re.compile(
    r"""\s*(?:(?P<end>\#.*)|(?P<word>(?:"(?:\\["'\\]|[^"])*"|'(?:\\["'\\]|[^'])*'|\\["'\\ ]|[^\s"'])+))""", re.DOTALL
)
_PIECE = re.compile(r"""("(?:\\["'\\]|[^"])*"|'(?:\\["'\\]|[^'])*')|\\(["'\\ ])""", re.DOTALL)


def _words(text: str) -> Iterator[str]:
    at = 0
    while text[at:].strip():
        found = _WORD.match(text, at)
        if found is None:
            raise ValueError("a quote has no end")
        if found["end"] is not None:
            return
        yield _PIECE.sub(lambda piece: _bare(piece[1]) if piece[1] else piece[2], found["word"])
        at = found.end()


def _bare(quoted: str) -> str:
    return re.sub(r"""\\(["'\\])""", r"\1", quoted[1:-1])


def _condition(option: Option) -> _Condition:
    if not option.values:
        raise ValueError(f"{option.name.capitalize()} names nothing")
    if option.name == "host":
        return _Condition((_Criterion("originalhost", patterns=_Patterns(option.values, lower=False)),), option)
    return _Condition(tuple(_criteria(option.values)), option)


def _criteria(values: tuple[str, ...]) -> Iterator[_Criterion]:
    words = iter([part for word in values for part in _split(word)])
    for word in words:
        name, negated = word.lower().removeprefix("!"), word.startswith("!")
        if name == "all":
            if next(words, None) is not None:
                raise ValueError("Match all stands alone")
            yield _Criterion("all", negated)
        elif name in _NOT_HERE:
            yield _Criterion("unknown", negated, name=name)
            return  # nothing after it is looked at
        elif name in _CRITERIA:
            patterns = next(words, None)
            if patterns is None:
                raise ValueError(f"Match {name} names nothing")
            subject: _Subject = name  # type: ignore[assignment]
            yield _Criterion(subject, negated, _Patterns(patterns.split(","), lower=name in {"host", "originalhost"}))
        else:
            raise ValueError(f"Match {name} is unknown")


def _split(word: str) -> tuple[str, ...]:
    name, equals, rest = word.partition("=")
    return (name, rest) if equals and name.lower().removeprefix("!") in _CRITERIA | _NOT_HERE else (word,)
