"""How base, defaults, roles, groups and host add up to one policy."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from sysfleet.policy.constraint import Constraint, Kind
from sysfleet.policy.layers import PolicyCache, resolve
from sysfleet.policy.rule import Layer, Origin, Policy, Rule
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.order import write_rank

SWAP = Key("vm.swappiness")
SOMAXCONN = Key("net.core.somaxconn")


def _rule(layer: Layer, name: str, constraint: str = "value 1", key: Key = SWAP, line: int = 1) -> Rule:
    kind, *operands = constraint.split()
    return Rule(key, Constraint(Kind(kind), tuple(operands)), Origin(layer, name, f"{name}.file", line))


BASE = _rule(Layer.BASE, "base", "value 10")
DEFAULTS = _rule(Layer.DEFAULTS, "defaults", "value 20")
WEB = _rule(Layer.ROLE, "web", "value 30")
SITE = _rule(Layer.GROUP, "site", "value 40")
RACK = _rule(Layer.GROUP, "rack", "value 50")
HOST = _rule(Layer.HOST, "web1", "value 60")


def _value(policy: Policy) -> str:
    (wanted,) = policy.wanted
    return str(wanted.constraint)


def test_each_layer_beats_those_below_it_and_the_chain_remembers_all() -> None:
    layers = [BASE, DEFAULTS, WEB, SITE, RACK, HOST]
    for top in range(1, 7):
        held = [(rule,) if at < top else () for at, rule in enumerate(layers)]
        policy = resolve(held[0], held[1], [held[2]], held[3:], role_names=("web",))
        (wanted,) = policy.wanted
        assert wanted.chain == tuple(layers[:top])
        assert (wanted.constraint, wanted.origin) == (layers[top - 1].constraint, layers[top - 1].origin)
        assert policy.roles == ("web",)


def test_an_override_replaces_the_whole_constraint() -> None:
    policy = resolve([_rule(Layer.BASE, "base", "at_least 10")], [], [], [[_rule(Layer.GROUP, "g", "at_most 5")]])
    assert _value(policy) == "<= 5"


def test_an_override_may_name_a_key_of_no_template() -> None:
    assert _value(resolve([], [], [], [[HOST]])) == "60"


def test_roles_are_intersected_and_base_is_not() -> None:
    base = _rule(Layer.BASE, "base", "at_most 5")
    web, db = _rule(Layer.ROLE, "web", "at_least 10"), _rule(Layer.ROLE, "db", "at_least 30")
    for roles in ([[web], [db]], [[db], [web]]):
        (wanted,) = resolve([base], [], roles, []).wanted
        assert str(wanted.constraint) == ">= 30"
        assert wanted.origin.name == "db"
        assert wanted.chain == (base, *(rule for (rule,) in roles))


def test_a_floor_of_one_role_and_a_ceiling_of_another_hold_together() -> None:
    web, db = _rule(Layer.ROLE, "web", "at_least 10"), _rule(Layer.ROLE, "db", "at_most 30")
    assert _value(resolve([], [], [[web], [db]], [])) == ">= 10 and <= 30"


def test_roles_that_leave_nothing_clash_and_both_are_named() -> None:
    web, db = _rule(Layer.ROLE, "web", "value 1"), _rule(Layer.ROLE, "db", "value 2")
    policy = resolve([BASE], [DEFAULTS], [[web], [db]], [])
    assert policy.wanted == ()
    (clash,) = policy.clashes
    assert (clash.pattern, clash.first, clash.second) == (SWAP, web, db)


def test_of_three_roles_the_two_that_clash_are_named() -> None:
    one = _rule(Layer.ROLE, "one", "at_most 50")
    two = _rule(Layer.ROLE, "two", "at_least 10")
    three = _rule(Layer.ROLE, "three", "value 60")
    four = _rule(Layer.ROLE, "four", "value 70")
    (clash,) = resolve([], [], [[one], [two], [three], [four]], []).clashes
    assert (clash.first, clash.second) == (one, three)


def test_roles_that_clash_only_all_together_name_the_last_two() -> None:
    rules = [_rule(Layer.ROLE, name, f"one_of {a} {b}") for name, a, b in [("a", 1, 2), ("b", 2, 3), ("c", 3, 1)]]
    (clash,) = resolve([], [], [[rule] for rule in rules], []).clashes
    assert (clash.first, clash.second) == (rules[1], rules[2])


def test_a_group_or_the_host_decides_a_clash() -> None:
    web, db = _rule(Layer.ROLE, "web", "value 1"), _rule(Layer.ROLE, "db", "value 2")
    policy = resolve([], [], [[web], [db]], [[SITE]])
    assert policy.clashes == ()
    (wanted,) = policy.wanted
    assert wanted.chain == (web, db, SITE)
    assert wanted.origin is SITE.origin


def test_what_a_role_repeats_of_base_stays_below_the_defaults() -> None:
    policy = resolve([BASE], [DEFAULTS], [[BASE]], [])
    assert _value(policy) == "20"
    assert policy.wanted[0].chain == (BASE, DEFAULTS)


def test_a_base_line_that_comes_out_differently_for_a_role_counts() -> None:
    other = _rule(Layer.BASE, "base", "value 11")
    assert _value(resolve([BASE], [], [[other]], [])) == "11"


def test_an_absent_key_is_wanted_to_be_absent() -> None:
    (wanted,) = resolve([BASE], [], [], [[_rule(Layer.HOST, "web1", "absent")]]).wanted
    assert wanted.constraint == Constraint(Kind.ABSENT)


def test_patterns_are_kept_apart_even_where_one_matches_the_other() -> None:
    glob, key = Key("net.ipv4.conf.e*.rp_filter"), Key("net.ipv4.conf.eth0.rp_filter")
    policy = resolve([_rule(Layer.BASE, "base", key=glob)], [], [], [[_rule(Layer.HOST, "h", key=key)]])
    assert [wanted.pattern for wanted in policy.wanted] == [glob, key]


_KEYS = st.sampled_from(
    [
        Key(name)
        for name in (
            "net.ipv4.ip_forward",
            "net.ipv4.conf.all.accept_redirects",
            "net.ipv4.conf.en*.accept_redirects",
            "net.ipv6.conf.all.forwarding",
            "net.core.somaxconn",
            "vm.swappiness",
        )
    ]
)


@given(st.permutations(range(6)), st.lists(_KEYS, unique=True, min_size=2))
def test_the_order_of_the_result_is_that_of_writing_whatever_order_rules_come_in(
    order: list[int], keys: list[Key]
) -> None:
    rules = [_rule(Layer.BASE, "base", key=key) for key in keys]
    shuffled = [rules[at] for at in order if at < len(rules)]
    found = [wanted.pattern for wanted in resolve(shuffled, [], [], []).wanted]
    assert found == sorted(found, key=lambda key: (write_rank(key), key))
    assert found == [wanted.pattern for wanted in resolve(rules, [], [], []).wanted]


def test_hosts_with_the_very_same_layers_share_one_policy() -> None:
    cache = PolicyCache()
    base, web, site = (BASE,), (WEB,), (SITE,)
    first = cache.resolve(base, (), [web], [site, ()], role_names=("web",))
    assert cache.resolve(base, (), [web], [site, ()], role_names=("web",)) is first
    assert first == resolve(base, (), [web], [site, ()], role_names=("web",))


def test_other_layers_other_places_or_other_names_get_their_own_policy() -> None:
    cache = PolicyCache()
    base, web, site = (BASE,), (WEB,), (SITE,)
    policies = [
        cache.resolve(base, (), [web], [site], role_names=("web",)),
        cache.resolve(base, (), [web, site], [], role_names=("web",)),
        cache.resolve(base, web, [], [site], role_names=("web",)),
        cache.resolve(base, (), [web], [site], role_names=("db",)),
        cache.resolve(base, (), [web], [(SITE, _rule(Layer.GROUP, "g", key=SOMAXCONN))], role_names=("web",)),
    ]
    assert len({id(policy) for policy in policies}) == len(policies)


def test_a_policy_is_not_found_by_the_identity_of_rules_that_are_gone() -> None:
    cache = PolicyCache()
    for rule in [_rule(Layer.BASE, "base", f"value {number}") for number in range(200)]:
        policy = cache.resolve((rule,), (), [], [])
        assert policy.wanted[0].origin is rule.origin
