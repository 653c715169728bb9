"""The words for what is to be said of one setting on one host."""

from __future__ import annotations

from enum import StrEnum


class Verdict(StrEnum):
    """In the order in which one hides another (DESIGN.md, 'Results')."""

    MISSING = "missing"
    UNREADABLE = "unreadable"
    READONLY = "readonly"
    LOCKED = "locked"
    SHADOWED = "shadowed"
    CHANGE = "change"
    INEFFECTIVE = "ineffective"
    REWRITTEN = "rewritten"
    RELEASED = "released"
    WAIVED = "waived"
    OK = "ok"


_RANK = {verdict: rank for rank, verdict in enumerate(Verdict)}


def worst(verdicts: set[Verdict]) -> Verdict:
    """The verdict that hides the others; OK where there is none."""
    return min(verdicts, key=_RANK.__getitem__, default=Verdict.OK)
