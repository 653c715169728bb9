"""The fleets that come with the lab: any number of standard hosts, and the mixed fifty. Pure data."""

from __future__ import annotations

from dataclasses import replace

from sysfleet.lab.spec import HostSpec

ROLES = ("web", "db", "router", "bastion")
# A router forwards before anybody hardens it; switching it on is what a host may lose its routes by.
_VALUES = {"router": {"net.ipv6.conf.all.forwarding": "1"}}


def standard_hosts(number: int) -> list[HostSpec]:
    """So many hosts, role after role: web1, db1, router1, bastion1, web2, …"""
    hosts = []
    for index in range(number):
        role = ROLES[index % len(ROLES)]
        hosts.append(HostSpec(f"{role}{index // len(ROLES) + 1}", groups=(role,), values=_VALUES.get(role, {})))
    return hosts


def mixed_hosts() -> list[HostSpec]:
    """Fifty hosts as a fleet has them: most alike, some large, some old-fashioned, some not answering.

    By name: web1 has 2,000 interfaces, web2 400 drop-ins; db1 to db3 forward although nothing says so; router1
    to router3 refuse, bastion1 and bastion2 hang; db4 has a rival file, db5 lacks a key, web3 has another loader.
    """
    changes: dict[str, HostSpec] = {}
    hosts = {spec.name: spec for spec in standard_hosts(50)}

    def change(name: str, **fields: object) -> None:
        changes[name] = replace(hosts[name], **fields)  # type: ignore[arg-type]

    change("web1", interfaces=2000)
    change("web2", drop_ins=400)
    for name in ("db1", "db2", "db3"):
        change(name, values={"net.ipv4.ip_forward": "1"})
    for name in ("router1", "router2", "router3"):
        change(name, refuse=True)
    for name in ("bastion1", "bastion2"):
        change(name, hang=True)
    change("db4", files={"/etc/sysctl.d/99-zzz-rival.conf": b"net.ipv4.conf.all.accept_redirects = 1\n"})
    change("db5", absent=("net.ipv4.tcp_rfc1337",))
    change("web3", loader="procps")
    return [changes.get(spec.name, spec) for spec in hosts.values()]
