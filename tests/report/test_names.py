"""Folding names loses none, and does not care about their order."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.report.names import count_names, fold_names, natural

NAMES = st.from_regex(r"[a-z]{0,2}[0-9]{0,3}(-?[a-z]?[0-9]{1,2})?(\.[a-z]{1,2})?", fullmatch=True)


def expand(folded: str) -> list[str]:
    """The names that a folded list stands for, by its own definition."""
    names: list[str] = []
    for part in re.findall(r"(?:[^,\[]|\[[^\]]*\])+", folded):
        frame = re.fullmatch(r"([^\[]*)\[([^\]]*)\](.*)", part)
        if frame is None:
            names.append(part)
            continue
        before, ranges, after = frame.groups()
        for span in ranges.split(","):
            first, _, last = span.partition("-")
            numbers = range(int(first), int(last or first) + 1)
            names += [f"{before}{str(number).zfill(len(first))}{after}" for number in numbers]
    return names


@given(st.sets(NAMES.filter(bool), max_size=40))
def test_what_is_folded_expands_to_the_same_names_each_once(names: set[str]) -> None:
    expanded = expand(fold_names(names))
    assert len(expanded) == len(names)
    assert set(expanded) == names


@given(st.lists(NAMES, max_size=20).flatmap(lambda names: st.tuples(st.just(names), st.permutations(names))))
def test_the_order_of_the_names_does_not_matter(lists: tuple[list[str], list[str]]) -> None:
    assert fold_names(lists[0]) == fold_names(lists[1])


@given(st.text(max_size=20), st.text(max_size=20), st.text(max_size=20))
def test_any_names_can_be_folded_and_sorted(one: str, two: str, three: str) -> None:
    fold_names([one, two, three])
    assert sorted(sorted([one, two, three]), key=natural) == sorted([three, two, one], key=natural)


@pytest.mark.parametrize(
    ("names", "folded"),
    [
        ("web1 web2 web3 web7 db1", "db1,web[1-3,7]"),
        ("web10 web2 web1", "web[1-2,10]"),
        ("web08 web09 web10 web11", "web[08-11]"),
        ("web1.ams web2.ams web1.fra", "web[1-2].ams,web1.fra"),
        ("r1n1 r1n2 r2n1", "r1n[1-2],r2n1"),
        ("one", "one"),
        ("", ""),
        ("a[1] a[2]", "a[1],a[2]"),
        ("n99 n100", "n[99-100]"),
    ],
)
def test_names_fold_as_a_person_would(names: str, folded: str) -> None:
    assert fold_names(names.split()) == folded


def test_ten_thousand_hosts_are_one_range() -> None:
    assert fold_names(f"web{number}" for number in range(10_000)) == "web[0-9999]"


def test_few_names_are_listed_and_many_are_counted() -> None:
    assert count_names(["eth2", "eth10", "eth1"]) == "eth1,eth2,eth10"
    assert count_names(f"eth{number}" for number in range(2000)) == "eth0…eth1999 (2000)"
