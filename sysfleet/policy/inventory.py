"""The three files of the inventory, texts in, validated records out, with every problem at its file and line.

Knows Nornir's SimpleInventory format and our `data.roles` and `data.sysctl` in it; refuses to read files.
"""

from __future__ import annotations

from collections.abc import Collection

from sysfleet.policy.entries import FleetInventory
from sysfleet.policy.rule import Rule

HOSTS_FILE, GROUPS_FILE, DEFAULTS_FILE = "inventory/hosts.yaml", "inventory/groups.yaml", "inventory/defaults.yaml"


def parse_inventory(
    hosts_text: str,
    groups_text: str = "",
    defaults_text: str = "",
    *,
    known_roles: Collection[str],
    files: tuple[str, str, str] = (HOSTS_FILE, GROUPS_FILE, DEFAULTS_FILE),
) -> FleetInventory:
    """The inventory that the three texts describe; InventoryError with all problems where they do not hold."""
    raise NotImplementedError


def override_layers(inventory: FleetInventory, host: str) -> list[tuple[Rule, ...]]:
    """The overrides that speak for a host, lowest first: defaults, groups (parents before children), the host."""
    raise NotImplementedError
