"""The `sysctl:` part of an inventory entry: overrides, as rules with their origin.

Scalars are the text as written; true, false, null and floats are refused, since what the operator meant
cannot be known. Refuses to know which entry of the inventory it stands in.
"""

from __future__ import annotations

import datetime as dt
import re

from sysfleet.policy.constraint import Constraint, Kind
from sysfleet.policy.rule import Layer, Origin, Rule
from sysfleet.policy.yaml_fields import Findings, fields, is_null, kind_of, known_fields, meaning, text_of
from sysfleet.policy.yaml_text import Mapping, Node, Scalar, Sequence
from sysfleet.sysctl.key import Key, interface_of, is_glob, parse_key, with_interface
from sysfleet.sysctl.value import as_int, problem

_CONSTRAINTS = tuple(kind.value for kind in Kind)
_NOTES = ("reason", "ticket", "expires", "cite")
_FIELDS = (*_CONSTRAINTS, *_NOTES)
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_REFUSED = {
    "boolean": "write 1 or 0, or the text in quotes",
    "null": "write a value, or {absent: true}",
    "float": "write an integer, or the text in quotes",
}


def read_rules(node: Node, findings: Findings, layer: Layer, name: str) -> tuple[Rule, ...]:
    """The rules of one `sysctl:` mapping; what is wrong is noted and left out."""
    rules: dict[Key, Rule] = {}
    for written, line, value in fields(node, findings, "sysctl"):
        pattern = _pattern(written, line, findings)
        if pattern is None:
            continue
        if pattern in rules:
            first = rules[pattern].origin.line
            findings.add(line, f"{pattern} stands twice in sysctl", f"it stands on line {first} already")
            continue
        rule = _rule(pattern, value, Origin(layer, name, findings.file, line), findings)
        if rule is not None:
            rules[pattern] = rule
    return tuple(rules.values())


def _pattern(written: str, line: int, findings: Findings) -> Key | None:
    try:
        pattern = parse_key(written)
    except ValueError as error:
        findings.add(line, str(error), "write it as net.ipv4.ip_forward or net/ipv4/ip_forward")
        return None
    if is_glob(with_interface(pattern, "x")):
        hint = "a glob stands for an interface, as in net.ipv4.conf.en*.rp_filter"
        findings.add(line, f"the key {written!r} has a glob where no interface stands", hint)
        return None
    if interface_of(pattern) is None and "." not in pattern:
        findings.add(line, f"the key {written!r} has no section", "for example kernel.kptr_restrict")
        return None
    return pattern


def _rule(pattern: Key, node: Node, origin: Origin, findings: Findings) -> Rule | None:
    if not isinstance(node, Mapping):
        text = _value(pattern, Kind.VALUE, node, findings)
        return None if text is None else Rule(pattern, Constraint(Kind.VALUE, (text,)), origin)
    before = len(findings.problems)
    given = {name: (line, value) for name, line, value in known_fields(node, findings, pattern, _FIELDS, _meant)}
    kinds = [name for name in _CONSTRAINTS if name in given]
    constraint = None
    if len(kinds) == 1:
        constraint = _constraint(pattern, Kind(kinds[0]), given[kinds[0]][1], findings)
    elif before == len(findings.problems):
        said = f"has {' and '.join(kinds)}" if kinds else "has no constraint"
        findings.add(origin.line, f"{pattern} {said}", f"give exactly one of {', '.join(_CONSTRAINTS)}")
    origin = _noted(pattern, origin, {name: given[name][1] for name in _NOTES if name in given}, findings)
    if constraint is None or len(findings.problems) > before:
        return None
    return Rule(pattern, constraint, origin)


def _meant(name: str) -> str | None:
    words = {
        "min": "at_least",
        "minimum": "at_least",
        "max": "at_most",
        "maximum": "at_most",
        "until": "expires",
    }
    words |= {"why": "reason", "comment": "reason", "any_of": "one_of", "values": "one_of", "source": "cite"}
    return f"did you mean {words[name]}?" if name in words else None


def _constraint(pattern: Key, kind: Kind, node: Node, findings: Findings) -> Constraint | None:
    if kind is Kind.ABSENT:
        if isinstance(node, Scalar) and node.text.lower() in ("true", "yes"):
            return Constraint(kind)
        findings.add(node.line, f"{pattern}: absent is {kind_of(node)}, not true", "write {absent: true}")
        return None
    if kind is Kind.ONE_OF:
        if not isinstance(node, Sequence) or not node.items:
            hint = f"write [{node.text}]" if isinstance(node, Scalar) and node.text else "write [1, 2]"
            what = "an empty list" if isinstance(node, Sequence) else f"{kind_of(node)}, not a list of values"
            findings.add(node.line, f"{pattern}: one_of is {what}", hint)
            return None
        texts = [_value(pattern, kind, item, findings) for item in node.items]
        good = tuple(text for text in texts if text is not None)
        return Constraint(kind, good) if len(good) == len(texts) else None
    text = _value(pattern, kind, node, findings)
    return None if text is None else Constraint(kind, (text,))


def _value(pattern: Key, kind: Kind, node: Node, findings: Findings) -> str | None:
    """The value as written; noted, and None, where it cannot be one."""
    if not isinstance(node, Scalar):
        hint = "several numbers are one text: '4096 87380 6291456'" if isinstance(node, Sequence) else None
        findings.add(node.line, f"{pattern}: the {_title(kind)} is {kind_of(node)}, not a value", hint)
        return None
    if hint := _REFUSED.get(meaning(node)):
        findings.add(node.line, f"{pattern}: the {_title(kind)} is {kind_of(node)}", hint)
        return None
    text = node.text.strip()
    why = problem(pattern, text)
    if why is None and kind in (Kind.AT_LEAST, Kind.AT_MOST):
        odd = next((part for part in text.split() if as_int(part) is None), None)
        why = None if odd is None else f"{kind} compares integers, and {odd!r} is none"
    if why is not None:
        findings.add(node.line, f"{pattern}: {why}")
        return None
    return text


def _title(kind: Kind) -> str:
    return kind.value if kind is Kind.VALUE else f"value of {kind.value}"


def _noted(pattern: Key, origin: Origin, notes: dict[str, Node], findings: Findings) -> Origin:
    reason, ticket = (
        _note(notes[name], findings, f"{pattern}: the {name}") if name in notes else None
        for name in ("reason", "ticket")
    )
    expires = _date(pattern, notes["expires"], findings) if "expires" in notes else None
    cite = _citations(pattern, notes["cite"], findings) if "cite" in notes else ()
    return Origin(origin.layer, origin.name, origin.file, origin.line, reason, ticket, expires, cite)


def _date(pattern: Key, node: Node, findings: Findings) -> dt.date | None:
    text = node.text.strip() if isinstance(node, Scalar) else ""
    try:
        if _DATE.fullmatch(text):
            return dt.date.fromisoformat(text)
        why = "not a date"
    except ValueError:
        why = "a day that there is not"
    findings.add(node.line, f"{pattern}: expires is {kind_of(node)}, {why}", "write YYYY-MM-DD, as 2027-03-31")
    return None


def _citations(pattern: Key, node: Node, findings: Findings) -> tuple[str, ...]:
    if is_null(node):
        return ()
    items = node.items if isinstance(node, Sequence) else [node]
    texts = [_note(item, findings, f"{pattern}: a citation") for item in items]
    return tuple(text for text in texts if text is not None)


def _note(node: Node, findings: Findings, what: str) -> str | None:
    if isinstance(node, Scalar) and meaning(node) in _REFUSED:
        findings.add(node.line, f"{what} is {kind_of(node)}", "write a text; in quotes if it must be this one")
        return None
    return text_of(node, findings, what)
