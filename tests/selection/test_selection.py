"""The `--limit` language: what expressions select, and how mistakes are shown."""

import contextlib
import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.errors import ExitCode, SelectionError
from sysfleet.selection import Candidate, natural_key, parse, select


def web(number: int) -> Candidate:
    data = {"site": "ams", "rack": number, "tags": ["tls", "edge"], "room": {"row": "r 1"}, "live": True}
    return Candidate(f"web{number}", ("web", "ams", "nl"), ("web",), data)


FLEET = [
    *(web(number) for number in (10, 9, 2, 1)),
    Candidate("db1", ("db", "fra"), ("db",), {"site": "fra", "live": False, "a.b": "dotted"}),
]


def names(expression: str | None) -> list[str]:
    return [candidate.name for candidate in select(expression, FLEET)]


def refusal(expression: str) -> SelectionError:
    with pytest.raises(SelectionError) as caught:
        select(expression, FLEET)
    assert caught.value.exit_code is ExitCode.USAGE
    return caught.value


def test_no_expression_selects_everyone_in_natural_order() -> None:
    assert names(None) == ["db1", "web1", "web2", "web9", "web10"]


@pytest.mark.parametrize(
    ("expression", "selected"),
    [
        ("web1", "web1"),
        ("web?", "web1 web2 web9"),
        ("web[1-3]", "web1 web2"),
        ("web[!1]", "web2 web9"),
        ("name=web1", "web1"),
        ("role=web & site=ams & !web9", "web1 web2 web10"),
        ("role = d*", "db1"),
        ("group=nl & web?", "web1 web2 web9"),
        ("web1,db1", "db1 web1"),
        ("web1 | db1", "db1 web1"),
        ("!role=web", "db1"),
        ("!!db1", "db1"),
        ("site!=ams", "db1"),
        ("data.site=fra", "db1"),
        ("site=f*", "db1"),
        ("rack=10", "web10"),
        ("tags=edge & web1", "web1"),
        ("room.row='r 1' & web1", "web1"),
        ('data.room.row="r 1" & web1', "web1"),
        ("live=false", "db1"),
        ("a.b=dotted", "db1"),
    ],
)
def test_an_expression_selects(expression: str, selected: str) -> None:
    assert names(expression) == selected.split()


def test_and_binds_tighter_than_or_and_not_tighter_than_both() -> None:
    assert names("db1 | web1 & site=fra") == ["db1"]
    assert names("(db1 | web1) & site=ams") == ["web1"]
    assert names("!db1 & web1") == ["web1"]
    assert names("!(db1 | web1) & web?") == ["web2", "web9"]


def test_a_quoted_text_is_no_glob() -> None:
    assert refusal("'web*'").hint is not None
    assert names('"web1"') == ["web1"]


def test_case_counts() -> None:
    assert refusal("WEB1").hint == "no host is called WEB1"


@pytest.mark.parametrize(
    ("expression", "position", "what", "hint"),
    [
        ("", 1, "the expression is empty", "for example 'role=web & !web9'"),
        ("web1 web2", 6, "nothing joins 'web1' and 'web2'", "write & for both, | for either"),
        ("role=web and live=true", 10, "nothing joins 'web' and 'and'", "write & for and"),
        ("not web1", 5, "nothing joins 'not' and 'web1'", "write ! for not"),
        ("db1 | (web1", 7, "this parenthesis is not closed", None),
        ("web1)", 5, "no parenthesis is open here", None),
        ("web1 & ", 7, "a host or field=value is missing at the end", None),
        ("a,,b", 3, "a host or field=value is missing before ','", None),
        ("role=", 6, "a value is missing at the end", None),
        ("role==web", 6, "one = is enough", None),
        ("web[1-12]", 1, "[1-12] stands for one character", "write web[1-9] | web1[0-2] for web1 to web12"),
        ("db1|web[1", 5, "a bracket is not closed", None),
        ("db1 & 'web1", 7, "a quote is not closed", None),
    ],
)
def test_a_mistake_is_shown_at_its_place(expression: str, position: int, what: str, hint: str | None) -> None:
    error = refusal(expression)
    assert error.message == f"the selection cannot be read at character {position}: {what}"
    assert error.hint == hint
    if expression:
        assert [problem.what for problem in error.problems] == [expression, " " * (position - 1) + "^"]


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        ("role=wbe", "no role is called wbe; did you mean web?"),
        ("role=bd", "no role is called bd; did you mean db?"),
        ("role=router", "no role is called router; there are db, web"),
        ("sit=ams", "no host has sit; did you mean site?"),
        ("site=amt", "no site is called amt; did you mean ams?"),
        ("web1 & wbe2", "no host is called wbe2; did you mean web2?"),
        ("web1 & db1", "each term matches a host, but no host matches them together"),
    ],
)
def test_selecting_nothing_says_what_was_probably_meant(expression: str, hint: str) -> None:
    error = refusal(expression)
    assert error.message == f"no host matches {expression!r}"
    assert error.hint == hint


def test_an_inventory_without_hosts_selects_nothing() -> None:
    with pytest.raises(SelectionError, match="the inventory has no hosts"):
        select(None, [])


def test_deep_nesting_is_a_mistake_and_no_crash() -> None:
    assert "nested too deeply" in refusal("(" * 10_000).message
    assert "nested too deeply" in refusal("!" * 10_000 + "web1").message


def test_a_selection_lists_its_terms() -> None:
    terms = parse("role=w* & !'web9'").terms
    assert [(term.field, term.pattern, term.literal) for term in terms] == [
        ("role", "w*", False),
        ("name", "web9", True),
    ]


@given(st.text(alphabet="ab&|,!()='\"[]*- \x00é", max_size=30))
def test_any_text_selects_or_is_refused(text: str) -> None:
    with contextlib.suppress(SelectionError):
        assert parse(text).terms


_EXPRESSIONS = st.recursive(
    st.sampled_from(["web*", "db1", "web?", "role=web", "site=fra", "web1"]),
    lambda inner: st.one_of(
        inner.map(lambda one: f"!({one})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) & ({two[1]})"),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}) | ({two[1]})"),
    ),
    max_leaves=8,
)


def matching(expression: str) -> set[str]:
    selection = parse(expression)
    return {candidate.name for candidate in FLEET if selection.matches(candidate)}


@given(_EXPRESSIONS, _EXPRESSIONS)
def test_the_language_is_the_algebra_of_sets(one: str, other: str) -> None:
    everyone = {candidate.name for candidate in FLEET}
    assert matching(f"!({one})") == everyone - matching(one)
    assert matching(f"({one}) & ({other})") == matching(one) & matching(other)
    assert matching(f"({one}) | ({other})") == matching(f"{one}, {other}") == matching(one) | matching(other)


@given(st.text(alphabet="web123*?", min_size=1, max_size=6))
def test_a_bare_word_is_a_glob_for_names(pattern: str) -> None:
    assert matching(pattern) == {each.name for each in FLEET if fnmatch.fnmatchcase(each.name, pattern)}


def test_names_are_sorted_as_people_count() -> None:
    shuffled = ["node10", "node2", "10", "9", "node2a", "node", "node02"]
    assert sorted(shuffled, key=natural_key) == ["9", "10", "node", "node02", "node2", "node2a", "node10"]


def test_a_number_of_any_length_is_sorted() -> None:
    assert natural_key("n" + "9" * 10_000) < natural_key("n1" + "0" * 10_000)


@given(st.text(), st.text())
def test_only_equal_names_have_equal_keys(one: str, other: str) -> None:
    assert (natural_key(one) == natural_key(other)) == (one == other)
    assert natural_key(one) < natural_key(other) or natural_key(one) >= natural_key(other)
