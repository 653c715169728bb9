"""Every rule knows the template line it came from, through all that Jinja2 does to lines."""

from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from sysfleet.policy.rule import Layer
from tests.rendering.cases import places, rules

BASE = "base.conf.j2"


def test_a_plain_line_and_a_call_know_their_lines() -> None:
    found = rules("\n# why\nvm.swappiness = 10\n\n{{ setting('vm.max_map_count', at_least=65530) }}\n")
    assert places(found) == [("vm.swappiness", BASE, 3), ("vm.max_map_count", BASE, 5)]


def test_every_turn_of_a_loop_has_the_line_inside_the_loop() -> None:
    found = rules("{% for n in ['a', 'b'] %}\n\nnet.ipv4.conf.{{ n }}.rp_filter = 1\n{% endfor %}\nvm.swappiness = 1\n")
    assert places(found) == [
        ("net.ipv4.conf.a.rp_filter", BASE, 3),
        ("net.ipv4.conf.b.rp_filter", BASE, 3),
        ("vm.swappiness", BASE, 5),
    ]


def test_a_loop_on_one_line_may_hold_a_call() -> None:
    text = "\n{% for n in ['a', 'b'] %}{{ setting('net.ipv4.conf.' ~ n ~ '.rp_filter', 1) }}{% endfor %}\n"
    assert places(rules(text)) == [
        ("net.ipv4.conf.a.rp_filter", BASE, 2),
        ("net.ipv4.conf.b.rp_filter", BASE, 2),
    ]


def test_a_tag_over_several_lines_does_not_move_what_follows() -> None:
    text = "{% for n in [\n'a',\n'b'] %}net.ipv4.conf.{{ n }}.rp_filter = 1\n{% endfor %}\n"
    assert {line for _, _, line in places(rules(text))} == {3}


def test_a_key_that_begins_with_an_expression_has_the_expressions_line() -> None:
    text = "{% set keys = ['vm.swappiness', 'kernel.sysrq'] %}\n{% for k in keys %}\n{{ k }} = 1\n{% endfor %}\n"
    assert places(rules(text)) == [("vm.swappiness", BASE, 3), ("kernel.sysrq", BASE, 3)]


def test_white_space_control_does_not_shift_lines() -> None:
    text = "\n\n{%- if true -%}\n\n\nvm.swappiness = 1\n{%- endif %}\n\n\nvm.max_map_count = 70000\n"
    assert places(rules(text)) == [("vm.swappiness", BASE, 6), ("vm.max_map_count", BASE, 10)]


def test_an_included_file_is_named_and_belongs_to_who_includes_it() -> None:
    shared = {
        "_net.conf.j2": "# shared\nnet.ipv4.tcp_sack = 1\n",
        "web.conf.j2": "\n{% include '_net.conf.j2' %}\n",
    }
    (in_base,) = rules("vm.swappiness = 1\n{% include '_net.conf.j2' %}\n", shared)[1:]
    (in_role,) = rules("", shared, "web")
    assert (in_base.origin.layer, in_base.origin.file, in_base.origin.line) == (
        Layer.BASE,
        "templates/_net.conf.j2",
        2,
    )
    assert (in_role.origin.layer, in_role.origin.name, in_role.origin.line) == (Layer.ROLE, "web", 2)


def test_what_a_role_extends_keeps_the_layer_base_also_through_an_include() -> None:
    base = "vm.swappiness = 1\n{% include '_net.j2' %}\n{% block b %}\nvm.stat_interval = 1\n{% endblock %}\n"
    others = {
        "_net.j2": "net.ipv4.tcp_sack = 1\n",
        "web.conf.j2": "{% extends 'base.conf.j2' %}\n{% block b %}\n{{ super() }}\n"
        "net.ipv4.tcp_rfc1337 = 1\n{% include '_own.j2' %}\n{% endblock %}\n",
        "_own.j2": "kernel.sysrq = 0\n",
    }
    found = rules(base, others, "web")
    assert [(rule.pattern, rule.origin.layer, rule.origin.file[10:], rule.origin.line) for rule in found] == [
        ("vm.swappiness", Layer.BASE, "base.conf.j2", 1),
        ("net.ipv4.tcp_sack", Layer.BASE, "_net.j2", 1),
        ("vm.stat_interval", Layer.BASE, "base.conf.j2", 4),
        ("net.ipv4.tcp_rfc1337", Layer.ROLE, "web.conf.j2", 4),
        ("kernel.sysrq", Layer.ROLE, "_own.j2", 1),
    ]


def test_what_base_includes_after_a_roles_block_is_still_base() -> None:
    base = "{% block b %}{% endblock %}{% include '_net.j2' %}"
    others = {
        "_net.j2": "net.ipv4.tcp_sack = 1\n",
        "web.conf.j2": "{% extends 'base.conf.j2' %}{% block b %}\nkernel.sysrq = 0\n{% endblock %}",
    }
    assert [rule.origin.layer for rule in rules(base, others, "web")] == [Layer.ROLE, Layer.BASE]


def test_a_macro_of_several_lines_has_its_own_lines() -> None:
    macro = "{% macro off(name) %}\n\nnet.ipv4.conf.{{ name }}.accept_redirects = 0\n{% endmacro %}\n"
    found = rules("\n{% import '_m.j2' as m %}\n{{ m.off('all') }}\n{{ m.off('default') }}\n", {"_m.j2": macro})
    assert {(file, line) for _, file, line in places(found)} == {("_m.j2", 3)}


def test_a_macro_that_gives_a_value_gives_it_without_marks() -> None:
    macro = "{% macro floor() %}\n4096\n{% endmacro %}\n"
    text = (
        macro
        + "{{ setting('net.core.somaxconn', at_least=floor() | int * 2) }}\n"
        + "vm.swappiness = {{ floor() | trim | length }}\n"
    )
    assert [str(rule.constraint) for rule in rules(text)] == [">= 8192", "4"]


def test_text_that_was_set_aside_is_as_written_and_compares_as_written() -> None:
    text = "{% set a %}\nvm.a = 0\n{% endset %}\n{% if a == 'vm.a = 0\n' %}\n{{ a }}{% endif %}\n"
    assert places(rules(text)) == [("vm.a", BASE, 6)]


def test_a_filtered_block_keeps_its_text_and_has_the_line_where_it_begins() -> None:
    text = "kernel.sysrq = 0\n\n{% filter replace('X', 'swappiness') %}\nvm.X = 1\n{% endfilter %}\n"
    assert places(rules(text))[1] == ("vm.swappiness", BASE, 3)


def test_comments_directly_above_belong_to_the_setting_and_nothing_else_does() -> None:
    text = "# a file's head\n\n#  one \n; two\nvm.swappiness = 1\n# three\nkernel.sysrq = 0\n"
    found = rules(text + "\nvm.max_map_count = 70000\n")
    assert [rule.origin.comments for rule in found] == [("one", "two"), ("three",), ()]
    assert [rule.origin.reason for rule in found] == ["one two", "three", None]


def test_settings_of_one_block_share_its_reason_but_not_its_comments() -> None:
    found = rules(
        "# why\nvm.swappiness = 1\nkernel.sysrq = 0\n{{ setting('vm.max_map_count', 70000, reason='own') }}\n"
    )
    assert [rule.origin.reason for rule in found] == ["why", "why", "own"]
    assert [rule.origin.comments for rule in found] == [("why",), (), ()]


_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Co", "Zl", "Zp"]), max_size=20)
_PLAIN = _WORDS.filter(lambda text: not re.search(r"\{[{%#]|[%#}]\}", text))
_PIECES = st.one_of(
    st.just(""),
    st.tuples(st.sampled_from(["#", ";", "  # "]), _PLAIN).map("".join),
    st.just("KEY = 1"),
    st.just("{{ setting('KEY', 1) }}"),
    st.just("{% if true %}\nKEY = 1\n{% endif %}"),
    st.just("{% for n in [\n1] %}KEY = {{ n }}\n{% endfor %}"),
    st.just("{# a note\nover lines #}"),
    st.just("  {%- if true %}\n\n  KEY = 1\n  {% endif -%}  \n"),
    st.just("{{ 'KEY' }} = {{ 1 }}"),
    st.just("{% raw %}\nKEY = 1\n{% endraw %}"),
)


@given(st.lists(_PIECES, max_size=12))
def test_whatever_stands_around_a_setting_its_line_is_right_and_no_mark_is_left(pieces: list[str]) -> None:
    text = "\n".join(pieces) + "\n"
    wanted: list[tuple[str, str, int]] = []
    while "KEY" in text:
        key = f"vm.made_up_{len(wanted)}"
        wanted.append((key, BASE, text[: text.index("KEY")].count("\n") + 1))
        text = text.replace("KEY", key, 1)
    found = rules(text)
    assert places(found) == wanted
    for rule in found:
        assert not re.search("[\x00-\x08\x0e-\x1f]", f"{rule.constraint}{rule.origin.reason}{rule.origin.comments}")


@given(st.lists(_PLAIN, min_size=1, max_size=5))
def test_comments_come_out_as_written(comments: list[str]) -> None:
    marked = [f"# {text}" for text in comments]
    (rule,) = rules("\n".join([*marked, "vm.swappiness = 1\n"]))
    assert rule.origin.comments == tuple(text.strip().lstrip("#;").strip() for text in marked)
