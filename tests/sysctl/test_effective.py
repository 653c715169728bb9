import pytest

from sysfleet.sysctl.effective import disobeys, effective
from sysfleet.sysctl.key import Key


@pytest.mark.parametrize(
    ("leaf", "all_value", "own", "forwarding", "in_force"),
    [
        # Measured with forged redirects: a host ORs, a router ANDs.
        ("net.ipv4.conf.e.accept_redirects", "0", "1", False, "1"),
        ("net.ipv4.conf.e.accept_redirects", "1", "0", False, "1"),
        ("net.ipv4.conf.e.accept_redirects", "0", "0", False, "0"),
        ("net.ipv4.conf.e.accept_redirects", "0", "1", True, "0"),
        ("net.ipv4.conf.e.accept_redirects", "1", "1", True, "1"),
        ("net.ipv4.conf.e.accept_source_route", "0", "1", False, "0"),
        ("net.ipv4.conf.e.send_redirects", "0", "1", False, "1"),
        ("net.ipv4.conf.e.rp_filter", "2", "1", False, "2"),
        ("net.ipv4.conf.e.rp_filter", "1", "2", False, "2"),
        ("net.ipv4.conf.e.rp_filter", "1", "0", False, "1"),
        ("net.ipv4.conf.e.forwarding", "0", "1", False, "1"),
        ("net.ipv6.conf.e.accept_redirects", "0", "1", False, "1"),
        ("net.ipv6.conf.e.accept_redirects", "0", "1", True, "0"),
        ("net.ipv6.conf.e.accept_ra", "0", "1", False, "1"),
        ("net.ipv6.conf.e.accept_ra", "0", "1", True, "0"),
        ("net.ipv6.conf.e.accept_ra", "0", "2", True, "2"),
        ("net.ipv6.conf.e.accept_source_route", "0", "-1", False, "-1"),
        ("net.ipv6.conf.e.accept_dad", "1", "2", False, "2"),
        ("net.ipv6.conf.e.keep_addr_on_down", "-1", "1", False, "-1"),
        ("net.ipv6.conf.e.keep_addr_on_down", "0", "1", False, "1"),
        ("net.ipv4.conf.e.log_martians", "0x1", "0", False, "1"),
        ("net.ipv4.conf.e.no_such_key", "1", "0", False, "0"),
        ("net.ipv4.conf.e.rp_filter", "1", "garbage", False, "garbage"),
    ],
)
def test_the_value_in_force_follows_the_kernels_rule(
    leaf: str, all_value: str, own: str, in_force: str, *, forwarding: bool
) -> None:
    assert effective(Key(leaf), all_value, own, forwarding=forwarding) == in_force


@pytest.mark.parametrize(
    ("leaf", "all_value", "own", "kernel", "in_force"),
    [
        ("net.ipv4.conf.e.arp_accept", "1", "2", "4.19.0-27-amd64", "1"),
        ("net.ipv4.conf.e.arp_accept", "1", "2", "6.1.0-38-amd64", "2"),
        ("net.ipv4.conf.e.proxy_arp_pvlan", "1", "0", "4.19.0-27-amd64", "0"),
        ("net.ipv4.conf.e.proxy_arp_pvlan", "1", "0", "6.1.0", "1"),
        ("net.ipv4.conf.e.ignore_routes_with_linkdown", "1", "0", "5.4.0-216-generic", "0"),
        ("net.ipv4.conf.e.ignore_routes_with_linkdown", "1", "0", "", "1"),
        ("net.ipv4.conf.e.rp_filter", "1", "0", "4.19.0", "1"),
    ],
)
def test_an_older_kernel_combines_some_keys_in_another_way(
    leaf: str, all_value: str, own: str, kernel: str, in_force: str
) -> None:
    assert effective(Key(leaf), all_value, own, forwarding=False, kernel=kernel) == in_force


def test_an_interface_disobeys_where_it_does_not_what_all_asks() -> None:
    redirects = Key("net.ipv4.conf.e.accept_redirects")
    assert disobeys(redirects, "0", "1", forwarding=False)
    assert not disobeys(redirects, "0", "1", forwarding=True)
    assert not disobeys(redirects, "0", "0", forwarding=False)
    assert disobeys(Key("net.ipv6.conf.e.accept_redirects"), "0", "1", forwarding=False)
    assert disobeys(Key("net.ipv4.conf.e.rp_filter"), "1", "2", forwarding=False)
    assert not disobeys(Key("net.ipv4.conf.e.rp_filter"), "1", "0", forwarding=False)
