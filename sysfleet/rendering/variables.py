"""What a template may ask of a host, made harmless: no text of a fact or of the inventory can end a line.

Knows the names that templates use; refuses to know Jinja2.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from types import SimpleNamespace
from typing import Any

from sysfleet.host import Facts
from sysfleet.sysctl.loaders import Loader

# What no line of a file may hold: controls but the tab, Unicode's own line ends, halves of a character.
_DANGEROUS = re.compile("[\x00-\x08\x0a-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")
_STAND_IN = 0xF0000  # a private-use plane: the dangerous character as text that nothing takes for a line end
_STOOD_IN = re.compile("[\U000f0000-\U000fffff]")
# The first two differ from read to read, and a file must not; the others are planning's own business.
_HIDDEN_FACTS = frozenset({"boot_id", "uptime_s", "mounts", "read_only_keys", "place_problem"})
VARIABLE_NAMES = ("facts", "host", "role", "roles", "groups", "data", "interfaces")
FACT_NAMES = (*(each.name for each in fields(Facts) if each.name not in _HIDDEN_FACTS), "proc_sys_writable")

SAMPLE_FACTS = (
    Facts(
        hostname="sample",
        kernel="6.1.0-28-amd64",
        distribution="debian",
        distribution_version="12",
        architecture="x86_64",
        init="systemd",
        loader=Loader.SYSTEMD,
        interfaces=("lo", "eth0", "eth0.100"),
        memory_kib=8 * 1024 * 1024,
        cpus=4,
    ),
    Facts(
        hostname="sample",
        kernel="4.19.0",
        distribution="alpine",
        distribution_version="3.20",
        architecture="aarch64",
        loader=Loader.ALPINE,
        container="lxc",
        interfaces=("lo",),
        memory_kib=512 * 1024,
        cpus=1,
        ipv6=False,
    ),
)
"""Two hosts that differ in what templates ask about, to try templates before anything is contacted."""


@dataclass(frozen=True, slots=True)
class TemplateVariables:
    """What templates see of one host; `interfaces` are the names and globs that its file may name."""

    host: str
    facts: Facts
    roles: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    interfaces: tuple[str, ...] = ()


class Data(dict[str, Any]):
    """The inventory's data, or a mapping in it, as templates see it."""


def namespace(variables: TemplateVariables, role: str) -> dict[str, Any]:
    """The variables of one evaluation, cleaned; interfaces with a dot in their name as keys spell them."""
    return {
        "facts": SimpleNamespace(**{name: _clean(getattr(variables.facts, name)) for name in FACT_NAMES}),
        "host": _clean(variables.host),
        "role": role,
        "roles": _clean(variables.roles),
        "groups": _clean(variables.groups),
        "data": _clean(variables.data),
        "interfaces": [_clean(name).replace(".", "/") for name in variables.interfaces],
    }


def unfit(text: str) -> str | None:
    """What a text holds that no line of a file may hold, in words, or None."""
    found = _STOOD_IN.search(text) or _DANGEROUS.search(text)
    if found is None:
        return None
    code = ord(found[0])
    code = code - _STAND_IN if code >= _STAND_IN else code
    return "a line break" if code in (0x0A, 0x0D) else f"the control character U+{code:04X}"


def shown(text: str) -> str:
    """The text with a sign in place of every character that cannot be printed."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def frozen(value: Any) -> Any:
    """The value as something hashable that is equal only for equal values of equal types, in equal order."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return (dict, *((frozen(name), frozen(each)) for name, each in value.items()))
    if isinstance(value, list | tuple):
        return (list, *map(frozen, value))
    return (type(value), value)


def _clean(value: Any) -> Any:
    if isinstance(value, str):
        text = str(value)
        return _DANGEROUS.sub(lambda found: chr(_STAND_IN + ord(found[0])), text)
    if isinstance(value, Mapping):
        return Data({_clean(name): _clean(each) for name, each in value.items()})
    if isinstance(value, list | tuple):
        return [_clean(each) for each in value]
    return value
