"""What all connections of a run share: trust, keys, passwords, limits. It opens nothing by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sysfleet.remote.bastions import Bastions
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.openssh_client import Client
from sysfleet.remote.openssh_passage import Passage
from sysfleet.remote.password import Password
from sysfleet.remote.privilege import Method
from sysfleet.remote.target import Hop

if TYPE_CHECKING:
    from sysfleet.remote.bastion import Bastion


def _no_password(_hop: Hop) -> Password | None:
    return None


@dataclass(frozen=True, slots=True)
class Access:
    """Trust, keys and limits of a run. Passwords are found by the server that asks for them, when it asks.

    `openssh` starts the system's ssh, where any host is gone to by it;
    `environ` the environment of programs that are started here, without the variables that hold secrets;
    `in_terminal` the hosts that were found to give root rights in a terminal alone.
    """

    known_hosts: KnownHosts
    identities: Identities = field(default_factory=Identities)
    connect_timeout_s: float = 10.0
    password: Callable[[Hop], Password | None] = _no_password
    privilege: Method = "auto"
    privilege_password: Callable[[Hop], Password | None] = _no_password
    openssh: Client | None = field(default=None, repr=False)
    environ: Mapping[str, str] = field(default_factory=dict, repr=False)
    in_terminal: set[str] = field(default_factory=set, repr=False)
    bastions: Bastions[Bastion] = field(default_factory=Bastions, repr=False)
    ssh_bastions: Bastions[Passage] = field(default_factory=Bastions, repr=False)

    def disconnect(self) -> None:
        """End the connections to bastions; whoever needs one later connects anew."""
        self.bastions.disconnect()
        self.ssh_bastions.disconnect()

    def close(self) -> None:
        """End what is shared: connections to bastions, the one to an agent, and every ssh that is still there."""
        self.bastions.close()
        self.ssh_bastions.close()
        self.identities.close()
        if self.openssh is not None:
            self.openssh.close()
