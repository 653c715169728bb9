"""OpenSSH as a lab host's server: one `sshd -i` for every connection.

Runs in the host's init. Knows the file names that `etc` gives, nothing of namespaces.
"""

from __future__ import annotations

import os
import signal
import socket
from collections.abc import Mapping
from pathlib import Path

from sysfleet.lab import etc

_PROGRAMS = ("/usr/sbin/sshd", "/usr/local/sbin/sshd", "/usr/bin/sshd")


def program() -> str | None:
    """This machine's sshd, which wants to be started by its full name."""
    return next((name for name in _PROGRAMS if os.access(name, os.X_OK)), None)


def serve_connection(listener: socket.socket, environment: Mapping[str, str]) -> None:
    """Accept one connection, if it is still there, and leave it to an sshd of its own."""
    try:
        connection, _ = listener.accept()
    except (BlockingIOError, ConnectionAbortedError):
        return
    with connection:
        # On loopback, Nagle's algorithm and delayed acknowledgements would stall a login twice for 40 ms.
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sshd = program() or _PROGRAMS[0]
        fd = connection.fileno()
        # A spawn shares memory until exec: forking a Python process would cost more than the whole login.
        os.posix_spawn(
            sshd,
            [sshd, "-i", "-e", "-f", str(Path("/") / etc.SSHD_CONFIG)],
            environment,
            file_actions=[(os.POSIX_SPAWN_DUP2, fd, 0), (os.POSIX_SPAWN_DUP2, fd, 1)],
            # Python ignores these two; programs expect the default.
            setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
        )
