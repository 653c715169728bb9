"""The `--limit` language: which hosts of the inventory a command is for.

Pure: an expression and candidates in, candidates out. Refuses to know where an inventory comes from.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Candidate:
    """What can be asked of a host: its name, all its groups (inherited ones too), its roles and its data."""

    name: str
    groups: tuple[str, ...] = ()
    roles: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
