"""Network interfaces over a raw rtnetlink socket: thousands in a second, with nothing to import.

Works in the network namespace of the calling process; the only other one it knows is where a peer is sent.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from itertools import count
from typing import NamedTuple

_RTM_NEWLINK, _RTM_NEWADDR, _RTM_NEWROUTE = 16, 20, 24
_NLMSG_ERROR = 2
_REQUEST, _ACK, _EXCLUSIVE, _CREATE = 0x1, 0x4, 0x200, 0x400
_IFF_UP = 0x1
_IFLA_IFNAME, _IFLA_LINKINFO, _IFLA_NET_NS_FD = 3, 18, 28
_IFLA_INFO_KIND, _IFLA_INFO_DATA, _VETH_INFO_PEER = 1, 2, 1
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS, _IFA_F_NODAD = 1, 2, 8, 0x02
_RTA_OIF, _RTA_GATEWAY = 4, 5
_RT_TABLE_MAIN, _RTPROT_BOOT, _RTN_UNICAST = 254, 3, 1

# Every message of a datagram is answered; the answers to so many fit a socket's buffer.
_MESSAGES_A_DATAGRAM = 64


class Request(NamedTuple):
    """One message to the kernel, without its header."""

    kind: int
    flags: int
    payload: bytes


def veth(name: str, peer: str, *, peer_netns: int | None = None) -> Request:
    """Make a pair of interfaces; the peer goes to the network namespace that `peer_netns` is open on."""
    other = _link() + _name(peer)
    if peer_netns is not None:
        other += _attribute(_IFLA_NET_NS_FD, struct.pack("=I", peer_netns))
    info = _attribute(_IFLA_INFO_KIND, b"veth\0")
    info += _attribute(_IFLA_INFO_DATA, _attribute(_VETH_INFO_PEER, other))
    payload = _link() + _name(name) + _attribute(_IFLA_LINKINFO, info)
    return Request(_RTM_NEWLINK, _EXCLUSIVE | _CREATE, payload)


def link_up(name: str) -> Request:
    """Switch an interface on."""
    return Request(_RTM_NEWLINK, 0, _link(socket.if_nametoindex(name), _IFF_UP))


def address(name: str, interface: IPv4Interface | IPv6Interface) -> Request:
    """Give an interface an address, usable at once (no duplicate address detection)."""
    family = socket.AF_INET if interface.version == 4 else socket.AF_INET6
    header = struct.pack("=BBBBI", family, interface.network.prefixlen, 0, 0, socket.if_nametoindex(name))
    packed = interface.ip.packed
    payload = header + _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
    if family == socket.AF_INET6:
        payload += _attribute(_IFA_FLAGS, struct.pack("=I", _IFA_F_NODAD))
    return Request(_RTM_NEWADDR, _EXCLUSIVE | _CREATE, payload)


def default_route(name: str, gateway: IPv4Address) -> Request:
    """Send what belongs nowhere else to `gateway`."""
    header = struct.pack("=BBBBBBBBI", socket.AF_INET, 0, 0, 0, _RT_TABLE_MAIN, _RTPROT_BOOT, 0, _RTN_UNICAST, 0)
    index = struct.pack("=I", socket.if_nametoindex(name))
    payload = header + _attribute(_RTA_GATEWAY, gateway.packed) + _attribute(_RTA_OIF, index)
    return Request(_RTM_NEWROUTE, _EXCLUSIVE | _CREATE, payload)


def send(requests: Sequence[Request]) -> None:
    """Have the kernel do these in order; OSError with the first refusal."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as channel:
        channel.bind((0, 0))
        sequence = count(1)
        for start in range(0, len(requests), _MESSAGES_A_DATAGRAM):
            batch = requests[start : start + _MESSAGES_A_DATAGRAM]
            channel.send(b"".join(_message(request, next(sequence)) for request in batch))
            _collect(channel, len(batch))


def _message(request: Request, sequence: int) -> bytes:
    size = 16 + len(request.payload)
    return struct.pack("=IHHII", size, request.kind, _REQUEST | _ACK | request.flags, sequence, 0) + request.payload


def _collect(channel: socket.socket, answers: int) -> None:
    while answers > 0:
        data = channel.recv(1 << 18)
        while data:
            size, kind = struct.unpack_from("=IH", data)
            if kind == _NLMSG_ERROR:
                (code,) = struct.unpack_from("=i", data, 16)
                if code:
                    raise OSError(-code, f"{os.strerror(-code)} (netlink)")
                answers -= 1
            data = data[(size + 3) & ~3 :]


def _attribute(kind: int, payload: bytes) -> bytes:
    return struct.pack("=HH", 4 + len(payload), kind) + payload + b"\0" * (-len(payload) % 4)


def _link(index: int = 0, flags: int = 0) -> bytes:
    return struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, flags)


def _name(name: str) -> bytes:
    return _attribute(_IFLA_IFNAME, name.encode() + b"\0")
