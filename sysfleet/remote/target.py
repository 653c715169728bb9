"""Where a session is to go: the host, and the servers on the way to it. Records; nothing is looked up here."""

from __future__ import annotations

from dataclasses import dataclass

from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts


@dataclass(frozen=True, slots=True, kw_only=True)
class Hop:
    """One SSH server: a host, or a bastion before it.

    `address` is connected to, from the hop before. Known hosts are asked for `known_as` alone (ssh_config(5),
    HostKeyAlias), else for the address, then for the name. `identities` None: those of the run.
    `proxy_command` is a local command whose input and output are the connection. Where `port_said` or `user_said` is
    false, nobody has named the port or user: they are what is usual, and an ssh_config may say otherwise.
    `known_hosts` and `connect_timeout_s` None: those of the run. `direct`: it is said that no bastion is before it.
    """

    name: str
    address: str
    port: int = 22
    user: str = "root"
    known_as: str | None = None
    identities: Identities | None = None
    proxy_command: str | None = None
    known_hosts: KnownHosts | None = None
    connect_timeout_s: float | None = None
    port_said: bool = True
    user_said: bool = True
    direct: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Target(Hop):
    """One host of a run, behind `jumps` (the first is the one that this machine connects to).

    `mark` frames the output of its programs and must be unguessable: 16 to 64 hexadecimal digits.
    """

    mark: str
    jumps: tuple[Hop, ...] = ()
