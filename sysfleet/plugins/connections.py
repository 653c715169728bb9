"""Nornir connection plugins: each opens one of `remote`'s sessions and hands it out as its connection."""

from __future__ import annotations

import time
from typing import Any

from nornir.core.configuration import Config

from sysfleet.remote.paramiko_session import Access, Target, connect
from sysfleet.remote.session import Session

ACCESS = "sysfleet.access"  # where Config.user_defined holds the run's keys, known hosts and limits


class ParamikoConnection:
    """`sysfleet.paramiko`: the default way in."""

    name = "sysfleet.paramiko"

    def __init__(self) -> None:
        self.connection: Session
        self.state: dict[str, Any] = {}

    def open(
        self,
        hostname: str | None,
        username: str | None,
        password: str | None,
        port: int | None,
        platform: str | None,
        extras: dict[str, Any] | None = None,
        configuration: Config | None = None,
    ) -> None:
        """Connect, verify the host's key and log in, by `extras["deadline"]` (time.monotonic) at the latest."""
        if configuration is None or hostname is None:
            raise ValueError("a connection needs a host name and Nornir's configuration")
        access: Access = configuration.user_defined[ACCESS]
        target = Target(hostname=hostname, port=port or 22, username=username or access.username, password=password)
        deadline = (extras or {}).get("deadline", time.monotonic() + access.connect_timeout_s)
        self.connection = connect(target, access, deadline=deadline)

    def close(self) -> None:
        """End the session."""
        self.connection.close()
