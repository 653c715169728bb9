"""The `setting()` call of templates: a key with its constraint, reason and citations.

Refuses to know where in a template it stands.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from sysfleet.policy.constraint import Constraint, Kind
from sysfleet.rendering.marks import without_marks
from sysfleet.rendering.variables import unfit
from sysfleet.sysctl.key import Key, is_glob, parse_key, with_interface
from sysfleet.sysctl.value import as_int, problem

_CONSTRAINTS = tuple(kind.value for kind in Kind)
_NAMES = ("key", *_CONSTRAINTS, "reason", "cite")


class Refused(Exception):
    """What the template asks for cannot be; `hint` is what was probably meant."""

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.what = what
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Setting:
    """One good call."""

    pattern: Key
    constraint: Constraint
    reason: str | None
    cite: tuple[str, ...]


def read_setting(arguments: dict[str, Any]) -> Setting:
    """The setting that the arguments describe; Refused says what is wrong with them."""
    for name in arguments:
        if name not in _NAMES:
            near = get_close_matches(name, _NAMES, 1, 0.5)
            raise Refused(
                f"setting() has no argument {name!r}",
                f"did you mean {near[0]!r}?" if near else f"it has {', '.join(_NAMES)}",
            )
    if "key" not in arguments:
        raise Refused("setting() needs a key")
    pattern = checked_key(_text(arguments["key"], "the key"))
    reason = arguments.get("reason")
    return Setting(
        pattern,
        _constraint(pattern, arguments),
        None if reason is None else _text(reason, "the reason"),
        _citations(arguments.get("cite", ())),
    )


def checked_key(text: str) -> Key:
    """The key or glob of a text; Refused says what is wrong with it."""
    try:
        pattern = parse_key(text)
    except ValueError as error:
        raise Refused(str(error)) from None
    if is_glob(with_interface(pattern, "x")):
        hint = "a glob stands for an interface, as in net.ipv4.conf.en*.rp_filter"
        raise Refused(f"the key {text!r} has a glob where no interface stands", hint)
    if "." not in pattern:
        raise Refused(f"the key {text!r} has no section", "for example kernel.kptr_restrict")
    return pattern


def checked_value(pattern: Key, text: str) -> str:
    """The value of a text, fit for that key; Refused says why it is not."""
    why = problem(pattern, text)
    if why is not None:
        raise Refused(f"{pattern} = {text}: {why}")
    return text


def _constraint(pattern: Key, arguments: dict[str, Any]) -> Constraint:
    # No `in (None, False)` here: to Python 0 is False as well.
    given = [name for name in _CONSTRAINTS if arguments.get(name) is not None]
    if arguments.get("absent") is False:
        given.remove("absent")
    if len(given) != 1:
        said = f"{len(given)}: {', '.join(given)}" if given else "none"
        what = f"setting({pattern!r}) needs exactly one constraint and has {said}"
        raise Refused(what, f"one of {', '.join(_CONSTRAINTS)}")
    kind, operand = Kind(given[0]), arguments[given[0]]
    if kind is Kind.ABSENT:
        if operand is not True:
            raise Refused(f"setting({pattern!r}): absent is true or false, not {operand!r}")
        return Constraint(kind)
    if kind is Kind.ONE_OF:
        if not isinstance(operand, list | tuple) or not operand:
            raise Refused(f"setting({pattern!r}): one_of is a list of values, not {operand!r}")
        return Constraint(kind, tuple(_value(pattern, kind, each) for each in operand))
    return Constraint(kind, (_value(pattern, kind, operand),))


def _value(pattern: Key, kind: Kind, operand: Any) -> str:
    if isinstance(operand, bool) or not isinstance(operand, int | str):
        raise Refused(f"setting({pattern!r}): {kind} is a number or a text, not {operand!r}")
    text = checked_value(pattern, _text(str(operand), "the value"))
    if kind in (Kind.AT_LEAST, Kind.AT_MOST) and any(as_int(part) is None for part in text.split()):
        raise Refused(f"setting({pattern!r}): {kind} compares integers, and {text!r} is none")
    return text


def _citations(cite: Any) -> tuple[str, ...]:
    many = [cite] if isinstance(cite, str) else cite
    if not isinstance(many, list | tuple):
        raise Refused(f"cite is a list of texts, not {cite!r}")
    return tuple(_text(each, "a citation") for each in many)


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str):
        raise Refused(f"{what} is a text, not {value!r}")
    text = without_marks(value).strip()
    bad = unfit(text)
    if bad is not None:
        raise Refused(f"{what} holds {bad}")
    return text
