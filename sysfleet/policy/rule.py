"""Where a wanted value comes from: rules with their origins, and the chain that each host ends up with."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum

from sysfleet.policy.constraint import Constraint
from sysfleet.sysctl.key import Key


class Layer(StrEnum):
    """The layers, lowest first (DESIGN.md, 'Policy')."""

    BASE = "base"
    DEFAULTS = "defaults"
    ROLE = "role"
    GROUP = "group"
    HOST = "host"


@dataclass(frozen=True, slots=True)
class Origin:
    """The place that asks for a value: `name` is the role, group or host, `file` relative to the project."""

    layer: Layer
    name: str
    file: str
    line: int
    reason: str | None = None
    ticket: str | None = None
    expires: dt.date | None = None
    cite: tuple[str, ...] = ()
    comments: tuple[str, ...] = ()  # comment lines directly above the setting, without their marks


@dataclass(frozen=True, slots=True)
class Rule:
    """One layer's constraint for one key or glob (`net.ipv4.conf.en*.accept_redirects`)."""

    pattern: Key
    constraint: Constraint
    origin: Origin


@dataclass(frozen=True, slots=True)
class Wanted:
    """The rule that holds for a key or glob on one host, and every rule it was chosen from, lowest first."""

    pattern: Key
    constraint: Constraint
    origin: Origin
    chain: tuple[Rule, ...] = ()


@dataclass(frozen=True, slots=True)
class Clash:
    """Two roles of one host ask for what cannot hold together, and no group or host has decided."""

    pattern: Key
    first: Rule
    second: Rule


@dataclass(frozen=True, slots=True)
class Policy:
    """All that is asked of one host: one `Wanted` a pattern, and what could not be settled."""

    roles: tuple[str, ...]
    wanted: tuple[Wanted, ...]
    clashes: tuple[Clash, ...] = ()
