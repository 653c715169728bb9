"""What a good inventory becomes: records, inheritance, roles and layers of overrides."""

import datetime as dt
import pickle
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from nornir.core.inventory import Defaults, Group, Groups, Host, ParentGroups

from sysfleet.policy.constraint import Constraint, Kind
from sysfleet.policy.entries import FleetInventory, Secret
from sysfleet.policy.inventory import override_layers, parse_inventory
from sysfleet.policy.lineage import ancestors_of, cycles, parents_first
from sysfleet.policy.rule import Layer

ROOT = Path(__file__).parents[2]

HOSTS = """\
web1:
  hostname: 192.0.2.11
  port: 2222
  groups: [web, ams]
  data:
    rack: 7
    sysctl:
      net.ipv4.conf.all.log_martians: 0
web2:
  groups:
    - ams
    - web
bare:
"""
GROUPS = """\
linux:
  username: root
  data:
    site: nowhere
    sysctl: {net.core.somaxconn: 1024}
web:
  groups: [linux]
  data:
    roles: [web, tls]
    sysctl:
      net.core.somaxconn: {at_least: 4096, reason: bursts, ticket: NET-12, expires: 2027-03-31, cite: [a, b]}
ams:
  groups: [linux]
  password: swordfish
  data:
    site: ams
    roles: [tls]
    sysctl: {net.core.somaxconn: 2048}
"""
DEFAULTS = """\
username: ops
platform: linux
data: {contact: noc, sysctl: {kernel.panic: 10}}
"""


def read(hosts: str = HOSTS, groups: str = GROUPS, defaults: str = DEFAULTS) -> FleetInventory:
    return parse_inventory(hosts, groups, defaults, known_roles={"web", "tls", "db"})


def test_a_host_keeps_what_it_says_and_where() -> None:
    host = read().hosts["web1"]
    assert (host.name, host.hostname, host.port, host.groups) == ("web1", "192.0.2.11", 2222, ("web", "ams"))
    assert (host.file, host.line) == ("inventory/hosts.yaml", 1)
    assert host.data == {"rack": 7}


def test_a_host_without_fields_is_a_host() -> None:
    host = read().hosts["bare"]
    assert (host.line, host.groups, host.roles, host.rules) == (13, (), (), ())


def test_all_groups_of_a_host_come_nearest_first() -> None:
    assert read().hosts["web1"].ancestors == ("web", "linux", "ams")
    assert read().hosts["web2"].ancestors == ("ams", "linux", "web")


def test_roles_are_those_of_all_groups_in_order_without_duplicates() -> None:
    assert read().hosts["web1"].roles == ("web", "tls")
    assert read().hosts["web2"].roles == ("tls", "web")


def test_a_hosts_own_roles_come_first() -> None:
    hosts = "web1: {groups: [web], data: {roles: [db]}}"
    assert read(hosts).hosts["web1"].roles == ("db", "web", "tls")


def test_an_override_carries_its_whole_story() -> None:
    (rule,) = read().groups["web"].rules
    assert rule.pattern == "net.core.somaxconn"
    assert rule.constraint == Constraint(Kind.AT_LEAST, ("4096",))
    origin = rule.origin
    assert (origin.layer, origin.name, origin.file, origin.line) == (
        Layer.GROUP,
        "web",
        "inventory/groups.yaml",
        11,
    )
    assert (origin.reason, origin.ticket, origin.expires) == ("bursts", "NET-12", dt.date(2027, 3, 31))
    assert origin.cite == ("a", "b")


def test_the_short_form_is_a_value() -> None:
    (rule,) = read().hosts["web1"].rules
    assert rule.constraint == Constraint(Kind.VALUE, ("0",))
    assert (rule.origin.layer, rule.origin.name, rule.origin.line) == (Layer.HOST, "web1", 8)


@pytest.mark.parametrize(
    ("written", "kind", "operands"),
    [
        ("010", Kind.VALUE, ("010",)),
        ("yes", Kind.VALUE, ("yes",)),
        ("10:20", Kind.VALUE, ("10:20",)),
        ("0x10", Kind.VALUE, ("0x10",)),
        ("'true'", Kind.VALUE, ("true",)),
        ('"1.5"', Kind.VALUE, ("1.5",)),
        ("!!str null", Kind.VALUE, ("null",)),
        ("2027-03-31", Kind.VALUE, ("2027-03-31",)),
        ("1 2 3", Kind.VALUE, ("1 2 3",)),
        ("{value: 010}", Kind.VALUE, ("010",)),
        ("{at_most: 5}", Kind.AT_MOST, ("5",)),
        ("{one_of: [yes, 010]}", Kind.ONE_OF, ("yes", "010")),
        ("{absent: true}", Kind.ABSENT, ()),
    ],
)
def test_a_scalar_is_the_text_as_written(written: str, kind: Kind, operands: tuple[str, ...]) -> None:
    (rule,) = read(f"a: {{data: {{sysctl: {{x.unknown: {written}}}}}}}").hosts["a"].rules
    assert rule.constraint == Constraint(kind, operands)


@pytest.mark.parametrize(
    ("written", "pattern"),
    [
        ("net/ipv4/conf/eth0.100/rp_filter", "net.ipv4.conf.eth0/100.rp_filter"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.eth0/100.rp_filter"),
        ("net.ipv4.conf.en*.rp_filter", "net.ipv4.conf.en*.rp_filter"),
        ("net/ipv6/conf/eth[0-3]/accept_ra", "net.ipv6.conf.eth[0-3].accept_ra"),
    ],
)
def test_a_key_is_dotted_or_slashed_and_may_have_a_glob_for_an_interface(written: str, pattern: str) -> None:
    (rule,) = read(f"a: {{data: {{sysctl: {{'{written}': 1}}}}}}").hosts["a"].rules
    assert rule.pattern == pattern


def test_layers_go_from_defaults_over_parents_and_groups_to_the_host() -> None:
    layers = override_layers(read(), "web1")
    assert [[rule.origin.name for rule in layer] for layer in layers] == [
        ["defaults"],
        ["linux"],
        ["ams"],
        ["web"],
        ["web1"],
    ]


def test_of_the_groups_that_a_host_lists_the_first_wins() -> None:
    hosts = "one: {groups: [web, ams]}\ntwo: {groups: [ams, web]}"
    inventory = read(hosts)
    assert override_layers(inventory, "one")[-1][0].origin.name == "web"
    assert override_layers(inventory, "two")[-1][0].origin.name == "ams"


def test_the_first_layer_is_the_defaults_even_without_overrides() -> None:
    assert override_layers(read("a:", "", ""), "a") == [()]


def test_data_is_inherited_and_the_nearest_wins() -> None:
    inventory = read()
    assert inventory.data_of("web1") == {
        "contact": "noc",
        "site": "nowhere",
        "roles": ["web", "tls"],
        "rack": 7,
    }
    assert inventory.data_of("web2")["site"] == "ams"
    assert "sysctl" not in inventory.data_of("web1")


def test_connections_are_inherited_and_a_name_is_the_last_address() -> None:
    inventory = read()
    way = inventory.connection_of("web1")
    assert (way.hostname, way.port, way.username, way.platform) == ("192.0.2.11", 2222, "root", "linux")
    assert way.password == Secret("swordfish")
    assert inventory.connection_of("bare").hostname == "bare"
    assert inventory.connection_of("bare").username == "ops"


def test_options_of_one_connection_beat_what_holds_for_all() -> None:
    hosts = "a: {port: 22, connection_options: {x: {port: 23, password: p, extras: {depth: 1}}}}"
    inventory = read(hosts, "", "connection_options: {x: {username: low, extras: {no: 1}}, y: {username: other}}")
    way = inventory.connection_of("a", "x")
    assert (way.port, way.username, way.extras) == (23, "low", {"depth": 1})
    assert inventory.connection_of("a", "y").username == "other"
    assert inventory.connection_of("a").username is None


def test_no_password_shows_in_any_representation() -> None:
    inventory = read("a: {password: hunter2, connection_options: {x: {password: hunter2, extras: {secret: hunter2}}}}")
    assert inventory.hosts["a"].password == Secret("hunter2")
    assert "hunter2" not in f"{inventory!r} {inventory.hosts['a'].password}"


def test_an_inventory_pickles() -> None:
    inventory = read()
    assert pickle.loads(pickle.dumps(inventory)) == inventory


def test_candidates_have_all_groups_roles_and_inherited_data() -> None:
    candidate = next(each for each in read().candidates() if each.name == "web2")
    assert candidate.groups == ("ams", "linux", "web")
    assert candidate.roles == ("tls", "web")
    assert candidate.data["site"] == "ams"


@pytest.mark.parametrize("empty", ["", "# nothing\n", "---\n", "~", "{}"])
def test_empty_files_are_no_problem(empty: str) -> None:
    assert read(empty, empty, empty).hosts == {}


def test_scalars_of_data_mean_what_yaml_1_2_says() -> None:
    data = "{a: yes, b: 010, c: 10:20, d: true, e: ~, f: 1.5, g: '1', h: 2027-03-31, i: [0x10, {j: 1}], k: .inf}"
    assert read(f"a: {{data: {data}}}").hosts["a"].data == {
        "a": "yes",
        "b": 10,
        "c": "10:20",
        "d": True,
        "e": None,
        "f": 1.5,
        "g": "1",
        "h": "2027-03-31",
        "i": [16, {"j": 1}],
        "k": float("inf"),
    }


def test_names_are_texts_whatever_yaml_would_make_of_them() -> None:
    assert list(read("no: {}\n10: {}\ntrue: {}").hosts) == ["no", "10", "true"]


def test_anchors_and_merges_are_followed() -> None:
    hosts = "a: &a {port: 1, data: &d {x: 1}}\nb: {<<: *a, port: 2}\nc: {<<: [*a], data: {<<: *d, y: 2}}"
    inventory = read(hosts)
    assert (inventory.hosts["b"].port, inventory.hosts["b"].data) == (2, {"x": 1})
    assert (inventory.hosts["c"].port, inventory.hosts["c"].data) == (1, {"y": 2, "x": 1})


def test_the_sample_fleet_holds() -> None:
    texts = [
        (ROOT / "inventory" / f"{name}.yaml").read_text(encoding="utf-8") for name in ("hosts", "groups", "defaults")
    ]
    templates = {path.name.removesuffix(".conf.j2") for path in (ROOT / "templates").glob("*.conf.j2")}
    inventory = parse_inventory(*texts, known_roles=templates)
    assert len(inventory.hosts) >= 8
    assert {role for host in inventory.hosts.values() for role in host.roles} == {
        "web",
        "db",
        "router",
        "bastion",
    }
    assert {inventory.data_of(name)["site"] for name in inventory.hosts} == {"ams", "fra"}
    rules = [rule for name in inventory.hosts for layer in override_layers(inventory, name) for rule in layer]
    assert {rule.origin.layer for rule in rules} == {Layer.GROUP, Layer.HOST}
    explained = [rule for rule in rules if rule.pattern != "net.ipv4.tcp_keepalive_time"]
    assert all(rule.origin.reason and rule.origin.ticket for rule in explained)


_NAMES = st.sampled_from(["a", "b", "c", "d", "e", "f"])
_PARENTS = st.dictionaries(_NAMES, st.lists(_NAMES, unique=True, max_size=4), max_size=6)


def _complete(parents: dict[str, list[str]]) -> dict[str, list[str]]:
    """The same with every name known, and without cycles: a parent comes later in the alphabet."""
    return {name: [each for each in parents.get(name, []) if each > name] for name in "abcdef"}


@given(_PARENTS, st.lists(_NAMES, unique=True, max_size=4))
def test_ancestors_are_nornirs(drawn: dict[str, list[str]], listed: list[str]) -> None:
    parents = _complete(drawn)
    groups = Groups({name: Group(name, defaults=Defaults()) for name in parents})
    for name, above in parents.items():
        groups[name].groups = ParentGroups(groups[each] for each in above)
    host = Host("host", groups=ParentGroups(groups[name] for name in listed), defaults=Defaults())
    assert list(ancestors_of(listed, parents)) == [group.name for group in host.extended_groups()]


@given(_PARENTS, st.lists(_NAMES, unique=True, max_size=4))
def test_every_parent_comes_before_its_children(drawn: dict[str, list[str]], listed: list[str]) -> None:
    parents = _complete(drawn)
    order = parents_first(listed, parents)
    assert sorted(order) == sorted(ancestors_of(listed, parents))
    assert all(order.index(parent) < order.index(name) for name in order for parent in parents[name])


@given(_PARENTS)
def test_cycles_are_found_where_a_group_is_above_itself_and_only_there(parents: dict[str, list[str]]) -> None:
    def above_itself(name: str) -> bool:
        seen: set[str] = set()
        waiting = list(parents.get(name, []))
        while waiting:
            here = waiting.pop()
            if here not in seen:
                seen.add(here)
                waiting += parents.get(here, [])
        return name in seen

    found = cycles(parents)
    assert bool(found) == any(above_itself(name) for name in parents)
    for cycle in found:
        assert all(parent in parents[name] for name, parent in zip(cycle, (*cycle[1:], cycle[0]), strict=True))


def test_a_ladder_of_shared_parents_is_walked_once() -> None:
    ladder = {f"g{step}": [f"g{step + 1}", f"h{step + 1}"] for step in range(3000)}
    ladder |= {f"h{step}": [f"g{step + 1}", f"h{step + 1}"] for step in range(3000)} | {
        "g3000": [],
        "h3000": [],
    }
    assert cycles(ladder) == []
    assert len(ancestors_of(["g0"], ladder)) == len(parents_first(["g0"], ladder)) == 6001
