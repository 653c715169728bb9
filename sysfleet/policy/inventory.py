"""The three files of the inventory, texts in, validated records out, with every problem at its file and line.

Knows Nornir's SimpleInventory format and our `data.roles` and `data.sysctl` in it; refuses to read files.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from sysfleet.errors import InventoryError, Problem
from sysfleet.policy.entries import Defaults, FleetInventory, GroupEntry, HostEntry
from sysfleet.policy.entry_fields import DEFAULTS_FIELDS, ENTRY_FIELDS, Draft, checked_name, read_entry
from sysfleet.policy.lineage import ancestors_of, cycles, parents_first
from sysfleet.policy.rule import Layer, Rule
from sysfleet.policy.yaml_fields import Findings, fields, nearest
from sysfleet.policy.yaml_text import Node, YamlProblem, compose

HOSTS_FILE = "inventory/hosts.yaml"
GROUPS_FILE = "inventory/groups.yaml"
DEFAULTS_FILE = "inventory/defaults.yaml"
_BASE = "base"


def parse_inventory(
    hosts_text: str,
    groups_text: str = "",
    defaults_text: str = "",
    *,
    known_roles: Collection[str],
    files: tuple[str, str, str] = (HOSTS_FILE, GROUPS_FILE, DEFAULTS_FILE),
) -> FleetInventory:
    """The inventory that three texts describe; InventoryError with all problems where they do not hold.

    `known_roles` are the names that have a template; `files` is how problems and origins name the texts.
    """
    of_hosts, of_groups, of_defaults = (Findings(file) for file in files)
    defaults = _defaults(_root(defaults_text, of_defaults), of_defaults)
    group_root = _root(groups_text, of_groups)
    groups_unread = bool(of_groups.problems)
    groups = _drafts(group_root, of_groups, Layer.GROUP)
    hosts = _drafts(_root(hosts_text, of_hosts), of_hosts, Layer.HOST)
    for findings, drafts in ((of_groups, groups), (of_hosts, hosts)):
        _check_roles(drafts.values(), known_roles, findings)
        if not groups_unread:
            _check_groups(drafts.values(), groups, findings)
    _check_cycles(groups, of_groups)
    problems = [problem for findings in (of_hosts, of_groups, of_defaults) for problem in _by_line(findings)]
    if problems:
        raise _refused(problems)
    return _linked(hosts, groups, defaults, files)


def override_layers(inventory: FleetInventory, host: str) -> list[tuple[Rule, ...]]:
    """The overrides that speak for a host, lowest first: defaults, groups with parents before children, host.

    Of the groups that an entry lists the first wins, so it comes last. The first layer is the defaults, also
    where they are empty; other entries without overrides are left out.
    """
    entry = inventory.hosts[host]
    parents = {name: inventory.groups[name].groups for name in entry.ancestors}
    order = parents_first(entry.groups, parents)
    layers = [*(inventory.groups[name].rules for name in order), entry.rules]
    return [inventory.defaults.rules, *(rules for rules in layers if rules)]


def _root(text: str, findings: Findings) -> Node | None:
    try:
        return compose(text, findings.file)
    except YamlProblem as error:
        findings.problems.append(error.problem)
        return None


def _drafts(root: Node | None, findings: Findings, layer: Layer) -> dict[str, Draft]:
    drafts: dict[str, Draft] = {}
    for name, line, node in fields(root, findings, "the file") if root is not None else ():
        if checked_name(name, line, findings, layer):
            drafts[name] = read_entry(name, line, node, findings, layer, ENTRY_FIELDS)
    return drafts


def _defaults(root: Node | None, findings: Findings) -> Defaults:
    if root is None:
        return Defaults(file=findings.file)
    draft = read_entry("defaults", root.line, root, findings, Layer.DEFAULTS, DEFAULTS_FIELDS)
    return Defaults(**draft.known, file=findings.file, line=root.line)


def _check_groups(drafts: Iterable[Draft], groups: Mapping[str, Draft], findings: Findings) -> None:
    for draft in drafts:
        for name, line in draft.groups:
            if name not in groups:
                findings.add(line, f"{draft.name}: there is no group {name!r}", nearest(name, groups))


def _check_roles(drafts: Iterable[Draft], known: Collection[str], findings: Findings) -> None:
    roles = sorted(name for name in known if name != _BASE)
    for draft in drafts:
        for name, line in draft.roles:
            if name == _BASE:
                hint = "templates/base.conf.j2 is for every host, leave it out"
                findings.add(line, f"{draft.name}: {name} is no role", hint)
            elif name not in known:
                hint = nearest(name, roles) or f"write templates/{name}.conf.j2"
                findings.add(line, f"{draft.name}: there is no role {name!r}", hint)


def _check_cycles(groups: Mapping[str, Draft], findings: Findings) -> None:
    parents = {name: [group for group, _ in draft.groups] for name, draft in groups.items()}
    for cycle in cycles(parents):
        line = next(line for name, line in groups[cycle[-1]].groups if name == cycle[0])
        way = " in ".join([*cycle, cycle[0]])
        findings.add(line, f"groups are in each other: {way}", "take one of them out of the other")


def _linked(
    hosts: Mapping[str, Draft], groups: Mapping[str, Draft], defaults: Defaults, files: tuple[str, str, str]
) -> FleetInventory:
    parents = {name: tuple(group for group, _ in draft.groups) for name, draft in groups.items()}
    ancestors: dict[tuple[str, ...], tuple[str, ...]] = {}

    def above(names: tuple[str, ...]) -> tuple[str, ...]:
        if names not in ancestors:
            ancestors[names] = ancestors_of(names, parents)
        return ancestors[names]

    group_entries = {
        name: GroupEntry(
            **draft.known,
            name=name,
            groups=parents[name],
            ancestors=above(parents[name]),
            file=files[1],
            line=draft.line,
        )
        for name, draft in groups.items()
    }
    host_entries: dict[str, HostEntry] = {}
    for name, draft in hosts.items():
        listed = tuple(group for group, _ in draft.groups)
        named = [*draft.roles, *(role for group in above(listed) for role in groups[group].roles)]
        host_entries[name] = HostEntry(
            **draft.known,
            name=name,
            groups=listed,
            ancestors=above(listed),
            roles=tuple(dict.fromkeys(role for role, _ in named)),
            file=files[0],
            line=draft.line,
        )
    return FleetInventory(host_entries, group_entries, defaults)


def _by_line(findings: Findings) -> list[Problem]:
    # A node that aliases share is read once for each of them.
    unique = dict.fromkeys(findings.problems)
    return sorted(unique, key=lambda problem: problem.line or 0)


def _refused(problems: list[Problem]) -> InventoryError:
    number = "one problem" if len(problems) == 1 else f"{len(problems)} problems"
    return InventoryError(f"the inventory has {number}", problems=problems)
