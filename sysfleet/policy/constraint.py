"""What a policy asks of one key: a value, a floor, a ceiling, one of several, or that it is absent."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """The five forms of a constraint, by the names that inventories and templates use."""

    VALUE = "value"
    AT_LEAST = "at_least"
    AT_MOST = "at_most"
    ONE_OF = "one_of"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Constraint:
    """One constraint; `operands` are values as text: one for value, at_least and at_most, none for absent."""

    kind: Kind
    operands: tuple[str, ...] = ()

    def __str__(self) -> str:
        match self.kind:
            case Kind.VALUE:
                return self.operands[0]
            case Kind.AT_LEAST:
                return f">= {self.operands[0]}"
            case Kind.AT_MOST:
                return f"<= {self.operands[0]}"
            case Kind.ONE_OF:
                return "one of " + ", ".join(self.operands)
            case Kind.ABSENT:
                return "absent"
