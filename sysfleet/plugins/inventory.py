"""Nornir's inventory from our validated one; connection options are resolved here, before any thread runs."""

from __future__ import annotations

from collections.abc import Mapping

from nornir.core.inventory import (
    ConnectionOptions,
    Defaults,
    Group,
    Groups,
    Host,
    Hosts,
    Inventory,
    ParentGroups,
)

from sysfleet.policy.entries import FleetInventory


class SysfleetInventory:
    """`sysfleet.inventory`: a validated inventory, cut down to the selected hosts."""

    def __init__(self, fleet: FleetInventory, connections: Mapping[str, str]) -> None:
        """`connections` are the selected hosts, each with its connection plugin."""
        self._fleet = fleet
        self._connections = connections

    def load(self) -> Inventory:
        """Hosts, groups and defaults as Nornir's records."""
        defaults = Defaults(data=dict(self._fleet.defaults.data))
        groups = Groups(
            {name: Group(name, data=dict(entry.data), defaults=defaults) for name, entry in self._fleet.groups.items()}
        )
        for name, entry in self._fleet.groups.items():
            groups[name].groups = ParentGroups(groups[parent] for parent in entry.groups)
        hosts = Hosts({name: self._host(name, groups, defaults) for name in self._connections})
        return Inventory(hosts=hosts, groups=groups, defaults=defaults)

    def _host(self, name: str, groups: Groups, defaults: Defaults) -> Host:
        entry = self._fleet.hosts[name]
        connection = self._connections[name]
        way = self._fleet.connection_of(name, connection)
        password = way.password.reveal() if way.password is not None else None
        extras = {**(way.extras or {}), "name": name, "proxy_jump": self._fleet.proxy_jump(name)}
        resolved = ConnectionOptions(way.hostname, way.port, way.username, password, way.platform, extras)
        return Host(
            name=name,
            hostname=way.hostname,
            port=way.port,
            username=way.username,
            password=password,
            platform=way.platform,
            groups=ParentGroups(groups[group] for group in entry.groups),
            data=dict(entry.data),
            connection_options={connection: resolved},
            defaults=defaults,
        )
