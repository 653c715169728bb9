"""What a policy asks of one key: a value, a floor, a ceiling, one of several, or that it is absent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from typing_extensions import override

from sysfleet.sysctl.key import Key
from sysfleet.sysctl.value import as_int, same


class Kind(StrEnum):
    """The five forms of a constraint, by the names that inventories and templates use."""

    VALUE = "value"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    ONE_OF = "one_of"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint; `operands` are values as text: one for value, at_least and at_most, none for absent.

    Where a floor of one role meets a ceiling of another, at_least has both, the floor first.
    """

    kind: Kind
    operands: tuple[str, ...] = ()

    @override
    def __str__(self) -> str:
        match self.kind:
            case Kind.VALUE:
                return self.operands[0]
            case Kind.AT_LEAST:
                return " and ".join([f">= {self.operands[0]}", *(f"<= {text}" for text in self.operands[1:])])
            case Kind.AT_MOST:
                return f"<= {self.operands[0]}"
            case Kind.ONE_OF:
                return "one of " + ", ".join(self.operands)
            case Kind.ABSENT:
                return "absent"


def meets(constraint: Constraint, key: Key, text: str) -> bool:
    """Whether a value, as the kernel shows it, satisfies the constraint."""
    match constraint.kind:
        case Kind.VALUE:
            return same(key, constraint.operands[0], text)
        case Kind.AT_LEAST:
            floor, *ceiling = constraint.operands
            return no_less(text, floor) and all(no_less(most, text) for most in ceiling)
        case Kind.AT_MOST:
            return no_less(constraint.operands[0], text)
        case Kind.ONE_OF:
            return any(same(key, operand, text) for operand in constraint.operands)
        case Kind.ABSENT:
            return True


def no_less(one: str, other: str) -> bool:
    """Whether every number of `one` is at least its fellow in `other`; False where they do not compare."""
    ours, theirs = [as_int(part) for part in one.split()], [as_int(part) for part in other.split()]
    return len(ours) == len(theirs) and all(
        a is not None and b is not None and a >= b for a, b in zip(ours, theirs, strict=True)
    )
