"""The rules by which a kernel combines `all` and an interface, shown by what it does with packets (kernel.md 2)."""

import itertools
from collections.abc import Iterator

import pytest

from sysfleet.sysctl.effective import effective
from sysfleet.sysctl.key import Key
from tests.support.networks import Network, networks

_HOST, _GATEWAY, _BETTER = "10.0.0.1", "10.0.0.254", "10.0.0.253"
_HOST6, _GATEWAY6, _BETTER6 = "fe80::1", "fe80::254", "fe80::253"
_MAC = "02:00:00:00:00:53"


@pytest.fixture(scope="module")
def pair() -> Iterator[tuple[Network, Network]]:
    """A host on a cable with its gateway; behind the host is a place that answers nothing, d0."""
    with networks("host", "gateway") as (host, gateway):
        host.ask("join", "host", "h0", "gateway", "g0")
        for net, link, address, address6 in ((host, "h0", _HOST, _HOST6), (gateway, "g0", _GATEWAY, _GATEWAY6)):
            for key in ("accept_dad", "router_solicitations", "addr_gen_mode"):
                net.write(f"net.ipv6.conf.{link}.{key}", {"addr_gen_mode": 1}.get(key, 0))
            net.ip("link set lo up", f"link set {link} up", f"addr add {address}/24 dev {link}")
            net.ip(f"addr add {address6}/64 dev {link} nodad")
        host.ip("link add d0 type veth peer name d1", "link set d0 up", "link set d1 up")
        host.ip("addr add 10.8.0.1/24 dev d0", "route add 10.5.0.0/16 dev d0")
        host.ip(f"route add 10.9.0.0/16 via {_GATEWAY}", f"neigh add {_BETTER} lladdr {_MAC} dev h0 nud permanent")
        host.ip(f"route add 2001:db8:9::/48 via {_GATEWAY6} dev h0", "route add 2001:db8:8::/48 dev d0")
        gateway.ip(f"route add 10.5.0.0/16 via {_HOST}", f"route add 10.8.0.0/16 via {_HOST}")
        gateway.ip(f"route add 2001:db8:8::/48 via {_HOST6} dev g0", "addr add 2001:db8:7::7/128 dev lo")
        host.ip(f"route add 2001:db8:7::/48 via {_GATEWAY6} dev h0")
        yield host, gateway


@pytest.mark.parametrize("forwarding", ["0", "1"])
def test_a_forged_redirect_is_followed_where_the_effective_value_says_so(
    pair: tuple[Network, Network], forwarding: str
) -> None:
    host, gateway = pair
    followed = {}
    host.write("net.ipv4.conf.h0.forwarding", forwarding)
    for number, (everyone, own) in enumerate(itertools.product("01", repeat=2)):
        host.write("net.ipv4.conf.all.accept_redirects", everyone)
        host.write("net.ipv4.conf.h0.accept_redirects", own)
        target = f"10.9.{forwarding}.{number + 1}"
        gateway.ask("send_redirect", _GATEWAY, _HOST, target, _BETTER)
        gateway.ask("ping", _GATEWAY, _HOST)
        followed[everyone, own] = f"via {_BETTER} " in host.ask("shown", "route", "get", target)
    host.write("net.ipv4.conf.h0.forwarding", "0")
    assert followed == _predicted("net.ipv4.conf.h0.accept_redirects", "01", forwarding=forwarding == "1")
    assert set(followed.values()) == {True, False}


def test_over_ipv6_a_forged_redirect_is_followed_by_the_interfaces_own_value_alone(
    pair: tuple[Network, Network],
) -> None:
    host, gateway = pair
    followed = {}
    for number, (everyone, own) in enumerate(itertools.product("01", repeat=2)):
        host.write("net.ipv6.conf.all.accept_redirects", everyone)
        host.write("net.ipv6.conf.h0.accept_redirects", own)
        target = f"2001:db8:9::{number + 1}"
        _redirect6(gateway, target)
        gateway.ask("ping", _GATEWAY, _HOST)
        followed[everyone, own] = f"via {_BETTER6} " in host.ask("shown", "-6", "route", "get", target)
    assert followed == _predicted("net.ipv6.conf.h0.accept_redirects", "01")
    # A router takes none, whatever its own value says.
    host.write("net.ipv6.conf.h0.forwarding", "1")
    _redirect6(gateway, "2001:db8:9::99")
    gateway.ask("ping", _GATEWAY, _HOST)
    assert f"via {_BETTER6} " not in host.ask("shown", "-6", "route", "get", "2001:db8:9::99")
    assert effective(Key("net.ipv6.conf.h0.accept_redirects"), "1", "1", forwarding=True) == "0"
    host.write("net.ipv6.conf.h0.forwarding", "0")


def _redirect6(gateway: Network, target: str) -> None:
    # RFC 4861, 4.5, with the option that tells the better router's address on the link.
    packed = "".join(f"{int(part or '0', 16):04x}" for part in _expanded(target).split(":"))
    better = "".join(f"{int(part or '0', 16):04x}" for part in _expanded(_BETTER6).split(":"))
    option = "0201" + _MAC.replace(":", "")
    gateway.ask("send_icmp6", _GATEWAY6, "g0", _HOST6, 137, "00000000" + better + packed + option)


def _expanded(address: str) -> str:
    left, _, right = address.partition("::")
    head, tail = left.split(":"), right.split(":")
    return ":".join([*head, *["0"] * (8 - len(head) - len(tail)), *tail])


def test_a_source_that_would_be_answered_elsewhere_is_dropped_where_the_larger_value_is_strict(
    pair: tuple[Network, Network],
) -> None:
    host, gateway = pair
    gateway.ip("addr add 10.5.0.9/32 dev lo")
    dropped = {}
    for everyone, own in itertools.product("012", repeat=2):
        host.write("net.ipv4.conf.all.rp_filter", everyone)
        host.write("net.ipv4.conf.h0.rp_filter", own)
        before = host.counter("netstat", "TcpExt", "IPReversePathFilter")
        gateway.ask("send_echo", "10.5.0.9", _HOST)
        gateway.ask("ping", _GATEWAY, _HOST)
        dropped[everyone, own] = host.counter("netstat", "TcpExt", "IPReversePathFilter") > before
    for key in ("all", "h0"):
        host.write(f"net.ipv4.conf.{key}.rp_filter", "0")
    leaf = Key("net.ipv4.conf.h0.rp_filter")
    assert dropped == {pair: effective(leaf, *pair, forwarding=False) == "1" for pair in dropped}
    assert dropped["1", "0"]
    assert not dropped["1", "2"]


def test_a_router_sends_redirects_where_all_or_the_interface_says_so(pair: tuple[Network, Network]) -> None:
    host, gateway = pair
    host.write("net.ipv4.conf.h0.forwarding", "1")
    sent = {}
    for number, (everyone, own) in enumerate(itertools.product("01", repeat=2)):
        # The kernel holds back repeated redirects to one sender.
        sender = f"10.0.0.{100 + number}"
        gateway.ip(f"addr add {sender}/24 dev g0", f"route add 10.9.7.{number}/32 via {_HOST} dev g0")
        host.write("net.ipv4.conf.all.send_redirects", everyone)
        host.write("net.ipv4.conf.h0.send_redirects", own)
        before = host.counter("snmp", "Icmp", "OutRedirects")
        gateway.ask("send_echo", sender, f"10.9.7.{number}")
        gateway.ask("ping", _GATEWAY, _HOST)
        sent[everyone, own] = host.counter("snmp", "Icmp", "OutRedirects") > before
    host.write("net.ipv4.conf.h0.forwarding", "0")
    assert sent == _predicted("net.ipv4.conf.h0.send_redirects", "01", forwarding=True)


def test_a_source_route_is_taken_where_all_and_the_interface_say_so(pair: tuple[Network, Network]) -> None:
    host, gateway = pair
    taken = {}
    for everyone, own in itertools.product("01", repeat=2):
        host.write("net.ipv4.conf.all.accept_source_route", everyone)
        host.write("net.ipv4.conf.h0.accept_source_route", own)
        before = host.counter("snmp", "Icmp", "InEchos")
        # A loose source route that is used up: length 7, pointer 8, one address, and a padding byte.
        gateway.ask("send_echo", _GATEWAY, _HOST, "8307080a0000fe00")
        gateway.ask("ping", _GATEWAY, _HOST)
        taken[everyone, own] = host.counter("snmp", "Icmp", "InEchos") - before == 2
    assert taken == _predicted("net.ipv4.conf.h0.accept_source_route", "01")


def test_ipv4_forwards_by_the_interfaces_own_value_and_ipv6_by_that_of_all(pair: tuple[Network, Network]) -> None:
    host, gateway = pair
    forwarded, forwarded6 = {}, {}
    for everyone, own in itertools.product("01", repeat=2):
        host.write("net.ipv4.conf.all.forwarding", everyone)
        host.write("net.ipv4.conf.h0.forwarding", own)
        host.write("net.ipv6.conf.all.forwarding", everyone)
        host.write("net.ipv6.conf.h0.forwarding", own)
        before, before6 = _forwarded(host)
        gateway.ask("send_echo", _GATEWAY, "10.8.0.77")
        gateway.ask("send_icmp6", "2001:db8:7::7", "g0", "2001:db8:8::77", 128, "00070007")
        gateway.ask("ping", _GATEWAY, _HOST)
        after, after6 = _forwarded(host)
        forwarded[everyone, own], forwarded6[everyone, own] = after > before, after6 > before6
    for family in ("ipv4", "ipv6"):
        host.write(f"net.{family}.conf.all.forwarding", "0")
    assert forwarded == _predicted("net.ipv4.conf.h0.forwarding", "01")
    # What an interface's own value means there is whether it behaves as a router's: not whether packets pass.
    assert forwarded6 == {(everyone, own): everyone == "1" for everyone, own in forwarded6}


def _forwarded(host: Network) -> tuple[int, int]:
    return host.counter("snmp", "Ip", "ForwDatagrams"), host.counter("snmp6", "", "Ip6OutForwDatagrams")


def _predicted(leaf: str, values: str, *, forwarding: bool = False) -> dict[tuple[str, str], bool]:
    return {
        (everyone, own): effective(Key(leaf), everyone, own, forwarding=forwarding) != "0"
        for everyone, own in itertools.product(values, repeat=2)
    }
