"""Nornir connection plugins: each opens one of `remote`'s sessions and hands it out as its connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from nornir.core.configuration import Config
from typing_extensions import override

from sysfleet.remote.access import Access
from sysfleet.remote.route import Asked
from sysfleet.remote.session import Session
from sysfleet.remote.target import Target

SHARED = "sysfleet.shared"  # where Config.user_defined holds what all connections of a run share


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections of a run share; `target` finds the way to a host, with a mark of its own each time."""

    access: Access
    target: Callable[[Asked], Target]


class _Connection:
    """What the plugins have in common: Nornir's fields become a way, and the session is the connection."""

    name: str

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
        """Connect, verify the host's key and log in, by `extras["deadline"]` (time.monotonic) at the latest.

        `extras["proxy_jump"]` names the bastions before the host; `extras["new"]` asks for a connection that
        shares nothing with another one to the host.
        """
        del password, platform  # a password is asked for only when no key will do: `Access.password`
        if configuration is None or hostname is None:
            raise ValueError("a connection needs a host name and Nornir's configuration")
        shared: Shared = configuration.user_defined[SHARED]
        extras = extras or {}
        asked = Asked(extras.get("name", hostname), hostname, port, username, extras.get("proxy_jump"))
        deadline = extras.get("deadline", time.monotonic() + shared.access.connect_timeout_s)
        self.connection = self.session(shared.target(asked), shared.access, deadline, new=bool(extras.get("new")))

    def session(self, target: Target, access: Access, deadline: float, *, new: bool) -> Session:
        """An open session to the target."""
        raise NotImplementedError

    def close(self) -> None:
        """End the session."""
        self.connection.close()


class ParamikoConnection(_Connection):
    """`sysfleet.paramiko`: the default way in."""

    name = "sysfleet.paramiko"

    @override
    def session(self, target: Target, access: Access, deadline: float, *, new: bool) -> Session:
        """An open session to the target; every one is a connection of its own."""
        from sysfleet.remote.paramiko_session import connect

        del new
        return connect(target, access, deadline=deadline)


CONNECTIONS: Mapping[str, type[_Connection]] = MappingProxyType({"paramiko": ParamikoConnection})
"""Every kind of connection by the name that settings and inventory give it."""
