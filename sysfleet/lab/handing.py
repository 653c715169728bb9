"""Sockets handed from process to process (unix(7), SCM_RIGHTS). Knows nothing of what they are for."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable

# No more than 253 fit in one message.
AT_ONCE = 200


def hand_over(channel: socket.socket, sockets: Iterable[socket.socket]) -> None:
    """Give the process at the other end these sockets; OSError where it has gone."""
    socket.send_fds(channel, [b"+"], [each.fileno() for each in sockets])


def receive(channel: socket.socket) -> list[socket.socket]:
    """Take one handful of sockets that were handed over; none when the other end has gone."""
    _, fds, _, _ = socket.recv_fds(channel, 1, AT_ONCE)
    for fd in fds:
        os.set_inheritable(fd, False)
    return [socket.socket(fileno=fd) for fd in fds]
