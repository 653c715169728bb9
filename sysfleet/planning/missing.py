"""Why a wanted key does not exist on a host, and what follows from it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from sysfleet.host import Facts
from sysfleet.sysctl.key import Key, interface_of
from sysfleet.sysctl.knowledge import lookup, suggest


class Treatment(StrEnum):
    """What is done about a key that is not there."""

    BLOCK = "block"  # the policy cannot be meant like this
    KEEP = "keep"  # stays in the file; drift until it exists
    LEAVE_OUT = "leave_out"  # not in the file; the row stays as it is, and says so


class Reason(StrEnum):
    """Why a key is not there; the names of sysfleet.toml's section [missing]."""

    UNKNOWN_KEY = "unknown_key"
    MODULE_NOT_LOADED = "module_not_loaded"
    KERNEL_TOO_OLD = "kernel_too_old"
    COMPILED_OUT = "compiled_out"
    IPV6_OFF = "ipv6_off"
    OTHER_NAMESPACE = "other_namespace"
    NO_INTERFACE = "no_interface"


USUAL: Mapping[Reason, Treatment] = MappingProxyType(
    {
        Reason.UNKNOWN_KEY: Treatment.BLOCK,
        Reason.MODULE_NOT_LOADED: Treatment.KEEP,
        Reason.KERNEL_TOO_OLD: Treatment.LEAVE_OUT,
        Reason.COMPILED_OUT: Treatment.LEAVE_OUT,
        Reason.IPV6_OFF: Treatment.LEAVE_OUT,
        Reason.OTHER_NAMESPACE: Treatment.LEAVE_OUT,
        Reason.NO_INTERFACE: Treatment.KEEP,
    }
)


@dataclass(frozen=True, slots=True)
class Absence:
    """Why a key is not there, in one clause, and what is done about it."""

    reason: Reason
    why: str
    treatment: Treatment

    @property
    def is_drift(self) -> bool:
        """Whether the key is still to come; an interface that is not there now is nobody's failure."""
        return self.treatment is Treatment.KEEP and self.reason is not Reason.NO_INTERFACE


def absence(key: Key, facts: Facts, treatments: Mapping[Reason, Treatment] = USUAL) -> Absence:
    """Tell apart: no such key, IPv6 off, not in this namespace, a module not loaded, an older kernel."""
    reason, why = _reason(key, facts)
    return Absence(reason, why, treatments.get(reason, USUAL[reason]))


def _reason(key: Key, facts: Facts) -> tuple[Reason, str]:
    known = lookup(key)
    if known is None or known.gone:
        near = suggest(key)
        return Reason.UNKNOWN_KEY, "unknown key" + (f"; did you mean {near}?" if near else "")
    name = interface_of(key)
    if name is not None and name not in ("all", "default") and name not in facts.interfaces:
        return Reason.NO_INTERFACE, f"no interface {name} now"
    if key.startswith("net.ipv6.") and not facts.ipv6:
        return Reason.IPV6_OFF, "IPv6 is off"
    if facts.container and known.namespaced in ("no", "init-only"):
        return Reason.OTHER_NAMESPACE, "not in this namespace"
    if known.module and known.module != "builtin":
        return Reason.MODULE_NOT_LOADED, f"module {known.module} is not loaded"
    if known.since and _older(facts.kernel, known.since):
        return Reason.KERNEL_TOO_OLD, f"kernel too old: since {known.since}"
    return Reason.COMPILED_OUT, "compiled out of this kernel"


def counted(absences: Iterable[Absence]) -> str | None:
    """One line on how many keys are left out, and why; None where none is."""
    left = Counter(one.reason for one in absences if one.treatment is Treatment.LEAVE_OUT)
    if not left:
        return None
    parts = ", ".join(f"{number} {_IN_WORDS[reason]}" for reason, number in sorted(left.items()))
    return f"left out: {parts}"


_IN_WORDS: Mapping[Reason, str] = {
    Reason.UNKNOWN_KEY: "unknown",
    Reason.MODULE_NOT_LOADED: "of modules that are not loaded",
    Reason.KERNEL_TOO_OLD: "for newer kernels",
    Reason.COMPILED_OUT: "compiled out of this kernel",
    Reason.IPV6_OFF: "of IPv6, which is off",
    Reason.OTHER_NAMESPACE: "not in this namespace",
    Reason.NO_INTERFACE: "of interfaces that are not there",
}


def _older(kernel: str, since: str) -> bool:
    return not since.startswith("<=") and _version(kernel) < _version(since)


def _version(text: str) -> tuple[int, int]:
    found = re.match(r"(\d+)\.(\d+)", text)
    return (int(found[1]), int(found[2])) if found else (0, 0)
