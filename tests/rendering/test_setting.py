"""What `setting()` says besides a value."""

from __future__ import annotations

import pytest

from tests.rendering.cases import rules


@pytest.mark.parametrize(
    ("call", "constraint"),
    [
        ("setting('vm.swappiness', 10)", "10"),
        ("setting('vm.swappiness', '0x0a')", "0x0a"),
        ("setting('vm.swappiness', value=0)", "0"),
        ("setting('vm.swappiness', 10, absent=false)", "10"),
        ("setting('vm.swappiness', at_least=0)", ">= 0"),
        ("setting('vm.swappiness', none, at_most=10)", "<= 10"),
        ("setting('vm.swappiness', one_of=[0, '1'])", "one of 0, 1"),
        ("setting('vm.swappiness', absent=true)", "absent"),
        ("setting('net.ipv4.tcp_rmem', at_least='4096 87380\t6291456')", ">= 4096 87380\t6291456"),
        ("setting('vm/swappiness', 10)", "10"),
    ],
)
def test_a_call_gives_its_constraint(call: str, constraint: str) -> None:
    (rule,) = rules("{{ " + call + " }}")
    assert str(rule.constraint) == constraint


def test_reason_and_citations_are_kept_and_one_citation_needs_no_list() -> None:
    text = "# a comment\n{{ setting('vm.swappiness', 1, reason=' why ', cite=['CIS 1', 'STIG 2']) }}\n"
    first, second = rules(text + "\n{{ setting('kernel.sysrq', 0, cite='R9') }}\n")
    assert (first.origin.reason, first.origin.cite) == ("why", ("CIS 1", "STIG 2"))
    assert first.origin.comments == ("a comment",)
    assert (second.origin.reason, second.origin.cite) == (None, ("R9",))


def test_a_value_from_a_macro_of_several_lines_is_its_text() -> None:
    (rule,) = rules("{% macro v() %}\na=b\n{% endmacro %}{{ setting('kernel.core_pattern', v()) }}")
    assert rule.constraint.operands == ("a=b",)


def test_a_call_whose_result_is_not_written_out_sets_nothing() -> None:
    assert rules("{% set unused = setting('vm.swappiness', 1) %}") == ()
