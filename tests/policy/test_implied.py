"""What a setting for `all` asks of interfaces, and where it asks nothing."""

from __future__ import annotations

import pytest

from sysfleet.policy.constraint import Constraint, Kind
from sysfleet.policy.implied import implied
from sysfleet.policy.rule import Layer, Origin, Wanted
from sysfleet.sysctl.key import Key

ORIGIN = Origin(Layer.BASE, "base", "templates/base.conf.j2", 3)


def wanted(pattern: str, value: str, kind: Kind = Kind.VALUE) -> Wanted:
    return Wanted(Key(pattern), Constraint(kind, (value,)), ORIGIN)


def patterns(*asked: Wanted, interfaces: tuple[str, ...] = ("eth*",)) -> list[str]:
    return [one.pattern for one in implied(asked, interfaces)]


def test_default_and_the_interfaces_get_the_same_with_the_same_origin() -> None:
    found = list(implied([wanted("net.ipv6.conf.all.accept_redirects", "0")], ("en*", "eth*")))
    assert [one.pattern for one in found] == [
        "net.ipv6.conf.default.accept_redirects",
        "net.ipv6.conf.en*.accept_redirects",
        "net.ipv6.conf.eth*.accept_redirects",
    ]
    assert {one.constraint.operands for one in found} == {("0",)}
    assert {one.origin for one in found} == {ORIGIN}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("net.ipv4.conf.all.accept_source_route", "0"),
        ("net.ipv4.conf.all.log_martians", "1"),
        ("net.ipv4.conf.all.rp_filter", "2"),
        ("net.ipv4.conf.all.forwarding", "0"),
        ("net.ipv6.conf.all.disable_ipv6", "1"),
        ("net.ipv4.tcp_syncookies", "1"),
    ],
)
def test_nothing_where_all_decides(key: str, value: str) -> None:
    assert patterns(wanted(key, value)) == []


def test_redirects_depend_on_forwarding() -> None:
    redirects = wanted("net.ipv4.conf.all.accept_redirects", "0")
    assert patterns(redirects) != []
    assert patterns(redirects, wanted("net.ipv4.ip_forward", "1")) == []


def test_a_rule_of_its_own_is_left_as_it_is() -> None:
    redirects = wanted("net.ipv6.conf.all.accept_redirects", "0")
    assert patterns(redirects, wanted("net.ipv6.conf.eth*.accept_redirects", "1")) == [
        "net.ipv6.conf.default.accept_redirects"
    ]
    assert patterns(redirects, wanted("net.ipv6.conf.*.accept_redirects", "0")) == []


def test_what_can_cut_ssh_does_not_begin_to_by_itself() -> None:
    assert patterns(wanted("net.ipv6.conf.all.accept_ra", "0")) == []


def test_bounds_imply_nothing() -> None:
    assert patterns(wanted("net.ipv4.conf.all.rp_filter", "1", Kind.AT_LEAST)) == []
