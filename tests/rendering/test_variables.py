"""What templates see of a host, and that nothing of it can end a line."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.errors import TemplateError
from sysfleet.host import Facts
from sysfleet.rendering import SAMPLE_FACTS, Templates
from sysfleet.rendering.variables import FACT_NAMES
from tests.rendering.cases import FACTS, problem, rules, variables

_LINE_ENDS = [
    "\n",
    "\r",
    "\r\n",
    "\v",
    "\f",
    "\x1c",
    "\x85",
    "\u2028",
    "\u2029",
    "\0",
    "\x01",
    "\x1b",
    "\ud800",
]


@pytest.mark.parametrize("end", _LINE_ENDS)
@pytest.mark.parametrize(
    "text",
    ["# {{ VALUE }}\n", "kernel.hostname = {{ VALUE }}\n", "{{ setting('kernel.hostname', VALUE) }}\n"],
)
def test_no_fact_and_no_data_can_begin_a_line_of_its_own(text: str, end: str) -> None:
    evil = f"a{end}net.ipv4.ip_forward = 1"
    for name in ("facts.hostname", "data.text", "data.many[0].text", "host"):
        found = problem(
            "\n" + text.replace("VALUE", name),
            facts=replace(FACTS, hostname=evil),
            data={"text": evil, "many": [{"text": evil}]},
            host=evil,
        )
        assert found.line == 2
        assert "a line break" in found.what or "the control character" in found.what
        assert found.what.isprintable()


@given(st.text())
def test_a_value_from_outside_is_a_comment_as_it_is_or_an_error(text: str) -> None:
    templates = Templates({"base.conf.j2": "# {{ data.text }}\nvm.swappiness = 1\n"})
    try:
        (rule,) = templates.evaluate("base", variables(data={"text": text}))
    except TemplateError:
        assert not text.isprintable()
        return
    assert rule.origin.comments == (text.strip(),)


def test_templates_see_the_host_as_it_is() -> None:
    text = (
        "# {{ host }} {{ role }} {{ roles | join('+') }} {{ groups | join('+') }} "
        "{{ interfaces | join('+') }} {{ facts.kernel }} {{ facts.loader }} {{ facts.container is none }} "
        "{{ data.list[1] }} {{ data.deep.er }}\n"
        "vm.swappiness = {{ facts.memory_kib // 1024 }}\n"
    )
    (rule,) = rules(
        "",
        {"web.conf.j2": text},
        "web",
        facts=replace(FACTS, loader=SAMPLE_FACTS[0].loader),
        roles=("web", "db"),
        groups=("ams",),
        interfaces=("en*", "eth0.100"),
        data={"list": [1, 2], "deep": {"er": "x"}},
    )
    assert rule.origin.comments == ("web1 web web+db ams en*+eth0/100 6.1.0 systemd True 2 x",)
    assert rule.constraint.operands == ("4",)


def test_data_whose_name_is_that_of_a_method_is_the_data() -> None:
    (rule,) = rules("vm.swappiness = {{ data.items + data.keys }}\n", data={"items": 3, "keys": 4})
    assert rule.constraint.operands == ("7",)


def test_an_interface_with_a_dot_makes_a_key_of_that_interface() -> None:
    text = "{% for name in interfaces %}\nnet.ipv4.conf.{{ name }}.rp_filter = 1\n{% endfor %}\n"
    assert [rule.pattern for rule in rules(text, interfaces=("eth0.100",))] == ["net.ipv4.conf.eth0/100.rp_filter"]


def test_a_template_cannot_change_what_others_see() -> None:
    assert "unsafe" in problem("\n{{ interfaces.append('x') }}\n", interfaces=("en*",)).what
    assert "unsafe" in problem("\n{{ data.update(a=1) }}\n").what


def test_nothing_random_and_nothing_that_moves_by_itself_can_enter_a_file() -> None:
    assert "No filter named 'random'" in problem("{{ [1, 2] | random }}").what
    assert "is undefined" in problem("# {{ lipsum() }}").what
    for name in ("uptime_s", "boot_id"):
        assert "is undefined" in problem("# {{ facts." + name + " }}").what


def test_hosts_that_look_alike_to_a_template_share_its_rules() -> None:
    text = "vm.swappiness = {{ data.swap }}\n{% if facts.container %}\nkernel.sysrq = 0\n{% endif %}\n"
    templates = Templates({"base.conf.j2": text})
    first = templates.evaluate("base", variables(data={"swap": 1, "other": [1]}))
    assert templates.evaluate("base", variables(host="web2", data={"swap": 1}, facts=Facts())) is first
    assert templates.evaluate("base", variables(data={"swap": 2})) is not first
    assert templates.evaluate("base", variables(data={"swap": 1}, facts=replace(FACTS, container="lxc"))) is not first


@pytest.mark.parametrize(
    ("text", "one", "other"),
    [
        ("# {{ data.x }}\nvm.swappiness = 1\n", {"x": 1}, {"x": True}),
        ("# {{ data.x }}\nvm.swappiness = 1\n", {"x": 1}, {"x": 1.0}),
        ("# {{ data.x }}\nvm.swappiness = 1\n", {"x": {"a": 1, "b": 2}}, {"x": {"b": 2, "a": 1}}),
        ("# {{ data.x }}\nvm.swappiness = 1\n", {"x": [1]}, {"x": [[1]]}),
        ("# {{ data }}\nvm.swappiness = 1\n", {"x": 1}, {"y": 1}),
        ("# {{ data['x'] }}\nvm.swappiness = 1\n", {"x": 1}, {"x": 2}),
        ("# {{ data | attr('x') | default(data.get('x')) }}\nvm.swappiness = 1\n", {"x": 1}, {"x": 2}),
        ("# {{ data.x is defined }}\nvm.swappiness = 1\n", {"x": 1}, {}),
        ("{% set d = data %}\n# {{ d.x }}\nvm.swappiness = 1\n", {"x": 1}, {"x": 2}),
        ("{% import '_m.j2' as m with context %}\n# {{ m.show() }}\nvm.swappiness = 1\n", {"x": 1}, {"x": 2}),
        ("{% include '_i.j2' %}\nvm.swappiness = 1\n", {"x": 1}, {"x": 2}),
    ],
)  # fmt: skip
def test_hosts_that_differ_in_what_a_template_uses_get_their_own_rules(text: str, one: Any, other: Any) -> None:
    shared = {"_m.j2": "{% macro show() %}{{ data.x }}{% endmacro %}", "_i.j2": "# {{ data.x }}"}
    texts = {"base.conf.j2": text, **shared}
    together = Templates(texts)
    for data in (one, other):
        given = variables(data=data)
        assert together.evaluate("base", given) == Templates(texts).evaluate("base", given)


def test_every_fact_but_the_moving_ones_tells_hosts_apart() -> None:
    texts = {"base.conf.j2": "# {{ facts }}\nvm.swappiness = 1\n"}
    templates = Templates(texts)
    first = templates.evaluate("base", variables(facts=Facts()))
    changed: dict[str, Any] = {"int": 7, "bool": None, "float": 7.0}
    for each in fields(Facts):
        now = getattr(Facts(), each.name)
        other = (("/proc/sys", True),) if each.name == "mounts" else ("x",) if now == () else "x"
        facts = replace(Facts(), **{each.name: changed.get(type(now).__name__, other)})
        moved = templates.evaluate("base", variables(facts=facts)) is not first
        assert moved is (each.name in FACT_NAMES), each.name


@pytest.mark.parametrize("name", ["host", "roles", "groups", "interfaces"])
def test_each_variable_that_a_template_uses_tells_hosts_apart(name: str) -> None:
    templates = Templates({"base.conf.j2": f"# {{{{ {name} }}}}\nvm.swappiness = 1\n"})
    values: list[Any] = ["a", "b"] if name == "host" else [("a",), ("b",)]
    one, other = (variables(**{name: value}) for value in values)
    assert templates.evaluate("base", one) != templates.evaluate("base", other)
