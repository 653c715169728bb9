"""What a template will ask for, found in its syntax tree without evaluating it.

Knows Jinja2's nodes; refuses to know hosts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from jinja2 import nodes

from sysfleet.sysctl.key import Key, parse_key

_HOLE = "\x00"  # an expression inside a line
_HOLES = re.compile(f"[{_HOLE}*]+")
_PLACEHOLDER = re.compile(r"%[-+ #0-9.]*[a-zA-Z]|\{[^}]*\}")
_MAX_ALTERNATIVES = 64
_WITH_PARTS = ("facts", "data")


def references(tree: nodes.Template) -> Iterator[tuple[str | None, int, bool]]:
    """The templates that this one extends, includes and imports: name, line and whether it may be missing.

    The name is None where it is no plain text.
    """
    found: list[nodes.Extends | nodes.Import | nodes.FromImport | nodes.Include] = [
        *tree.find_all(nodes.Extends),
        *tree.find_all(nodes.Import),
        *tree.find_all(nodes.FromImport),
        *tree.find_all(nodes.Include),
    ]
    for node in found:
        named = node.template
        names = named.items if isinstance(named, nodes.List | nodes.Tuple) else [named]
        for each in names:
            name = each.value if isinstance(each, nodes.Const) and isinstance(each.value, str) else None
            optional = len(names) > 1 or (isinstance(node, nodes.Include) and node.ignore_missing)
            yield name, node.lineno, optional


def uses(trees: Iterable[nodes.Template]) -> dict[str, frozenset[str] | None]:
    """The variables whose values can reach the output; of facts and data the parts, or None for all of it."""
    found: dict[str, set[str] | None] = {}
    for tree in trees:
        parts_of: set[int] = set()
        parts: list[nodes.Getattr | nodes.Getitem] = [
            *tree.find_all(nodes.Getattr),
            *tree.find_all(nodes.Getitem),
        ]
        for node in parts:
            whole, part = node.node, _part(node)
            if isinstance(whole, nodes.Name) and whole.name in _WITH_PARTS and part is not None:
                parts_of.add(id(whole))
                known = found.setdefault(whole.name, set())
                if known is not None:
                    known.add(part)
        for name in tree.find_all(nodes.Name):
            if name.ctx == "load" and id(name) not in parts_of:
                found[name.name] = None
    return {name: None if held is None else frozenset(held) for name, held in found.items()}


def keys(tree: nodes.Template) -> frozenset[Key]:
    """Every key and glob that lines and `setting()` calls name; an expression inside one counts as `*`."""
    texts = set(_line_keys(tree.body))
    for call in tree.find_all(nodes.Call):
        if isinstance(call.node, nodes.Name) and call.node.name == "setting":
            named = next((each.value for each in call.kwargs if each.key == "key"), None)
            first = call.args[0] if call.args else named
            texts.update(_alternatives(first) if first is not None else ())
    return frozenset(key for text in texts if (key := _key(text)) is not None)


def _part(node: nodes.Getattr | nodes.Getitem) -> str | None:
    if isinstance(node, nodes.Getattr):
        return node.attr
    return node.arg.value if isinstance(node.arg, nodes.Const) and isinstance(node.arg.value, str) else None


def _key(text: str) -> Key | None:
    text = _HOLES.sub("*", text.strip().removeprefix("-"))
    if text.startswith("*"):
        return None  # it could be any key; what it is shows when it is evaluated
    try:
        return parse_key(text)
    except ValueError:
        return None


def _line_keys(body: Iterable[nodes.Node]) -> Iterator[str]:
    text = ""
    for node in body:
        if isinstance(node, nodes.Output):
            text += "".join(part.data if isinstance(part, nodes.TemplateData) else _HOLE for part in node.nodes)
            continue
        for _, inner in node.iter_fields():
            if isinstance(inner, list):
                yield from _line_keys(each for each in inner if isinstance(each, nodes.Stmt))
        if text and not text.endswith("\n"):
            text += _HOLE
    for line in text.split("\n"):
        key, equals, _ = line.partition("=")
        if equals:
            yield key


def _alternatives(node: nodes.Node) -> list[str]:
    match node:
        case nodes.Const(value=str(text)):
            return [text]
        case nodes.Concat(nodes=parts):
            return _joined(parts)
        case nodes.Add(left=left, right=right):
            return _joined([left, right])
        case nodes.CondExpr(expr1=one, expr2=other):
            return [*_alternatives(one), *(_alternatives(other) if other is not None else ())]
        case (
            nodes.Mod(left=nodes.Const(value=str(text)))
            | nodes.Filter(name="format", node=nodes.Const(value=str(text)))
            | nodes.Call(node=nodes.Getattr(attr="format", node=nodes.Const(value=str(text))))
        ):
            return [_PLACEHOLDER.sub("*", text)]
        case _:
            return [_HOLE]


def _joined(parts: Iterable[nodes.Node]) -> list[str]:
    choices = [_alternatives(part) for part in parts]
    total = 1
    for each in choices:
        total *= len(each)
    if total > _MAX_ALTERNATIVES:
        choices = [each if len(each) == 1 else [_HOLE] for each in choices]
    return ["".join(each) for each in product(*choices)]


def reachable(start: str, graph: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """The template and all that it extends, includes and imports, near ones first."""
    found = {start: None}
    waiting = [start]
    while waiting:
        for name in graph[waiting.pop(0)]:
            if name not in found:
                found[name] = None
                waiting.append(name)
    return tuple(found)
