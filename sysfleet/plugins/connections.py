"""Nornir connection plugins: each opens one of `remote`'s sessions and hands it out as its connection."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nornir.core.configuration import Config

from sysfleet.remote.paramiko_session import Access, Target, connect
from sysfleet.remote.session import Session

SHARED = "sysfleet.shared"  # where Config.user_defined holds what all connections of a run share


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections of a run share; `mark` draws an unguessable frame for each of them."""

    access: Access
    user: str
    mark: Callable[[], str]


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
        del password, platform  # a password is asked for only when no key will do: `Access.password`
        if configuration is None or hostname is None:
            raise ValueError("a connection needs a host name and Nornir's configuration")
        shared: Shared = configuration.user_defined[SHARED]
        extras = extras or {}
        target = Target(
            name=extras.get("name", hostname),
            address=hostname,
            mark=shared.mark(),
            port=port or 22,
            user=username or shared.user,
        )
        deadline = extras.get("deadline", time.monotonic() + shared.access.connect_timeout_s)
        self.connection = connect(target, shared.access, deadline=deadline)

    def close(self) -> None:
        """End the session."""
        self.connection.close()
