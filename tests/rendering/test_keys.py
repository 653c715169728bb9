"""The keys that have to be read for a template are found without evaluating it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.rendering import Templates
from sysfleet.sysctl.key import matches
from tests.rendering.cases import variables


def _keys(text: str, name: str = "base", **others: str) -> set[str]:
    texts = {"base.conf.j2": text, **{f"{other}.j2": content for other, content in others.items()}}
    return set(Templates(texts).keys_to_read(name))


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("# vm.no = 1\nvm.swappiness = 1\n", {"vm.swappiness"}),
        ("net/ipv4/ip_forward=1", {"net.ipv4.ip_forward"}),
        ("{% if facts.container %}\nvm.a = 1\n{% else %}\nvm.b = 1\n{% endif %}\n", {"vm.a", "vm.b"}),
        ("{% if x %}\nvm.a = 1\n{% elif y %}\nvm.b = 1\n{% endif %}\n", {"vm.a", "vm.b"}),
        ("net.ipv4.conf.{{ n }}.rp_filter = {{ nosuch }}\n", {"net.ipv4.conf.*.rp_filter"}),
        ("net.ipv4.conf.eth{{ n }}.rp_filter = 1\n", {"net.ipv4.conf.eth*.rp_filter"}),
        ("net.ipv4.conf.{% if a %}all{% else %}lo{% endif %}.rp_filter = 1\n", {"net.ipv4.conf.*.rp_filter"}),
        ("{% for n in x %}net.ipv4.conf.{{ n }}.rp_filter = 0{% endfor %}", {"net.ipv4.conf.*.rp_filter"}),
        ("{{ setting('vm.swappiness', 1) }}", {"vm.swappiness"}),
        ("{{ setting(key='vm.swappiness', value=1) }}", {"vm.swappiness"}),
        ("{{ setting('net.ipv4.conf.' ~ n ~ '.rp_filter', 1) }}", {"net.ipv4.conf.*.rp_filter"}),
        ("{{ setting('net.ipv4.conf.' + n + '.rp_filter', 1) }}", {"net.ipv4.conf.*.rp_filter"}),
        ("{{ setting('net.%s.conf.all.x' % f, 1) }}", {"net.*.conf.all.x"}),
        ("{{ setting('net.%s.conf.all.x' | format(f), 1) }}", {"net.*.conf.all.x"}),
        ("{{ setting('net.{}.conf.all.x'.format(f), 1) }}", {"net.*.conf.all.x"}),
        ("{{ setting('vm.' ~ ('a' if b else 'c'), 1) }}", {"vm.a", "vm.c"}),
        ("{% set s = setting('vm.a', 1) %}{% macro m() %}\nvm.b = 1\n{% endmacro %}", {"vm.a", "vm.b"}),
        ("{{ setting(key, 1) }}{{ whole_line }}\n{{ key }} = 1\n", set()),
        ("{% filter upper %}\nvm.a = 1\n{% endfilter %}{% set b %}\nvm.b = 1{% endset %}", {"vm.a", "vm.b"}),
    ],
)  # fmt: skip
def test_a_key_is_found_wherever_it_stands(text: str, keys: set[str]) -> None:
    assert _keys(text) == keys


def test_what_is_extended_included_and_imported_counts() -> None:
    others = {
        "web.conf": "{% extends 'base.conf.j2' %}{% block b %}{% include '_a.j2' %}{% endblock %}",
        "_a": "{% from '_b.j2' import m %}vm.a = 1",
        "_b": "{% macro m() %}\nvm.b = 1\n{% endmacro %}",
    }
    base = "vm.base = 1\n{% block b %}{% endblock %}\n"
    assert _keys(base, "web", **others) == {"vm.base", "vm.a", "vm.b"}
    assert _keys(base, "base", **others) == {"vm.base"}


_NAMES = st.sampled_from(["all", "default", "eth0", "en*"])
_LEAVES = st.sampled_from(["rp_filter", "log_martians", "accept_redirects"])
_LINES = st.one_of(
    st.tuples(_NAMES, _LEAVES).map(lambda at: f"net.ipv4.conf.{at[0]}.{at[1]} = 1"),
    _LEAVES.map(lambda leaf: f"{{% for n in data.names %}}\nnet.ipv4.conf.{{{{ n }}}}.{leaf} = 1\n{{% endfor %}}"),
    _LEAVES.map(lambda leaf: f"net.ipv4.conf.{{% if data.a %}}all{{% else %}}lo{{% endif %}}.{leaf} = 1"),
    _LEAVES.map(lambda leaf: f"{{{{ setting('net.ipv4.conf.' ~ data.name ~ '.{leaf}', 1) }}}}"),
)


@given(_LINES, st.sampled_from([True, False]), st.lists(_NAMES, unique=True), st.sampled_from(["eth1", "lo"]))
def test_every_key_that_an_evaluation_sets_is_among_those_to_read(
    line: str, a: object, names: list[str], name: str
) -> None:
    templates = Templates({"base.conf.j2": f"{line}\n"})
    found = templates.evaluate("base", variables(data={"a": a, "names": names, "name": name}))
    asked = templates.keys_to_read("base")
    for rule in found:
        assert any(pattern == rule.pattern or matches(pattern, rule.pattern) for pattern in asked)
