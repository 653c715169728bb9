"""Render: from the inventory and the templates to one host's policy, and to the keys that have to be read for it."""

from __future__ import annotations

from sysfleet.host import Facts
from sysfleet.planning.content import settings_of
from sysfleet.planning.scope import read_patterns, unforeseen
from sysfleet.policy.entries import FleetInventory
from sysfleet.policy.inventory import override_layers
from sysfleet.policy.layers import PolicyCache
from sysfleet.policy.rule import Policy, Rule
from sysfleet.rendering import Templates, TemplateVariables
from sysfleet.sysctl.key import Key

BASE = "base"


class Rendering:
    """Templates and overrides of a whole fleet; hosts that look alike share their rules and their policy."""

    def __init__(self, inventory: FleetInventory, templates: Templates, interfaces: tuple[str, ...]) -> None:
        self._inventory = inventory
        self._templates = templates
        self._interfaces = interfaces
        self._policies = PolicyCache()
        self._overrides: dict[str, list[tuple[Rule, ...]]] = {}
        self._patterns: dict[tuple[object, ...], tuple[Key, ...]] = {}
        self._left: dict[tuple[int, int, bytes | None], tuple[Policy, tuple[Key, ...]]] = {}

    def variables(self, host: str, facts: Facts | None = None) -> TemplateVariables:
        """What templates see of a host; sample facts where none are given."""
        entry = self._inventory.hosts[host]
        data = self._inventory.data_of(host)
        return TemplateVariables(
            host=host,
            facts=facts or Facts(),
            roles=entry.roles,
            groups=entry.ancestors,
            data=data,
            interfaces=(*self._interfaces, *map(str, data.get("interfaces") or ())),
        )

    def policy(self, host: str, facts: Facts) -> Policy:
        """All that is asked of a host with these facts; raises TemplateError."""
        roles = self._inventory.hosts[host].roles
        variables = self.variables(host, facts)
        defaults, *overrides = self._layers(host)
        return self._policies.resolve(
            self._templates.evaluate(BASE, variables),
            defaults,
            [self._templates.evaluate(role, variables) for role in roles],
            overrides,
            role_names=roles,
            interfaces=variables.interfaces,
        )

    def patterns(self, host: str) -> tuple[Key, ...]:
        """The keys to read, found without rendering: every key literal of templates and overrides."""
        roles = self._inventory.hosts[host].roles
        layers = self._layers(host)
        asked = (roles, *map(id, layers))
        known = self._patterns.get(asked)
        if known is None:
            literal = set().union(*(self._templates.keys_to_read(name) for name in (BASE, *roles)))
            literal.update(rule.pattern for rules in layers for rule in rules)
            known = self._patterns.setdefault(asked, read_patterns(literal))
        return known

    def left_to_read(self, host: str, policy: Policy, own: bytes | None) -> tuple[Key, ...]:
        """What `patterns` did not foresee: keys that an expression in a template made whole, and keys that only our
        file on the host still sets.
        """
        foreseen = self.patterns(host)
        asked = (id(policy), id(foreseen), own)
        known = self._left.get(asked)
        if known is None:
            named = {wanted.pattern for wanted in policy.wanted} | {pattern for pattern, _ in settings_of(own)}
            known = self._left.setdefault(asked, (policy, unforeseen(named, foreseen)))
        return known[1]

    def preflight(self, hosts: list[str]) -> None:
        """Try the templates for these hosts with sample facts; TemplateError has all problems."""
        self._templates.preflight(self.variables(host) for host in hosts)

    def _layers(self, host: str) -> list[tuple[Rule, ...]]:
        layers = self._overrides.get(host)
        if layers is None:
            layers = self._overrides.setdefault(host, override_layers(self._inventory, host))
        return layers
