"""Hosts whose port is open inside another host's network alone: in which order they boot, and their sockets.

A socket belongs to the network namespace that it was made in, whoever has it. So a child of the supervisor goes into
the bastion's network, makes sockets there and hands them back; nobody else has to go there.
"""

from __future__ import annotations

import os
import socket
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Never

from sysfleet.errors import SetupError, UsageError
from sysfleet.lab import linux
from sysfleet.lab.handing import AT_ONCE, hand_over, receive
from sysfleet.lab.processes import Process
from sysfleet.lab.spec import HostSpec
from sysfleet.lab.supervised import SupervisedHost


def check(specs: Iterable[HostSpec]) -> None:
    """Raise UsageError where a host is behind one that is not there, or behind itself."""
    behind = {spec.name: spec.behind for spec in specs}
    for name, bastion in behind.items():
        if bastion is not None and bastion not in behind:
            raise UsageError(f"{name} is behind {bastion}, which is no host of this lab")
        way = [name]
        while (before := behind[way[-1]]) is not None:
            if before in way:
                raise UsageError(f"{name} is behind itself: {', '.join([*way, before])}")
            way.append(before)


def in_order(hosts: Iterable[SupervisedHost]) -> Iterator[list[SupervisedHost]]:
    """The hosts in groups that can boot together: nobody before the bastion that it is behind."""
    left = {host.plan.spec.name: host for host in hosts}
    while left:
        group = [host for host in left.values() if host.plan.spec.behind not in left]
        yield group
        for host in group:
            del left[host.plan.spec.name]


def open_behind(bastion: SupervisedHost, hosts: Iterable[SupervisedHost]) -> None:
    """Open the ports of all that are behind this host, now that it has a network; also those of hosts that are up."""
    behind = [host for host in hosts if host.plan.spec.behind == bastion.plan.spec.name]
    if behind:
        for host, listener in zip(behind, _sockets_in(bastion.process, len(behind)), strict=True):
            host.listen_at(listener)


def ways_to(
    hosts: Iterable[SupervisedHost], by_name: Mapping[str, SupervisedHost]
) -> Iterator[tuple[SupervisedHost, socket.socket]]:
    """For every host a socket that can be connected to its port; none for hosts whose bastion is down."""
    groups: dict[str | None, list[SupervisedHost]] = defaultdict(list)
    for host in hosts:
        groups[host.plan.spec.behind].append(host)
    for bastion, group in groups.items():
        if bastion is None:
            yield from ((host, socket.socket()) for host in group)
        elif by_name[bastion].process is not None:
            yield from zip(group, _sockets_in(by_name[bastion].process, len(group)), strict=True)


def _sockets_in(process: Process | None, number: int) -> list[socket.socket]:
    """So many sockets of the network that this process has."""
    if process is None:
        raise SetupError("a bastion of the lab has ended")
    here, there = socket.socketpair()
    child = os.fork()
    if child == 0:
        _make_sockets(process.pid, number, there)
    there.close()
    with here:
        found: list[socket.socket] = []
        while len(found) < number and (more := receive(here)):
            found += more
    status = os.waitpid(child, 0)[1]
    if len(found) != number:
        raise SetupError(f"no sockets in a bastion's network: {os.strerror(os.waitstatus_to_exitcode(status))}")
    return found


def _make_sockets(pid: int, number: int, channel: socket.socket) -> Never:
    status = 0
    try:
        namespaces = [(os.open(f"/proc/{pid}/ns/user", os.O_RDONLY), linux.CLONE_NEWUSER)]
        namespaces.append((os.open(f"/proc/{pid}/ns/net", os.O_RDONLY), linux.CLONE_NEWNET))
        for fd, kind in namespaces:
            linux.setns(fd, kind)
        sockets = [socket.socket() for _ in range(number)]
        for first in range(0, number, AT_ONCE):
            hand_over(channel, sockets[first : first + AT_ONCE])
    except OSError as error:
        status = error.errno or 1
    finally:
        os._exit(status & 0xFF)
