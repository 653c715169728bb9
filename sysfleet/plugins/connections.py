"""Nornir connection plugins: each opens one of `remote`'s sessions and hands it out as its connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from nornir.core.configuration import Config
from typing_extensions import override

from sysfleet.errors import ConnectError
from sysfleet.plugins import netmiko_options
from sysfleet.remote.access import Access
from sysfleet.remote.route import Asked
from sysfleet.remote.session import Session
from sysfleet.remote.target import Target

# What is said of a connection besides an inventory's extras, which are options of the library under it.
_OWN = frozenset({"deadline", "name", "new", "proxy_jump", "stays"})
SHARED = "sysfleet.shared"  # where Config.user_defined holds what all connections of a run share


@dataclass(frozen=True, slots=True)
class Shared:
    """What all connections of a run share; `target` finds the way to a host, with a mark of its own each time."""

    access: Access
    target: Callable[[Asked], Target]


class _Connection:
    """What the plugins have in common: Nornir's fields become a way, and the session is the connection."""

    name: str
    cannot_change: str | None = None
    """Why nothing is to be changed over it; None where everything may be."""
    sends_passwords = True
    """Whether it can log in with a password."""

    def __init__(self) -> None:
        self.connection: Session
        self.stays = False
        self.platform: str | None = None
        self.options: Mapping[str, Any] = {}
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
        shares nothing with another one to the host, `extras["stays"]` for one that all further programs go over.
        """
        del password  # it is asked for only when no key will do: `Access.password`
        if configuration is None or hostname is None:
            raise ValueError("a connection needs a host name and Nornir's configuration")
        shared: Shared = configuration.user_defined[SHARED]
        extras = extras or {}
        asked = Asked(extras.get("name", hostname), hostname, port, username, extras.get("proxy_jump"))
        deadline = extras.get("deadline", time.monotonic() + shared.access.connect_timeout_s)
        self.platform, self.stays = platform, bool(extras.get("stays"))
        self.options = {name: value for name, value in extras.items() if name not in _OWN}
        self.connection = self.session(shared.target(asked), shared.access, deadline, new=bool(extras.get("new")))

    @classmethod
    def problem(cls, platform: str | None, options: Mapping[str, Any]) -> str | None:
        """What is wrong with a host's platform and extras, before anything is contacted."""
        del platform, options
        return None

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


class NetmikoConnection(_Connection):
    """`sysfleet.netmiko`: through nornir-netmiko, for hosts that give an interactive shell only."""

    name = "sysfleet.netmiko"
    cannot_change = "over an interactive shell nothing puts a change back if the connection is lost"

    @override
    @classmethod
    def problem(cls, platform: str | None, options: Mapping[str, Any]) -> str | None:
        """The first option that netmiko is not to be given."""
        return netmiko_options.problem(platform, options)

    @override
    def session(self, target: Target, access: Access, deadline: float, *, new: bool) -> Session:
        """An open session to the target; every one is a connection of its own."""
        # Half a second, which only those pay who have such a host.
        from nornir_netmiko.connections import Netmiko

        from sysfleet.remote.netmiko_session import connect

        del new
        wrong = self.problem(self.platform, self.options)
        if wrong is not None:
            raise ConnectError(wrong, phase="connect")
        options = {name: self.options[name] for name in netmiko_options.SAFE & set(self.options)}
        opener, platform = Netmiko(), self.platform or netmiko_options.DEFAULT_PLATFORM
        try:
            opener.open(target.address, target.user, None, target.port, platform, {**options, "auto_connect": False})
        except ValueError as error:
            kind = options.get("device_type", platform)
            raise ConnectError(f"netmiko knows no platform {kind}", phase="connect") from error
        return connect(target, access, opener.connection, deadline=deadline)


class OpensshConnection(_Connection):
    """`sysfleet.openssh`: the system's ssh, with whatever its owner's configuration can do."""

    name = "sysfleet.openssh"
    sends_passwords = False

    @override
    @classmethod
    def problem(cls, platform: str | None, options: Mapping[str, Any]) -> str | None:
        """Any option: ssh is told by its own files."""
        del platform
        return f"the option {min(options)} means nothing to ssh" if options else None

    @override
    def session(self, target: Target, access: Access, deadline: float, *, new: bool) -> Session:
        """An open session to the target; none shares its connection with another one."""
        from sysfleet.remote.openssh_session import connect

        if access.openssh is None:
            raise ValueError("this run has no ssh")
        return connect(access.openssh, target, access, deadline=deadline, stays=self.stays and not new)


CONNECTIONS: Mapping[str, type[_Connection]] = MappingProxyType(
    {"netmiko": NetmikoConnection, "openssh": OpensshConnection, "paramiko": ParamikoConnection}
)
"""Every kind of connection by the name that settings and inventory give it."""
