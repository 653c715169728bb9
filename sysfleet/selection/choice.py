"""From an expression and candidates to the hosts of a command, in the order in which people count.

Pure; says what was probably meant where nothing is selected.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from sysfleet.errors import SelectionError
from sysfleet.selection.candidate import Candidate, values_of
from sysfleet.selection.expression import Selection, Term, parse

_FEW = 10
_NEAR = 0.5  # so that two letters the wrong way round are near, in names as short as `db`
_DIGITS = frozenset("0123456789")


def select(text: str | None, candidates: Iterable[Candidate]) -> list[Candidate]:
    """The candidates that the expression selects (None: all), in natural order; SelectionError for none."""
    everyone = sorted(candidates, key=lambda candidate: natural_key(candidate.name))
    if not everyone:
        raise SelectionError("the inventory has no hosts", hint="name them in inventory/hosts.yaml")
    if text is None:
        return everyone
    selection = parse(text)
    chosen = [candidate for candidate in everyone if selection.matches(candidate)]
    if not chosen:
        raise SelectionError(f"no host matches {text!r}", hint=_why_none(selection, everyone))
    return chosen


def natural_key(name: str) -> tuple[tuple[tuple[int, int, str], ...], str]:
    """Sorts names as people do: node2 before node10. Equal only for equal names."""
    # Digits by length and then as text: as big as their number, and no number is too long for that.
    parts = [
        (0, len(part.lstrip("0")), part.lstrip("0")) if part[0] in _DIGITS else (1, 0, part)
        for part in re.findall(r"[0-9]+|[^0-9]+", name)
    ]
    return tuple(parts), name


def _why_none(selection: Selection, everyone: Sequence[Candidate]) -> str | None:
    for term in selection.terms:
        if any(map(term.matches, everyone)):
            continue
        values = sorted({value for each in everyone for value in values_of(each, term.field)})
        if not values:
            names = sorted({name for each in everyone for name in each.data} | {"name", "role", "group"})
            near = get_close_matches(term.field, names, n=1, cutoff=_NEAR)
            return f"no host has {term.field}" + (f"; did you mean {near[0]}?" if near else "")
        what = "host" if term.field == "name" else term.field
        return f"no {what} is called {term.pattern}" + _instead(term, values)
    return "each term matches a host, but no host matches them together"


def _instead(term: Term, values: Sequence[str]) -> str:
    near = get_close_matches(term.pattern, values, n=1, cutoff=_NEAR)
    if near:
        return f"; did you mean {near[0]}?"
    return f"; there are {', '.join(values)}" if len(values) <= _FEW and term.field != "name" else ""
