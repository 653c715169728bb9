"""From what inventory and ssh_config say of a host to the way there: address, login and the bastions before it.

The inventory's word stands above the config's. Nothing is connected to.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Protocol

from sysfleet.errors import UsageError
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.ssh_ways import KeyChoice, Said, TrustChoice
from sysfleet.remote.target import Hop, Target


@dataclass(frozen=True, slots=True)
class Asked:
    """What the inventory says of one host; None is not said. `jump` is as in ssh_config(5), ProxyJump."""

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    jump: str | None = None


class Config(Protocol):
    """What an ssh_config says of servers by name."""

    def of(self, name: str, *, user: str | None, port: int | None, default_user: str) -> Said:
        """What it says of one, with the user and port that are asked for."""


class Loader(Protocol):
    """Makes keys and host keys of the files that an ssh_config names."""

    def identities(self, choice: KeyChoice) -> Identities:
        """The keys of these files."""

    def known_hosts(self, choice: TrustChoice) -> KnownHosts:
        """The host keys of these files."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What ways are found by: the inventory's hosts, the ssh_config, and who logs in where neither says.

    `default_said` is whether somebody has named that user. Without a `loader` no file is read, and hops have no keys.
    """

    inventory: Callable[[str], Asked | None]
    default_user: str
    default_said: bool = False
    config: Config | None = None
    loader: Loader | None = None


def route(asked: Asked, *, mark: str, rules: Rules) -> Target:
    """The way to a host; UsageError where its bastions lead nowhere, or the ssh_config cannot be followed."""
    said = _said(asked, rules)
    hop = _hop(asked, said, rules)
    jumps = () if hop.proxy_command is not None else _jumps(asked, said, rules, (asked.name,))
    return Target(mark=mark, jumps=jumps, **{one.name: getattr(hop, one.name) for one in fields(Hop)})


def _said(asked: Asked, rules: Rules) -> Said:
    if rules.config is None:
        return Said()
    said = rules.config.of(asked.address, user=asked.user, port=asked.port, default_user=rules.default_user)
    if said.problems:
        raise UsageError(f"the ssh_config cannot be followed to {asked.name}", problems=said.problems)
    return said


def _hop(asked: Asked, said: Said, rules: Rules) -> Hop:
    loader = rules.loader
    user = asked.user or said.user
    return Hop(
        name=asked.name,
        address=said.address or asked.address,
        port=asked.port or said.port or 22,
        user=user or rules.default_user,
        known_as=said.known_as,
        identities=loader.identities(said.keys) if loader and said.keys else None,
        proxy_command=_proxy_command(asked, said),
        known_hosts=loader.known_hosts(said.trust) if loader and said.trust else None,
        connect_timeout_s=said.connect_timeout_s,
        port_said=asked.port is not None,
        user_said=user is not None or rules.default_said,
        direct=asked.jump is not None and asked.jump.lower() == "none",
    )


def _proxy_command(asked: Asked, said: Said) -> str | None:
    # The inventory's word on bastions stands above the config's on any other way.
    return said.proxy_command if asked.jump is None and said.proxy_command != "none" else None


def _jumps(asked: Asked, said: Said, rules: Rules, before: tuple[str, ...]) -> tuple[Hop, ...]:
    text = asked.jump or said.jump
    if text is None or text.lower() == "none":
        return ()
    found: list[Hop] = []
    for word in text.split(","):
        jump = rules.inventory(word.strip()) or _parsed(word.strip(), asked.name)
        if jump.name in before:
            raise UsageError(f"the way to {before[0]} goes in a circle: {' by '.join((*before, jump.name))}")
        about = _said(jump, rules)
        hop = _hop(jump, about, rules)
        if found:
            hop = replace(hop, proxy_command=None)  # ssh goes by the hop before it
        elif hop.proxy_command is None:
            found += _jumps(jump, about, rules, (*before, jump.name))
        found.append(hop)
    return tuple(found)


_HOP = re.compile(r"(?:ssh://)?(?:(?P<user>[^@]+)@)?(?:\[(?P<six>[^\]]+)\]|(?P<name>[^:@/\[\]]+))(?::(?P<port>\d+))?/?")


def _parsed(word: str, host: str) -> Asked:
    """A hop that is no host of the inventory: [user@]host[:port], as ssh takes it."""
    parts = _HOP.fullmatch(word)
    if parts is None or (parts["port"] and not 0 < int(parts["port"][:9]) < 65536):
        raise UsageError(f"{host}: {word!r} is no bastion", hint="a host of the inventory, or [user@]host[:port]")
    name = parts["six"] or parts["name"]
    return Asked(name, name, int(parts["port"]) if parts["port"] else None, parts["user"])
