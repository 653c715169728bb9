"""Small templates and hosts for the tests of rendering."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sysfleet.errors import Problem, TemplateError
from sysfleet.host import Facts
from sysfleet.policy.rule import Rule
from sysfleet.rendering import Templates, TemplateVariables

FACTS = Facts(hostname="web1", kernel="6.1.0", distribution="debian", memory_kib=4096, interfaces=("lo", "eth0"))


def variables(
    *, data: Mapping[str, Any] | None = None, facts: Facts = FACTS, host: str = "web1", **others: Any
) -> TemplateVariables:
    return TemplateVariables(host=host, facts=facts, data=data or {}, **others)


def rules(base: str, others: Mapping[str, str] | None = None, name: str = "base", **given: Any) -> tuple[Rule, ...]:
    """The rules of one template of a project of a few."""
    return Templates({"base.conf.j2": base, **(others or {})}).evaluate(name, variables(**given))


def problems(base: str, others: Mapping[str, str] | None = None, name: str = "base", **given: Any) -> list[Problem]:
    """What is wrong with a project of a few templates."""
    with pytest.raises(TemplateError) as caught:
        rules(base, others, name, **given)
    assert caught.value.problems
    return list(caught.value.problems)


def problem(base: str, others: Mapping[str, str] | None = None, name: str = "base", **given: Any) -> Problem:
    """The only thing that is wrong."""
    (found,) = problems(base, others, name, **given)
    return found


def places(found: tuple[Rule, ...]) -> list[tuple[str, str, int]]:
    """Each rule's key, file (without the folder) and line."""
    return [(rule.pattern, rule.origin.file.removeprefix("templates/"), rule.origin.line) for rule in found]
