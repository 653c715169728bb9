"""Two roles on one key: what satisfies the intersection is what satisfies both."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.policy.constraint import Constraint, Kind, meets
from sysfleet.policy.intersection import intersection
from sysfleet.sysctl.key import Key

SINGLE, TRIPLE = Key("vm.swappiness"), Key("net.ipv4.tcp_rmem")


def _constraint(kind: str, *operands: str) -> Constraint:
    return Constraint(Kind(kind), operands)


@pytest.mark.parametrize(
    ("one", "other", "both"),
    [
        (("value", "5"), ("value", "5"), ("value", "5")),
        (("value", "5"), ("value", "0x5"), ("value", "5")),
        (("value", "5"), ("value", "6"), None),
        (("value", "5"), ("at_least", "5"), ("value", "5")),
        (("value", "4"), ("at_least", "5"), None),
        (("value", "5"), ("at_most", "5"), ("value", "5")),
        (("value", "6"), ("at_most", "5"), None),
        (("value", "5"), ("one_of", "6", "5"), ("value", "5")),
        (("value", "5"), ("one_of", "6", "7"), None),
        (("at_least", "5"), ("at_least", "7"), ("at_least", "7")),
        (("at_most", "5"), ("at_most", "7"), ("at_most", "5")),
        (("at_least", "5"), ("at_most", "7"), ("at_least", "5", "7")),
        (("at_least", "7"), ("at_most", "7"), ("at_least", "7", "7")),
        (("at_least", "8"), ("at_most", "7"), None),
        (("at_least", "5", "9"), ("at_least", "6"), ("at_least", "6", "9")),
        (("at_least", "5", "9"), ("at_most", "8"), ("at_least", "5", "8")),
        (("at_least", "5", "9"), ("at_least", "10"), None),
        (("one_of", "1", "2", "3"), ("at_least", "2"), ("one_of", "2", "3")),
        (("one_of", "1", "2", "3"), ("one_of", "3", "2"), ("one_of", "2", "3")),
        (("one_of", "1", "2"), ("one_of", "3"), None),
        (("absent",), ("absent",), ("absent",)),
        (("absent",), ("value", "5"), None),
    ],
)
def test_what_is_left(one: tuple[str, ...], other: tuple[str, ...], both: tuple[str, ...] | None) -> None:
    wanted = None if both is None else _constraint(*both)
    assert intersection(SINGLE, _constraint(*one), _constraint(*other)) == wanted
    turned = intersection(SINGLE, _constraint(*other), _constraint(*one))
    assert (turned is None) is (wanted is None)


def test_numbers_of_a_tuple_are_compared_one_by_one() -> None:
    one, other = _constraint("at_least", "4096 87380 100"), _constraint("at_least", "8192\t65536  200")
    assert intersection(TRIPLE, one, other) == _constraint("at_least", "8192 87380 200")
    assert intersection(TRIPLE, one, _constraint("at_most", "5000 90000 99")) is None
    assert intersection(TRIPLE, one, _constraint("at_least", "1")) is None


def test_the_constraint_that_says_all_comes_back_as_it_is() -> None:
    weak, strong = _constraint("at_least", "010"), _constraint("at_least", "0x10")
    assert intersection(SINGLE, weak, strong) is strong
    assert intersection(SINGLE, strong, weak) is strong


_NUMBERS = st.integers(0, 6).map(str)
_CONSTRAINTS = st.one_of(
    st.tuples(st.sampled_from([Kind.VALUE, Kind.AT_LEAST, Kind.AT_MOST]), st.tuples(_NUMBERS)),
    st.tuples(st.just(Kind.ONE_OF), st.lists(_NUMBERS, min_size=1, max_size=4).map(tuple)),
).map(lambda parts: Constraint(*parts))


@given(st.lists(_CONSTRAINTS, min_size=1, max_size=4))
def test_a_value_meets_the_intersection_of_many_exactly_if_it_meets_each(given: list[Constraint]) -> None:
    both: Constraint | None = given[0]
    for each in given[1:]:
        both = both and intersection(SINGLE, both, each)
    for number in map(str, range(8)):
        meets_all = all(meets(each, SINGLE, number) for each in given)
        assert meets_all is (both is not None and meets(both, SINGLE, number))
