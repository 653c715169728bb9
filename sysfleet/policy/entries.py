"""The inventory as records: what hosts.yaml, groups.yaml and defaults.yaml say, and where they say it.

Knows Nornir's rule of inheritance (a host before its groups, depth first, before the defaults); refuses to
know YAML, files and Nornir itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from typing_extensions import override

from sysfleet.policy.rule import Rule
from sysfleet.selection import Candidate

# Names below `data` that say how a host is reached.
CONNECTION = "connection"
PROXY_JUMP = "proxy_jump"


@dataclass(frozen=True, slots=True)
class Secret:
    """A text that no message, row or log may show; `reveal` hands it out."""

    _text: str

    def reveal(self) -> str:
        """The text itself."""
        return self._text

    @override
    def __repr__(self) -> str:
        return "Secret(…)"


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionEntry:
    """How to reach a host, by one kind of connection or by any; None is not said. Extras may hold secrets."""

    hostname: str | None = None
    port: int | None = None
    username: str | None = None
    password: Secret | None = None
    platform: str | None = None
    extras: Mapping[str, Any] | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Defaults:
    """What defaults.yaml says for every host. `data` is plain and has no `sysctl`: that is `rules`."""

    hostname: str | None = None
    port: int | None = None
    username: str | None = None
    password: Secret | None = None
    platform: str | None = None
    connection_options: Mapping[str, ConnectionEntry] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)
    rules: tuple[Rule, ...] = ()
    file: str = ""
    line: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupEntry(Defaults):
    """One group as written; `ancestors` are its parents and theirs, nearest first."""

    name: str
    groups: tuple[str, ...] = ()
    ancestors: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class HostEntry(GroupEntry):
    """One host as written, with what its groups add up to: all of them nearest first, and its roles."""

    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class FleetInventory:
    """The whole inventory, validated: every name that is used exists."""

    hosts: Mapping[str, HostEntry]
    groups: Mapping[str, GroupEntry]
    defaults: Defaults

    def lineage(self, host: str) -> tuple[Defaults, ...]:
        """The entries that speak for the host, nearest first: itself, its groups, the defaults."""
        entry = self.hosts[host]
        return (entry, *(self.groups[name] for name in entry.ancestors), self.defaults)

    def data_of(self, host: str) -> dict[str, Any]:
        """The host's data with what it inherits; the nearest entry that has a name wins."""
        merged: dict[str, Any] = {}
        for entry in reversed(self.lineage(host)):
            merged.update(entry.data)
        return merged

    def connection_of(self, host: str, kind: str | None = None) -> ConnectionEntry:
        """How to reach the host, inheritance resolved as Nornir does; the host's name is its last address."""
        lineage = self.lineage(host)
        own = [] if kind is None else [each for entry in lineage if (each := entry.connection_options.get(kind))]

        def first(name: str) -> Any:
            said = (getattr(entry, name) for entry in (*own, *lineage))
            return next((value for value in said if value is not None), None)

        return ConnectionEntry(
            hostname=first("hostname") or host,
            port=first("port"),
            username=first("username"),
            password=first("password"),
            platform=first("platform"),
            extras=next((entry.extras for entry in own if entry.extras is not None), None),
        )

    def connection(self, host: str) -> str | None:
        """The kind of connection that the inventory chooses for the host, if it does."""
        return self._said(host, CONNECTION)

    def proxy_jump(self, host: str) -> str | None:
        """The bastions before the host as ssh_config(5) writes them, if the inventory names any; `none` is none."""
        return self._said(host, PROXY_JUMP)

    def _said(self, host: str, name: str) -> str | None:
        return next((entry.data[name] for entry in self.lineage(host) if name in entry.data), None)

    def candidates(self) -> list[Candidate]:
        """Every host as the `--limit` language sees it, in the order of the file."""
        return [Candidate(name, entry.ancestors, entry.roles, self.data_of(name)) for name, entry in self.hosts.items()]
