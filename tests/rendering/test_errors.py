"""Whatever is wrong with a template is said with file and line, and with what was probably meant."""

from __future__ import annotations

import pickle

import pytest

from sysfleet.errors import TemplateError
from sysfleet.rendering import Templates
from tests.rendering.cases import problem, problems, rules, variables


@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ("\n{% if %}\n", 2, "Expected an expression", None),
        ("\n\n{% for a in [1] %}\n", 3, "Unexpected end of template", None),
        ("\n{{ 1 | nosuch }}\n", 2, "No filter named 'nosuch'", None),
        ("\n\nvm.swappiness = {{ swapiness }}\n", 3, "'swapiness' is undefined", None),
        ("\nvm.swappiness = {{ fact.cpus }}\n", 2, "'fact' is undefined", "did you mean 'facts'?"),
        ("vm.swappiness = {{ facts.memory_kb }}\n", 1, "facts.memory_kb is", "did you mean 'memory_kib'?"),
        ("vm.swappiness = {{ data.swap }}\n", 1, "the data has no 'swap'", "did you mean 'swappy'?"),
        ("{% if data.nosuch %}{% endif %}\n", 1, "the data has no 'nosuch'", "it has swappy, deep"),
        ("vm.swappiness = {{ data.deep.inner }}\n", 1, "the data has no 'inner'", "it has level"),
        ("{{ setting('vm.swappiness', data.nosuch) }}\n", 1, "the data has no 'nosuch'", "it has swappy"),
        ("vm.swappiness = {{ facts.boot_id }}\n", 1, "facts.boot_id is undefined", None),
        ("\nvm.swappiness = {{ 1 // 0 }}\n", 2, "ZeroDivisionError", None),
        ("\nvm.swappiness = {{ '1\\nvm.a = 2' }}\n", 2, "the value of this expression holds a line break", None),
        ("vm.swappiness = {{ ['1', 'vm.a = 2'] | join('\\r\\n') }}\n", 1, "holds a line break", "a loop writes"),
        ("\nvm.swappiness = {{ 'a' + 1 }}\n", 2, "TypeError", None),
        ("\nvm.swappiness = {{ 'a' | round }}\n", 2, "TypeError", None),
        ("\nvm.swappiness = {{ facts.__class__ }}\n", 2, "unsafe", None),
        ("\n{% for n in range(100001) %}{% endfor %}\n", 2, "Range too big", None),
        ("\n{% for a in range(999) %}{% for b in range(999) %}{% endfor %}{% endfor %}\n", 2, "turns", None),
        ("\n{% for a in range(9999) %}\n{{ 'x' * 999 }}\n{% endfor %}\n", None, "the output is longer", None),
        ("\nvm.swappiness = {{ 'x' * 10 ** 9 }}\n", 2, "the result is too large", None),
        ("\nvm.swappiness = {{ 10 ** 10 ** 10 }}\n", 2, "the result is too large", None),
        ("{% macro m() %}{{ m() }}{% endmacro %}\n{{ m() }}\n", 1, "calls itself without end", None),
        ("\nvm.swappiness = 1000\n", 2, "vm.swappiness = 1000: 1000 is above 200", None),
        ("\nvm.swappiness = ten\n", 2, "vm.swappiness = ten: 'ten' is no integer", None),
        ("\nvm.swappiness =\n", 2, "the value is empty", None),
        ("\nvm.* = 1\n", 2, "a glob where no interface stands", "a glob stands for an interface"),
        ("\nvm swappiness = 1\n", 2, "white space inside", None),
        ("\nvm.swappiness 1\n", 2, "the line is no assignment", "a setting is 'key = value'"),
        ("\n-vm.swappiness = 1\n", 2, "a dash before the key", "without the dash"),
        ("\n-net.ipv4.conf.lo.rp_filter\n", 2, "a key without a value", "without the dash"),
        ("vm.swappiness = 1\n\nvm/swappiness = 2\n", 3, "vm.swappiness is set twice", "base.conf.j2:1"),
        ("{{ setting('vm.swappiness', 1) }}\nvm.swappiness = 1\n", 2, "is set twice", "base.conf.j2:1"),
        ("\nvm.swappiness = 1 {{ setting('kernel.sysrq', 0) }}\n", 2, "on a line of its own", None),
        ("\n{% include 'wab.conf.j2' %}\n", 2, "no template 'wab.conf.j2'", "did you mean 'web.conf.j2'?"),
        ("\n{% include data.name %}\n", 2, "name is an expression", "write it out"),
        ("\n# a bell\a\n", 2, "the control character U+0007", None),
        ("\nvm.swappiness = {{ '%c' | format(7) }}\n", 2, "the control character U+0007", None),
        ("\nvm.swappiness = {{ '%c9:9%c' | format(1, 2) }}{{ '%c' | format(3) }}\n", 2, "character", None),
        ("\n{{ '%c7%c' | format(3, 3) }}\n", 2, "control character", None),
        ("\n{{ ('%c9:9%c' | format(1, 2)) ~ 'vm.swappiness = 1' }}\n", 2, "control character", None),
    ],
)  # fmt: skip
def test_a_mistake_is_named_with_its_line(text: str, line: int | None, what: str, hint: str | None) -> None:
    found = problem(text, {"web.conf.j2": ""}, data={"swappy": 10, "deep": {"level": 1}})
    assert (found.file, found.line) == ("templates/base.conf.j2", line)
    assert what in found.what
    assert hint is None or hint in (found.hint or "")
    assert found.what.isprintable()


@pytest.mark.parametrize(
    ("call", "what", "hint"),
    [
        ("setting()", "needs a key", None),
        ("setting('vm.swappiness')", "needs exactly one constraint and has none", "one of value, at_least"),
        ("setting('vm.swappiness', 1, at_most=2)", "has 2: value, at_most", None),
        ("setting('vm.swappiness', 1, 2)", "what follows goes by name", None),
        ("setting('vm.swappiness', value=1, key='b')", "'key' twice", None),
        ("setting('vm.swappiness', at_lest=1)", "no argument 'at_lest'", "did you mean 'at_least'?"),
        ("setting('vm.swappiness', true)", "value is a number or a text, not True", None),
        ("setting('vm.swappiness', 1.5)", "not 1.5", None),
        ("setting('vm.swappiness', one_of=7)", "one_of is a list", None),
        ("setting('vm.swappiness', one_of=[])", "one_of is a list", None),
        ("setting('vm.swappiness', absent=1)", "absent is true or false", None),
        ("setting('kernel.core_pattern', at_least='core')", "compares integers", None),
        ("setting('vm.swappiness', 1000)", "1000 is above 200", None),
        ("setting('vm.swappiness', one_of=[1, 1000])", "1000 is above 200", None),
        ("setting('vm..swappiness', 1)", "empty component", None),
        ("setting('../../etc/passwd', 1)", "", None),
        ("setting(7, 1)", "the key is a text", None),
        ("setting('vm.*', 1)", "a glob where no interface stands", "a glob stands for an interface"),
        ("setting('swappiness', 1)", "has no section", None),
        ("setting('vm.swappiness', 1, reason=7)", "the reason is a text", None),
        ("setting('vm.swappiness', 1, cite=7)", "cite is a list of texts", None),
        ("setting('vm.swappiness', '1\n2')", "a line break", None),
        ("setting('vm.swappiness', 1, reason='a\nb')", "the reason holds a line break", None),
    ],
)
def test_a_wrong_call_is_named_with_its_line(call: str, what: str, hint: str | None) -> None:
    found = problem("\n\n{{ " + call + " }}\n")
    assert found.line == 3
    assert what in found.what
    assert hint is None or hint in (found.hint or "")


def test_all_problems_of_an_evaluation_are_found_at_once() -> None:
    text = "vm.swappiness = x\n{{ setting('kernel.sysrq') }}\nno assignment\n"
    assert [found.line for found in problems(text)] == [1, 2, 3]


def test_all_problems_of_loading_are_found_at_once() -> None:
    with pytest.raises(TemplateError) as caught:
        Templates({"web.conf.j2": "{% if %}", "db.conf.j2": "{{", "odd.j2": "", "_in.j2": "{% endif %}"})
    files = {found.file.removeprefix("templates/") for found in caught.value.problems}
    assert files == {"web.conf.j2", "db.conf.j2", "odd.j2", "_in.j2", "base.conf.j2"}


def test_templates_that_include_each_other_are_refused_before_anything_is_evaluated() -> None:
    with pytest.raises(TemplateError) as caught:
        Templates({"base.conf.j2": "", "_a.j2": "{% include '_b.j2' %}", "_b.j2": "{% include '_a.j2' %}"})
    assert [found.file for found in caught.value.problems] == ["templates/_a.j2", "templates/_b.j2"]


def test_a_mistake_in_an_included_file_is_reported_there() -> None:
    shared = {
        "_net.j2": "\n\nvm.swappiness = {{ nosuch }}\n",
        "_m.j2": "{% macro m() %}\n{{ 1 // 0 }}\n{% endmacro %}",
    }
    assert problem("{% include '_net.j2' %}", shared).file == "templates/_net.j2"
    found = problem("\n{% from '_m.j2' import m %}\n{{ m() }}\n", shared)
    assert (found.file, found.line) == ("templates/_m.j2", 2)


def test_a_key_that_base_and_role_both_set_is_no_double_key() -> None:
    base = "vm.swappiness = 1\n{% block own %}{% endblock %}\n"
    web = "{% extends 'base.conf.j2' %}{% block own %}\nvm.swappiness = 2\n{% endblock %}"
    assert [rule.origin.layer for rule in rules(base, {"web.conf.j2": web}, "web")] == ["base", "role"]


def test_an_unknown_template_is_an_error_with_the_nearest_name() -> None:
    templates = Templates({"base.conf.j2": "", "router.conf.j2": "", "_private.conf.j2": ""})
    for name in ("ruoter", "_private"):
        with pytest.raises(TemplateError) as caught:
            templates.evaluate(name, variables())
        assert caught.value.problems
    with pytest.raises(TemplateError) as caught:
        templates.keys_to_read("ruoter")
    assert caught.value.hint == "did you mean 'router'?"


def test_the_same_failure_is_raised_again_and_survives_pickling() -> None:
    templates = Templates({"base.conf.j2": "vm.swappiness = x\n"})
    caught = []
    for _ in range(2):
        with pytest.raises(TemplateError) as error:
            templates.evaluate("base", variables())
        caught.append(error.value)
    assert caught[0] is not caught[1]
    assert pickle.loads(pickle.dumps(caught[0])).problems == caught[1].problems


def test_preflight_collects_the_problems_of_all_hosts_and_of_facts_unlike_ours() -> None:
    templates = Templates(
        {
            "base.conf.j2": "{% if facts.container %}\nvm.swappiness = {{ nosuch }}\n{% endif %}\n",
            "web.conf.j2": "kernel.sysrq = {{ data.sysrq }}\n",
            "unused.conf.j2": "kernel.sysrq = x\n",
        }
    )
    templates.evaluate("base", variables())
    hosts = [variables(host=name, roles=("web",)) for name in ("web1", "web2")]
    with pytest.raises(TemplateError) as caught:
        templates.preflight([*hosts, variables(host="web3", roles=("web",), data={"sysrq": 0})])
    assert sorted(str(found) for found in caught.value.problems) == [
        (
            "templates/base.conf.j2:2: 'nosuch' is undefined "
            "(it has facts, host, role, roles, groups, data, interfaces, setting)"
        ),
        "templates/web.conf.j2:1: the data has no 'sysrq'",
    ]
