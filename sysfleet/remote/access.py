"""What all connections of a run share: trust, keys, passwords, limits. A record; it opens nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.password import Password
from sysfleet.remote.privilege import Method
from sysfleet.remote.target import Hop


def _no_password(_hop: Hop) -> Password | None:
    return None


@dataclass(frozen=True, slots=True)
class Access:
    """Trust, keys and limits of a run. Passwords are found by the server that asks for them, when it asks.

    `config` is the ssh_config that the OpenSSH client is to follow; `runtime` the user's own folder for sockets;
    `environ` the environment of programs that are started here, without the variables that hold secrets;
    `in_terminal` the hosts that were found to give root rights in a terminal alone.
    """

    known_hosts: KnownHosts
    identities: Identities = field(default_factory=Identities)
    connect_timeout_s: float = 10.0
    password: Callable[[Hop], Password | None] = _no_password
    privilege: Method = "auto"
    privilege_password: Callable[[Hop], Password | None] = _no_password
    config: Path | None = None
    runtime: Path | None = None
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    in_terminal: set[str] = field(default_factory=set, repr=False)
