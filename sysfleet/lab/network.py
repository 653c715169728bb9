"""A lab host's interfaces: eth0 with addresses and a default route, and as many more as its spec asks for.

Runs inside the host's namespaces. The other end of eth0 is in a namespace of its own, so the host sees one
interface; what it sends reaches nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Interface, IPv6Interface
from pathlib import Path

from sysfleet.lab import netlink
from sysfleet.lab.namespaces import Wire
from sysfleet.lab.plan import HostPlan


def connect(plan: HostPlan, wire: Wire) -> None:
    """Make and switch on the host's interfaces; beyond eth0 they stay down."""
    netlink.send(_pairs(plan.spec.interfaces, wire.outside))
    netlink.send([netlink.link_up("lo"), netlink.link_up("eth0")])
    _give_addresses("eth0", plan.addresses)
    wire.at_other_end(lambda: _connect_other_end(plan))
    gateway = plan.gateway_addresses[0]
    if isinstance(gateway, IPv4Interface):
        netlink.send([netlink.default_route("eth0", gateway.ip)])


def _pairs(interfaces: int, outside: int) -> list[netlink.Request]:
    """eth0 is wired to the outside; of the others two and two are one pair, an odd one's end is outside."""
    requests = [netlink.veth("eth0", "wire0", peer_netns=outside)]
    for number in range(1, interfaces, 2):
        if number + 1 < interfaces:
            requests.append(netlink.veth(f"eth{number}", f"eth{number + 1}"))
        else:
            requests.append(netlink.veth(f"eth{number}", f"wire{number}", peer_netns=outside))
    return requests


def _connect_other_end(plan: HostPlan) -> None:
    netlink.send([netlink.link_up("wire0")])
    _give_addresses("wire0", plan.gateway_addresses)


def _give_addresses(name: str, interfaces: Iterable[IPv4Interface | IPv6Interface]) -> None:
    """IPv6 may be off on this machine, wholly or for new interfaces."""
    switch = Path(f"/proc/sys/net/ipv6/conf/{name}/disable_ipv6")
    has_ipv6 = switch.exists() and switch.read_text(encoding="ascii").strip() == "0"
    netlink.send([netlink.address(name, each) for each in interfaces if has_ipv6 or each.version == 4])
