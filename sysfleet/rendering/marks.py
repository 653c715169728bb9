"""Invisible marks that travel through loops, includes and macros: an output line knows its template line.

Knows Jinja2's syntax tree; refuses to know what the lines mean.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from jinja2 import nodes
from jinja2.visitor import NodeTransformer

_MARK = re.compile("\x01([0-9]+):([0-9]+)\x02")
_TOKEN = re.compile("\x03([0-9]+)\x03")


@dataclass(frozen=True, slots=True)
class Place:
    """A template line; `owner` is the template whose own text it is part of, where `template` is included."""

    template: int
    line: int
    owner: int


@dataclass(frozen=True, slots=True)
class OutputLine:
    """One line without its marks, and the `setting()` calls on it, each with its own place."""

    text: str
    place: Place
    tokens: tuple[tuple[int, Place], ...]


def token(number: int) -> str:
    """What `setting()` leaves in the output."""
    return f"\x03{number}\x03"


def without_marks(text: str) -> str:
    """The text as the template's author sees it."""
    return _MARK.sub("", text)


def mark(tree: nodes.Template, template: int) -> None:
    """Put marks into the tree of a template, and a step of the loop counter into each loop and macro."""
    set_aside = {each.target.name for each in tree.find_all(nodes.AssignBlock) if isinstance(each.target, nodes.Name)}
    _Marker(template, set_aside).visit(tree)
    loops: list[nodes.For | nodes.Macro] = [*tree.find_all(nodes.For), *tree.find_all(nodes.Macro)]
    for loop in loops:
        loop.body.insert(0, _step(loop.lineno))


def read(output: str, start: int, own: Sequence[bool]) -> Iterator[OutputLine]:
    """The lines of an output; `start` is the template it came from, `own` says which ones own their text.

    What looks like a mark and names no template stays in the text, where it is a control character.
    """
    place = Place(start, 1, start)
    for raw in output.split("\n"):
        first: Place | None = None
        tokens: list[tuple[int, Place]] = []
        pieces = _MARK.split(raw)
        for at in range(0, len(pieces), 3):
            if at:
                template, line = int(pieces[at - 2]), int(pieces[at - 1])
                if template < len(own):
                    place = Place(template, line, template if own[template] else place.owner)
                else:
                    pieces[at] = f"\x01{pieces[at]}"
            if first is None and pieces[at].strip():
                first = place
            tokens += [(int(number), place) for number in _TOKEN.findall(pieces[at])]
        yield OutputLine("".join(pieces[::3]), first or place, tuple(tokens))


def only_tokens(text: str) -> bool:
    """Whether a line holds nothing but `setting()` calls."""
    return not _TOKEN.sub("", text).strip()


class _Marker(NodeTransformer):
    def __init__(self, template: int, set_aside: set[str]) -> None:
        self._template = template
        self._set_aside = set_aside

    def _mark(self, line: int) -> nodes.TemplateData:
        return nodes.TemplateData(f"\x01{self._template}:{line}\x02", lineno=line)

    def visit_Output(self, node: nodes.Output) -> nodes.Output:  # noqa: N802
        marked: list[nodes.Expr] = []
        for child in node.nodes:
            marked.append(self._mark(child.lineno))
            marked.append(self._marked(child) if isinstance(child, nodes.TemplateData) else self._one_line(child))
        node.nodes = marked
        return node

    def _marked(self, data: nodes.TemplateData) -> nodes.TemplateData:
        first, *others = data.data.split("\n")
        lines = [
            f"\n\x01{self._template}:{line}\x02{text}" if text else "\n"
            for line, text in enumerate(others, data.lineno + 1)
        ]
        return nodes.TemplateData("".join([first, *lines]), lineno=data.lineno)

    def _one_line(self, value: nodes.Expr) -> nodes.Expr:
        """Have the environment look at a value; lines come from text that was set aside, and from macros."""
        of_lines = isinstance(value, nodes.Name) and value.name in self._set_aside
        if of_lines or isinstance(value, nodes.Call) or value.find(nodes.Call) is not None:
            return value
        return nodes.Call(nodes.EnvironmentAttribute("one_line"), [value], [], None, None, lineno=value.lineno)

    def visit_Include(self, node: nodes.Include) -> list[nodes.Node]:  # noqa: N802
        return [nodes.Output([self._mark(node.lineno)], lineno=node.lineno), node]

    def visit_Macro(self, node: nodes.Macro | nodes.CallBlock) -> nodes.Node:  # noqa: N802
        # A macro that gives a value must give it as it stands: its caller may compute with it.
        return self.generic_visit(node) if _gives_settings(node) else node

    visit_CallBlock = visit_Macro  # noqa: N815

    def visit_AssignBlock(self, node: nodes.AssignBlock) -> nodes.AssignBlock:  # noqa: N802
        return node

    def visit_FilterBlock(self, node: nodes.FilterBlock) -> list[nodes.Node]:  # noqa: N802
        return [nodes.Output([self._mark(node.lineno)], lineno=node.lineno), node]


def _gives_settings(node: nodes.Node) -> bool:
    called = [call.node for call in node.find_all(nodes.Call)]
    if any(isinstance(each, nodes.Name) and each.name == "setting" for each in called):
        return True
    data = [each.data for each in node.find_all(nodes.TemplateData)]
    return any("=" in text for text in data) and any("\n" in text for text in data)


def _step(line: int) -> nodes.ExprStmt:
    called = nodes.Call(nodes.EnvironmentAttribute("step"), [], [], None, None, lineno=line)
    return nodes.ExprStmt(called, lineno=line)
