"""From YAML nodes to checked values: every problem is noted with its line, and reading goes on.

Scalars mean what YAML 1.2's core schema says (`yes` and `10:20` are texts), as in Nornir's own loader.
Refuses to know what an inventory is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable
from difflib import get_close_matches
from typing import Any

from sysfleet.errors import Problem
from sysfleet.policy.yaml_text import Mapping, Node, Scalar, Sequence

_NULL = re.compile(r"|~|null|Null|NULL")
_BOOL = re.compile(r"true|True|TRUE|false|False|FALSE")
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(
    r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?|[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)"
)
_LONGEST_NUMBER = 64
_NEAR = 0.5  # so that two letters the wrong way round are near, in names as short as `db`
Field = tuple[str, int, Node]
"""A key's text, its line, and its value."""


class Findings:
    """The problems of one file, in the order in which they are met."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, line: int | None, what: str, hint: str | None = None) -> None:
        """Note one problem."""
        self.problems.append(Problem(self.file, line, what, hint))


def meaning(scalar: Scalar) -> str:
    """What a scalar is by YAML's rules: `null`, `boolean`, `integer`, `float` or `text`."""
    text = scalar.text
    if not scalar.plain:
        return "text"
    for name, form in (("null", _NULL), ("boolean", _BOOL), ("integer", _INT), ("float", _FLOAT)):
        if form.fullmatch(text):
            return name
    return "text"


def is_null(node: Node) -> bool:
    """Whether nothing is said: an empty value, `~` or `null`."""
    return isinstance(node, Scalar) and node.plain and _NULL.fullmatch(node.text) is not None


def fields(node: Node, findings: Findings, what: str) -> list[Field]:
    """The keys of a mapping with lines and values, merges followed; duplicates and odd keys are noted.

    A node of another kind is noted and has no fields; one that says nothing has none.
    """
    if is_null(node):
        return []
    if not isinstance(node, Mapping):
        findings.add(node.line, f"{what} is {kind_of(node)}, not names with values", "write 'name: value'")
        return []
    found: dict[str, Field] = {}
    merged: list[Node] = []
    for key, value in node.pairs:
        if not isinstance(key, Scalar) or is_null(key):
            findings.add(key.line, f"{what} has a name that is {kind_of(key)}", "a name is a text")
        elif key.plain and key.text == "<<":
            merged += value.items if isinstance(value, Sequence) else [value]
        elif key.text in found:
            first = found[key.text][1]
            findings.add(key.line, f"{key.text!r} stands twice in {what}", f"it stands on line {first} already")
        else:
            found[key.text] = (key.text, key.line, value)
    for other in merged:
        for field in fields(other, findings, f"a merge in {what}"):
            found.setdefault(field[0], field)
    return list(found.values())


def kind_of(node: Node) -> str:
    """A node in words, for messages."""
    if isinstance(node, Sequence):
        return "a list"
    if isinstance(node, Mapping):
        return "a mapping"
    kind = meaning(node)
    return {"null": "empty", "text": f"the text {_short(node.text)}"}.get(kind, f"the {kind} {node.text}")


def known_fields(
    node: Node, findings: Findings, what: str, known: Collection[str], advice: Callable[[str], str | None]
) -> list[Field]:
    """The fields of a mapping that knows its names; others are noted, with what was probably meant."""
    good: list[Field] = []
    for name, line, value in fields(node, findings, what):
        if name in known:
            good.append((name, line, value))
        else:
            findings.add(line, f"{what} has no field {name!r}", advice(name) or nearest(name, known))
    return good


def nearest(name: str, known: Iterable[str]) -> str | None:
    """`did you mean …?`, or what there is, or None where there is nothing."""
    names = list(known)
    close = get_close_matches(name, names, n=1, cutoff=_NEAR)
    if close:
        return f"did you mean {close[0]}?"
    if not names:
        return None
    return f"there are {', '.join(names[:12])}{', …' if len(names) > 12 else ''}"


def text_of(node: Node, findings: Findings, what: str) -> str | None:
    """A scalar's text as written; None, and noted, where it is none, is empty or cannot be printed."""
    if not isinstance(node, Scalar) or is_null(node):
        findings.add(node.line, f"{what} is {kind_of(node)}, not a text")
        return None
    text = node.text.strip()
    if not text or not text.isprintable():
        why = "holds a line break or a control character" if text else "is empty"
        findings.add(node.line, f"{what} {why}", "write a text of one line")
        return None
    return text


def texts_of(node: Node, findings: Findings, what: str) -> list[tuple[str, int]]:
    """A list of texts with their lines; what is none is noted, and so is what stands twice."""
    if is_null(node):
        return []
    if not isinstance(node, Sequence):
        hint = f"write [{node.text}]" if isinstance(node, Scalar) else "write [one, two]"
        findings.add(node.line, f"{what} is {kind_of(node)}, not a list", hint)
        return []
    good: dict[str, int] = {}
    for item in node.items:
        text = text_of(item, findings, f"an entry of {what}")
        if text is not None and text in good:
            findings.add(item.line, f"{text} stands twice in {what}", "leave one out")
        elif text is not None:
            good[text] = item.line
    return list(good.items())


def plain(node: Node, findings: Findings, what: str) -> Any:
    """The node as plain data: texts, numbers, booleans, None, lists and dictionaries with texts as keys."""
    if isinstance(node, Scalar):
        return _value(node)
    if isinstance(node, Sequence):
        return [plain(item, findings, what) for item in node.items]
    return {name: plain(value, findings, name) for name, _, value in fields(node, findings, what)}


def _value(scalar: Scalar) -> Any:
    kind, text = meaning(scalar), scalar.text
    if kind == "null":
        return None
    if kind == "boolean":
        return text[0] in "tT"
    if len(text) > _LONGEST_NUMBER or kind == "text":
        return text
    if kind == "integer":
        return int(text, 0) if text[:2] in ("0o", "0x") else int(text)
    return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))


def _short(text: str) -> str:
    return repr(text if len(text) <= 40 else text[:39] + "…")
