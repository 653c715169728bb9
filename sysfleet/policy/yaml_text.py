"""YAML as nodes that know their lines, and nothing re-read: a scalar is the text as written.

Follows PyYAML's event stream (libyaml where it is built in) without its composer: that one recurses in C, and
a deeply nested text would end the process. Refuses to know what an inventory is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import yaml
from yaml import events

from sysfleet.errors import Problem

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_DEPTH = 64
_COPIES = 500_000
"""How many nodes aliases may stand for in one text; a few lines of them can mean billions."""
_STR = "tag:yaml.org,2002:str"


@dataclass(slots=True, eq=False)
class Scalar:
    """One text; `plain` where it stood without quotes, so that it may mean something else than text."""

    text: str
    line: int
    plain: bool


@dataclass(slots=True, eq=False)
class Sequence:
    """A list, and the line it begins on."""

    items: list[Node]
    line: int


@dataclass(slots=True, eq=False)
class Mapping:
    """Keys with their values in the order of the text, duplicates and merges (`<<`) still in it."""

    pairs: list[tuple[Node, Node]]
    line: int


Node: TypeAlias = Scalar | Sequence | Mapping


class YamlProblem(Exception):
    """The text is not YAML, or not YAML that is taken here."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem


def compose(text: str, file: str) -> Node | None:
    """The root of the text's one document, None where it is empty; YamlProblem with its line."""
    try:
        loader = _LOADER(text)
        try:
            return _Composer(file).run(loader)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        raise YamlProblem(_syntax_problem(error, text, file)) from None
    except yaml.reader.ReaderError as error:
        code = _code_of(error.character)
        # The position is in bytes with libyaml and in characters without.
        line = text.count("\n", 0, max(text.find(chr(code)), 0)) + 1
        what = f"holds a control character (U+{code:04X})"
        raise YamlProblem(Problem(file, line, what, "remove it")) from None
    except UnicodeEncodeError as error:
        line = text.count("\n", 0, error.start) + 1
        raise YamlProblem(Problem(file, line, "is not UTF-8", "save the file as UTF-8")) from None


class _Composer:
    """Builds nodes from events with a stack of its own, bounded in depth and in what aliases stand for."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.root: Node | None = None
        self.open: list[tuple[list[Node], str | None, int, int]] = []
        self.current: list[Node] = []
        self.anchors: dict[str, tuple[Node, int]] = {}
        self.nodes = 0
        self.copied = 0

    def run(self, loader: Any) -> Node | None:
        next_event = loader.get_event
        top = self.current
        documents = 0
        while True:
            event = next_event()
            kind = type(event)
            if kind is events.ScalarEvent:
                self.add(self.scalar(event), event.anchor)
            elif kind is events.MappingStartEvent or kind is events.SequenceStartEvent:
                self.begin(event)
            elif kind is events.MappingEndEvent:
                self.end_mapping()
            elif kind is events.SequenceEndEvent:
                self.end_sequence()
            elif kind is events.AliasEvent:
                self.alias(event)
            elif kind is events.DocumentStartEvent:
                documents += 1
                if documents > 1:
                    raise self.problem(event, "a second document begins", "one file is one document")
            elif kind is events.StreamEndEvent:
                return top[0] if top else None

    def scalar(self, event: Any) -> Scalar:
        line = event.start_mark.line + 1
        if event.tag is None or event.tag == "!":
            return Scalar(event.value, line, event.implicit[0])
        if event.tag == _STR:
            return Scalar(event.value, line, plain=False)
        raise self.tagged(event)

    def tagged(self, event: Any) -> YamlProblem:
        return self.problem(event, f"the tag {event.tag} is not taken here", "leave it out")

    def problem(self, event: Any, what: str, hint: str | None = None) -> YamlProblem:
        return YamlProblem(Problem(self.file, event.start_mark.line + 1, what, hint))

    def begin(self, event: Any) -> None:
        if event.tag is not None and not event.implicit:
            raise self.tagged(event)
        if len(self.open) >= _DEPTH:
            raise self.problem(event, f"is nested deeper than {_DEPTH} levels")
        self.open.append((self.current, event.anchor, event.start_mark.line + 1, self.nodes + self.copied))
        self.current = []

    def end_sequence(self) -> None:
        outer, anchor, line, size = self.open.pop()
        node = Sequence(self.current, line)
        self.current = outer
        self.add(node, anchor, size)

    def end_mapping(self) -> None:
        outer, anchor, line, size = self.open.pop()
        flat = self.current
        node = Mapping(list(zip(flat[::2], flat[1::2], strict=True)), line)
        self.current = outer
        self.add(node, anchor, size)

    def add(self, node: Node, anchor: str | None, size_before: int | None = None) -> None:
        self.nodes += 1
        self.current.append(node)
        if anchor is not None:
            size = 1 if size_before is None else self.nodes + self.copied - size_before
            self.anchors[anchor] = (node, size)

    def alias(self, event: Any) -> None:
        # An anchor is known when its node is complete: a node inside itself is refused here.
        found = self.anchors.get(event.anchor)
        if found is None:
            raise self.problem(event, f"the alias *{event.anchor} has no anchor before it")
        node, size = found
        self.copied += size
        if self.copied > _COPIES:
            raise self.problem(event, f"aliases stand for more than {_COPIES} values", "write fewer of them")
        self.current.append(node)


def _code_of(character: Any) -> int:
    return character if isinstance(character, int) else ord(character[:1])


def _syntax_problem(error: yaml.MarkedYAMLError, text: str, file: str) -> Problem:
    lines = text.splitlines() or [""]
    mark = error.problem_mark or error.context_mark
    # libyaml puts an unexpected end on the line after the last.
    number = min(mark.line + 1, len(lines)) if mark is not None else 1
    what = " ".join(part for part in (error.context, error.problem) if part)
    return Problem(file, number, f"is not YAML: {what}", _syntax_hint(what, lines, number))


def _syntax_hint(what: str, lines: list[str], number: int) -> str | None:
    line = lines[number - 1]
    if "\t" in line[: len(line) - len(line.lstrip())]:
        return "indent with spaces, not with tabs"
    return next((hint for mark, hint in _HINTS.items() if mark in what), None)


_HINTS = {
    "mapping values are not allowed": "a text with ': ' inside needs quotes; else look at the indentation",
    "expected ':'": "a colon and a space are missing, or the indentation is off",
    "quoted scalar": "a quote is not closed",
    "flow": "a bracket or a brace is not closed",
    "block": "look at the indentation",
}
