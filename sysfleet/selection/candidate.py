"""What the `--limit` language can ask of a host: its name, groups, roles and data.

Refuses to know how an expression is written.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Candidate:
    """What can be asked of a host: its name, all its groups (inherited ones too), its roles and its data."""

    name: str
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)


def values_of(candidate: Candidate, name: str) -> tuple[str, ...]:
    """What a candidate has under a field's name, as texts."""
    if name == "name":
        return (candidate.name,)
    if name == "role":
        return candidate.roles
    if name == "group":
        return candidate.groups
    return tuple(_texts(_looked_up(candidate.data, name.removeprefix("data."))))


def _looked_up(data: Any, path: str) -> Any:
    """The value under a dotted path; a name that has dots itself is found as it stands."""
    if not isinstance(data, Mapping):
        return None
    if path in data:
        return data[path]
    first, _, rest = path.partition(".")
    return _looked_up(data.get(first), rest) if rest else None


def _texts(value: Any) -> Iterable[str]:
    if isinstance(value, bool):
        yield "true" if value else "false"
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    elif value is not None and not isinstance(value, Mapping):
        yield str(value)
