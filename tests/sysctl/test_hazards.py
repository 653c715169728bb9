"""The order hazards of kernel.md 3 on a real kernel: each goes wrong in a wrong order, and right in ours.

Three cannot be shown here, since their keys belong to the whole machine: the pairs of vm.* that zero each other (9),
the buckets of connection tracking (11) and the list of allowed congestion controls (12). Their side effects are
modelled from the source (test_effects), and a virtual machine is the place to see them.
"""

from collections.abc import Iterator, Sequence

import pytest

from sysfleet.sysctl.effects import apply_write, changes
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.knowledge import is_destructive, moves_key
from sysfleet.sysctl.order import canonical_order
from sysfleet.sysctl.value import half_applied
from tests.support.networks import Network, networks

_FORWARD, _REDIRECTS = Key("net.ipv4.ip_forward"), Key("net.ipv4.conf.all.accept_redirects")
_Settings = Sequence[tuple[Key, str]]


@pytest.fixture
def host() -> Iterator[Network]:
    """A host with the interfaces aa0, whose name sorts before `all`, and eth0, on a cable with a router."""
    with networks("host", "router") as (net, router):
        net.ask("join", "host", "eth0", "router", "r0")
        net.ip("link set lo up", "link add aa0 type veth peer name aa1", "link set aa0 up", "link set eth0 up")
        router.write("net.ipv6.conf.r0.accept_dad", "0")
        router.ip("link set lo up", "link set r0 up", "addr add 10.0.0.2/24 dev r0")
        router.ip("addr add fe80::254/64 dev r0 nodad")
        net.ip("addr add 10.0.0.1/24 dev eth0")
        yield net


def _write(net: Network, settings: _Settings) -> list[str]:
    """Write one after the other; what was refused."""
    return [key for key, value in settings if net.write(key, value) is not None]


def _left(net: Network, settings: _Settings) -> dict[Key, str | None]:
    return {key: net.read(key) for key, _ in settings}


def _running(net: Network, *keys: Key) -> dict[Key, str]:
    return {key: value for key in keys if (value := net.read(key)) is not None}


def _modelled(running: dict[Key, str], settings: _Settings) -> dict[Key, str]:
    values = dict(running)
    for key, value in settings:
        apply_write(values, key, value)
    return values


@pytest.mark.parametrize("mover", [_FORWARD, Key("net.ipv4.conf.all.forwarding")])
def test_1_a_change_of_forwarding_turns_redirects_over(host: Network, mover: Key) -> None:
    wanted = [(_REDIRECTS, "0"), (mover, "0")]
    host.write(_FORWARD, "1")
    running = _running(host, _FORWARD, Key("net.ipv4.conf.all.forwarding"), _REDIRECTS)
    _write(host, wanted)
    assert host.read(_REDIRECTS) == "1" == _modelled(running, wanted)[_REDIRECTS]
    host.write(_FORWARD, "1")
    _write(host, canonical_order(wanted, running))
    assert host.read(_REDIRECTS) == "0"


def test_2_writing_only_what_differs_fails_in_any_order_and_a_second_look_mends_it(host: Network) -> None:
    wanted = [(_FORWARD, "0"), (_REDIRECTS, "0")]
    host.write(_FORWARD, "1")
    running = _running(host, _FORWARD, _REDIRECTS)
    differing = [(key, value) for key, value in wanted if running[key] != value]
    assert [key for key, _ in differing] == [_FORWARD]
    _write(host, differing)
    assert host.read(_REDIRECTS) == "1"
    # The model sees it beforehand, so the second write is in the plan already.
    assert changes(running, _FORWARD, "0")[_REDIRECTS] == "1"
    _write(host, [item for item in canonical_order(wanted, running) if host.read(item[0]) != item[1]])
    assert _left(host, wanted) == dict(wanted)


def test_3_ipv6_forwarding_takes_the_learned_default_route_unless_the_interface_was_told_to_keep_it(
    host: Network,
) -> None:
    forward, keep = Key("net.ipv6.conf.all.forwarding"), Key("net.ipv6.conf.eth0.accept_ra")
    router = Network("router", host.process)
    _learn_route(host, router)
    _write(host, [(forward, "1"), (keep, "2")])
    assert "default" not in host.ask("shown", "-6", "route")
    _write(host, [(forward, "0"), (keep, "1")])
    _learn_route(host, router)
    ours = canonical_order([(forward, "1"), (keep, "2")], {})
    assert [key for key, _ in ours] == [keep, forward]
    _write(host, ours)
    assert "default" in host.ask("shown", "-6", "route")


def _learn_route(host: Network, router: Network) -> None:
    # RFC 4861, 4.2: hop limit 64, no flags, the router is good for 1800 s.
    router.ask("send_icmp6", "fe80::254", "r0", "ff02::1", 134, "40000708" + "00" * 8)
    router.ask("ping", "10.0.0.2", "10.0.0.1")
    assert "default" in host.ask("shown", "-6", "route")


def test_4_ipv6_off_for_all_is_copied_and_takes_addresses_with_it(host: Network) -> None:
    everyone, eth0 = Key("net.ipv6.conf.all.disable_ipv6"), Key("net.ipv6.conf.eth0.disable_ipv6")
    wanted = [(eth0, "1"), (everyone, "0")]
    running = _running(host, everyone, eth0)
    _write(host, wanted)
    assert host.read(eth0) == "0" == _modelled(running, wanted)[eth0]
    _write(host, canonical_order(wanted, running))
    assert _left(host, wanted) == dict(wanted)
    # Back to 0 brings the number back, and not the address.
    host.write(eth0, "0")
    host.ip("addr add 2001:db8::1/64 dev eth0 nodad")
    _write(host, [(eth0, "1"), (eth0, "0")])
    assert "2001:db8::1" not in host.ask("shown", "-6", "addr", "show", "dev", "eth0")
    assert is_destructive(eth0, "1")


@pytest.mark.parametrize("family", ["ipv4", "ipv6"])
def test_5_putting_back_in_order_of_names_loses_an_interface_that_sorts_before_all(host: Network, family: str) -> None:
    aa0, everyone = (Key(f"net.{family}.conf.{name}.forwarding") for name in ("aa0", "all"))
    saved = [(aa0, "1"), (everyone, "0")]
    assert saved == sorted(saved)
    _write(host, [(everyone, "1"), *saved])
    assert host.read(aa0) == "0"
    _write(host, [(everyone, "1"), *canonical_order(saved, {})])
    assert _left(host, saved) == dict(saved)


@pytest.mark.parametrize("leaf", ["forwarding", "disable_ipv6", "ignore_routes_with_linkdown"])
def test_6_ipv6_copies_from_all_also_where_the_value_is_the_same(host: Network, leaf: str) -> None:
    # That systemd skips such a write and the others do not is among the kept trees of the loaders.
    everyone, eth0 = (Key(f"net.ipv6.conf.{name}.{leaf}") for name in ("all", "eth0"))
    host.write(eth0, "1")
    running = _running(host, everyone, eth0)
    assert running == {everyone: "0", eth0: "1"}
    host.write(everyone, "0")
    assert host.read(eth0) == "0" == changes(running, everyone, "0")[eth0]


_FRAGMENTS = (Key("net.ipv4.ipfrag_high_thresh"), Key("net.ipv4.ipfrag_low_thresh"))
_FRAGMENTS6 = (Key("net.ipv6.ip6frag_high_thresh"), Key("net.ipv6.ip6frag_low_thresh"))
_PORTS = (Key("net.ipv4.ip_local_port_range"), Key("net.ipv4.ip_unprivileged_port_start"))


@pytest.mark.parametrize(
    ("pair", "low", "high"),
    [
        (_FRAGMENTS, ("100000", "80000"), ("200000", "150000")),
        (_FRAGMENTS6, ("100000", "80000"), ("200000", "150000")),
        (_PORTS, ("2000 60999", "80"), ("9000 60999", "5000")),  # 8
    ],
)
@pytest.mark.parametrize("up", [True, False])
def test_7_and_8_a_limit_is_refused_that_passes_the_other_and_ours_go_in_the_order_that_is_taken(
    host: Network, pair: tuple[Key, Key], low: tuple[str, str], high: tuple[str, str], *, up: bool
) -> None:
    start, end = (low, high) if up else (high, low)
    _reset(host, pair, start)
    wanted = list(zip(pair, end, strict=True))
    ours = canonical_order(wanted, _running(host, *pair))
    assert _write(host, ours[::-1]) == [ours[1][0]]
    _reset(host, pair, start)
    assert _write(host, ours) == []
    assert _left(host, wanted) == dict(wanted)


def _reset(host: Network, pair: tuple[Key, Key], values: tuple[str, str]) -> None:
    # Twice, since one of the two may be refused as long as the other has not moved.
    for _ in range(2):
        _write(host, list(zip(pair, values, strict=True)))
    assert [host.read(key) for key in pair] == list(values)


@pytest.mark.parametrize(
    ("name", "alias", "value", "reads"),
    [
        ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding", "1", "1"),
        ("net.ipv4.conf.all.forwarding", "net.ipv4.ip_forward", "1", "1"),
        ("net.ipv4.neigh.eth0.base_reachable_time", "net.ipv4.neigh.eth0.base_reachable_time_ms", "7", "7000"),
        ("net.ipv4.neigh.eth0.retrans_time_ms", "net.ipv4.neigh.eth0.retrans_time", "2000", "200"),
        ("net.ipv6.neigh.eth0.unres_qlen_bytes", "net.ipv6.neigh.eth0.unres_qlen", "0", "0"),
    ],
)
def test_10_two_names_of_one_variable_move_each_other(
    host: Network, name: str, alias: str, value: str, reads: str
) -> None:
    assert host.read(alias) != reads
    host.write(name, value)
    assert host.read(alias) == reads
    assert moves_key(Key(name), Key(alias))
    assert moves_key(Key(alias), Key(name))


def test_13_a_link_too_small_for_ipv6_takes_the_keys_away_and_growing_back_forgets_their_values(host: Network) -> None:
    key, other = Key("net.ipv6.conf.eth0.accept_ra"), Key("net.ipv4.conf.eth0.log_martians")
    _write(host, [(key, "0"), (other, "1")])
    host.ip("link set eth0 mtu 1000")
    assert host.read(key) is None
    host.ip("link set eth0 mtu 1500")
    assert host.read(key) == "1"
    assert host.read(other) == "1"
    # No order helps: `default` and the globs of our file do, and a key that is gone is no failure.
    host.write("net.ipv6.conf.default.accept_ra", "0")
    host.ip("link set eth0 mtu 1000", "link set eth0 mtu 1500")
    assert host.read(key) == "0"


def test_14_a_refused_write_may_be_applied_by_half_and_writing_all_numbers_back_mends_it(host: Network) -> None:
    key = Key("kernel.sem")
    before = host.read(key)
    assert before is not None
    assert host.write(key, "100 200 300 99999999999") == "EINVAL"
    assert host.read(key) == f"100 200 300 {before.split()[3]}"
    assert half_applied(key, "100 200 300 99999999999") == "100 200 300"
    assert host.write(key, "1 2 3 99999999") == "ERANGE"
    assert host.read(key) == f"1 2 3 {before.split()[3]}"
    assert host.write(key, before) is None
    assert host.read(key) == before
