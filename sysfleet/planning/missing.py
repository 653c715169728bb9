"""Why a wanted key does not exist on a host, and what follows from it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

from sysfleet.host import Facts
from sysfleet.sysctl.key import Key, interface_of
from sysfleet.sysctl.knowledge import lookup, suggest


class Treatment(StrEnum):
    """What is done about a key that is not there."""

    BLOCK = "block"  # the policy cannot be meant like this
    KEEP = "keep"  # stays in the file; drift until it exists
    LEAVE_OUT = "leave out"  # not in the file; the row stays as it is, and says so


@dataclass(frozen=True, slots=True)
class Absence:
    """One sentence on why, and the treatment."""

    why: str
    treatment: Treatment


def absence(key: Key, facts: Facts) -> Absence:
    """Tell apart: no such key, IPv6 off, not in this namespace, a module not loaded, an older kernel."""
    known = lookup(key)
    if known is None or known.gone:
        near = suggest(key)
        hint = f"; did you mean {near}?" if near else ""
        return Absence(f"unknown key{hint}", Treatment.BLOCK)
    name = interface_of(key)
    if name is not None and name not in ("all", "default") and name not in facts.interfaces:
        return Absence(f"no interface {name} now", Treatment.KEEP)
    if key.startswith("net.ipv6.") and not facts.ipv6:
        return Absence("IPv6 is off", Treatment.LEAVE_OUT)
    if facts.container and known.namespaced in ("no", "init-only"):
        return Absence("not in this namespace", Treatment.LEAVE_OUT)
    if known.module and known.module != "builtin":
        return Absence(f"module {known.module} is not loaded", Treatment.KEEP)
    if known.since and _older(facts.kernel, known.since):
        return Absence(f"kernel too old: since {known.since}", Treatment.LEAVE_OUT)
    return Absence("compiled out of this kernel", Treatment.LEAVE_OUT)


def _older(kernel: str, since: str) -> bool:
    return not since.startswith("<=") and _version(kernel) < _version(since)


def _version(text: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
