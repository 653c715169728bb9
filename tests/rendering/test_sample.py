"""The project's own templates, for every host of its own inventory."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sysfleet.policy.inventory import override_layers, parse_inventory
from sysfleet.policy.layers import resolve
from sysfleet.policy.rule import Policy
from sysfleet.rendering import SAMPLE_FACTS, Templates, TemplateVariables
from sysfleet.sample import sample_folder
from sysfleet.sysctl.key import Key, interface_of, is_glob, matches
from sysfleet.sysctl.knowledge import is_one_way, lookup

TEMPLATES = Templates.load(sample_folder("templates"))
INVENTORY = parse_inventory(
    *((sample_folder("inventory") / f"{name}.yaml").read_text() for name in ("hosts", "groups", "defaults")),
    known_roles=TEMPLATES.roles,
)
HOSTS = sorted(INVENTORY.hosts)
BARE, CONTAINER = SAMPLE_FACTS
INTERFACES = ("en*", "eth*", "bond*")

# What the article that this project grew from is about, with its errors corrected.
INTENTS = {
    "net.ipv4.ip_forward": "0",
    "net.ipv6.conf.all.forwarding": "0",
    "net.ipv4.conf.all.accept_redirects": "0",
    "net.ipv4.conf.default.accept_redirects": "0",
    "net.ipv4.conf.en*.accept_redirects": "0",
    "net.ipv6.conf.all.accept_redirects": "0",
    "net.ipv6.conf.default.accept_redirects": "0",
    "net.ipv6.conf.en*.accept_redirects": "0",
    "net.ipv4.conf.all.send_redirects": "0",
    "net.ipv4.conf.default.send_redirects": "0",
    "net.ipv4.conf.en*.send_redirects": "0",
    "net.ipv4.conf.all.accept_source_route": "0",
    "net.ipv4.tcp_syncookies": "1",
    "net.core.somaxconn": ">= 4096",
    "net.ipv4.tcp_max_syn_backlog": ">= 2048",
    "net.ipv4.icmp_echo_ignore_broadcasts": "1",
    "net.ipv4.icmp_ignore_bogus_error_responses": "1",
    "net.ipv4.conf.all.log_martians": "1",
    "net.ipv4.tcp_tw_reuse": "1",
    "net.ipv4.tcp_rfc1337": "1",
    "net.ipv4.tcp_fin_timeout": "<= 30",
}


def _variables(host: str, **given: object) -> TemplateVariables:
    entry = INVENTORY.hosts[host]
    data = {**INVENTORY.data_of(host), **given}
    return TemplateVariables(host, BARE, entry.roles, entry.ancestors, data, INTERFACES)


def _policy(variables: TemplateVariables, host: str) -> Policy:
    defaults, *overrides = override_layers(INVENTORY, host)
    roles = [TEMPLATES.evaluate(role, variables) for role in variables.roles]
    return resolve(TEMPLATES.evaluate("base", variables), defaults, roles, overrides, role_names=variables.roles)


def _values(role: str, **data: object) -> dict[str, str]:
    variables = TemplateVariables("h", BARE, (role,), (), data, INTERFACES)
    policy = resolve(TEMPLATES.evaluate("base", variables), (), [TEMPLATES.evaluate(role, variables)], ())
    return {wanted.pattern: str(wanted.constraint) for wanted in policy.wanted}


def test_the_whole_fleet_passes_the_preflight() -> None:
    assert len(HOSTS) >= 8
    TEMPLATES.preflight(_variables(host) for host in HOSTS)
    TEMPLATES.preflight(_variables(host, uplink="eth0.7", ipv6_static=True) for host in HOSTS)


@pytest.mark.parametrize("host", HOSTS)
def test_a_host_has_a_policy_without_clash_and_every_setting_its_reason(host: str) -> None:
    for facts in SAMPLE_FACTS:
        policy = _policy(replace(_variables(host), facts=facts), host)
        assert not policy.clashes
        for wanted in policy.wanted:
            templates = [rule for rule in wanted.chain if rule.origin.file.startswith("templates/")]
            assert all(rule.origin.reason for rule in templates)


@pytest.mark.parametrize("name", ["base", *TEMPLATES.roles])
def test_every_key_is_known_writable_and_among_those_that_are_read(name: str) -> None:
    asked = TEMPLATES.keys_to_read(name)
    for data in ({}, {"uplink": "eth0.7", "ipv6_static": True}):
        for rule in TEMPLATES.evaluate(name, TemplateVariables("h", BARE, data=data, interfaces=INTERFACES)):
            known = lookup(rule.pattern)
            assert known is not None
            assert not known.read_only
            assert not any(is_one_way(rule.pattern, text) for text in rule.constraint.operands)
            assert any(pattern == rule.pattern or matches(pattern, rule.pattern) for pattern in asked)


@pytest.mark.parametrize("name", ["base", *TEMPLATES.roles])
def test_a_container_gets_only_what_it_may_write_and_what_every_kernel_has(name: str) -> None:
    for rule in TEMPLATES.evaluate(name, TemplateVariables("h", CONTAINER, interfaces=INTERFACES)):
        known = lookup(rule.pattern)
        assert known is not None
        assert known.namespaced == "net", rule.pattern
        assert not rule.pattern.startswith("net.ipv6.")


def test_base_has_every_intent_of_the_article() -> None:
    variables = TemplateVariables("h", BARE, interfaces=INTERFACES)
    found = {rule.pattern: str(rule.constraint) for rule in TEMPLATES.evaluate("base", variables)}
    assert {key: found.get(Key(key)) for key in INTENTS} == INTENTS


def test_no_interface_that_was_found_on_the_host_is_named() -> None:
    variables = TemplateVariables("h", BARE, interfaces=INTERFACES)
    for name in ("base", *TEMPLATES.roles):
        names = {interface_of(rule.pattern) for rule in TEMPLATES.evaluate(name, variables)}
        assert all(each in (None, "all", "default") or is_glob(each) for each in names)


def test_a_router_forwards_and_still_takes_and_sends_no_redirects() -> None:
    values = _values("router", uplink="eth0.7")
    assert values["net.ipv4.ip_forward"] == values["net.ipv6.conf.all.forwarding"] == "1"
    assert {value for key, value in values.items() if key.endswith(".forwarding")} == {"1"}
    assert {value for key, value in values.items() if key.endswith("_redirects")} == {"0"}
    assert values["net.ipv4.conf.all.rp_filter"] == "2"
    assert values["net.ipv6.conf.eth0/7.accept_ra"] == "2"


def test_roles_differ_where_they_should() -> None:
    web, db, bastion = _values("web", backlog=16384), _values("db"), _values("bastion")
    assert web["net.core.somaxconn"] == web["net.ipv4.tcp_max_syn_backlog"] == ">= 16384"
    assert (db["vm.swappiness"], db["net.ipv4.ip_forward"]) == ("<= 10", "0")
    assert {value for key, value in bastion.items() if key.endswith(".rp_filter")} == {"1"}
    assert bastion["kernel.yama.ptrace_scope"] == ">= 2"
