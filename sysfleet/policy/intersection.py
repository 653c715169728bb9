"""What is left where two roles constrain one key.

Knows constraints and how values compare; refuses to know roles and layers.
"""

from __future__ import annotations

from sysfleet.policy.constraint import Constraint, Kind, meets, no_less
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.value import as_int

_BOUNDS = (Kind.AT_LEAST, Kind.AT_MOST)


def intersection(key: Key, one: Constraint, other: Constraint) -> Constraint | None:
    """The constraint that asks for both, or None where no value can satisfy both.

    One of the two comes back as it is wherever it says all; numbers of a tuple are compared one by one.
    """
    if one.kind is Kind.ABSENT or other.kind is Kind.ABSENT:
        return one if one.kind is other.kind else None
    if one.kind in _BOUNDS and other.kind in _BOUNDS:
        return _both_bounds(one, other)
    if one.kind in _BOUNDS or (other.kind is Kind.VALUE and one.kind is Kind.ONE_OF):
        # The more definite one first: its values are tried against the other.
        return _those_that_meet(key, other, one)
    return _those_that_meet(key, one, other)


def _those_that_meet(key: Key, listed: Constraint, other: Constraint) -> Constraint | None:
    left = tuple(text for text in listed.operands if meets(other, key, text))
    if not left:
        return None
    return listed if left == listed.operands else Constraint(listed.kind, left)


def _both_bounds(one: Constraint, other: Constraint) -> Constraint | None:
    floors = [floor for each in (one, other) if (floor := _floor(each)) is not None]
    ceilings = [ceiling for each in (one, other) if (ceiling := _ceiling(each)) is not None]
    floor, ceiling = _extreme(floors, largest=True), _extreme(ceilings, largest=False)
    if (floors and floor is None) or (ceilings and ceiling is None):
        return None
    if floor is None:
        both = Constraint(Kind.AT_MOST, (ceiling or "",))
    elif ceiling is None:
        both = Constraint(Kind.AT_LEAST, (floor,))
    elif no_less(ceiling, floor):
        both = Constraint(Kind.AT_LEAST, (floor, ceiling))
    else:
        return None
    return one if both == one else other if both == other else both


def _floor(constraint: Constraint) -> str | None:
    return constraint.operands[0] if constraint.kind is Kind.AT_LEAST else None


def _ceiling(constraint: Constraint) -> str | None:
    has_one = constraint.kind is Kind.AT_MOST or len(constraint.operands) > 1
    return constraint.operands[-1] if has_one else None


def _extreme(texts: list[str], *, largest: bool) -> str | None:
    # None where there is nothing, and where two are not comparable.
    if len(texts) < 2:
        return texts[0] if texts else None
    ours, theirs = ([as_int(part) for part in text.split()] for text in texts)
    if len(ours) != len(theirs):
        return None
    picked = []
    for a, b in zip(ours, theirs, strict=True):
        if a is None or b is None:
            return None
        picked.append(max(a, b) if largest else min(a, b))
    for text, numbers in zip(texts, (ours, theirs), strict=True):
        if numbers == picked:
            return text
    return " ".join(map(str, picked))
