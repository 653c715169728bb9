"""What the supervisor has decided about one host before it starts it. Pure record; JSON-free, it is inherited."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Interface, IPv6Interface
from pathlib import Path

from sysfleet.lab.spec import Backend, HostSpec, Loader

# Subnets are the lab's own: they exist in the hosts' network namespaces and nowhere else.
_FIRST_IPV4 = IPv4Address("10.64.0.0")
_IPV6_PREFIX = 0xFD5F_5EE7 << 96


@dataclass(frozen=True, slots=True)
class HostPlan:
    """One host and where it lives; `inherited` are keys whose fresh value would come from this machine's own."""

    spec: HostSpec
    number: int
    folder: Path
    loader: Loader
    backend: Backend
    inherited: Mapping[str, str] = field(default_factory=dict)

    @property
    def store(self) -> Path:
        """The folders of the host that outlive a restart; without namespaces, the whole host."""
        return self.folder / "root"

    @property
    def mount_point(self) -> Path:
        """Where the host's root is put together."""
        return self.folder / "mount"

    @property
    def log(self) -> Path:
        """What the host's init, loader and SSH server say."""
        return self.folder / "log"

    @property
    def addresses(self) -> tuple[IPv4Interface | IPv6Interface, ...]:
        """What the host's eth0 has."""
        return self._addresses(2)

    @property
    def gateway_addresses(self) -> tuple[IPv4Interface | IPv6Interface, ...]:
        """What the other end of eth0's wire has."""
        return self._addresses(1)

    def _addresses(self, last: int) -> tuple[IPv4Interface | IPv6Interface, ...]:
        ipv4 = _FIRST_IPV4 + self.number * 256 + last
        ipv6 = _IPV6_PREFIX + (self.number << 64) + last
        return IPv4Interface((ipv4, 24)), IPv6Interface((ipv6, 64))
