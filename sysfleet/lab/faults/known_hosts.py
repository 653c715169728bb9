"""What the project of a lab says of a host's key: the truth, unless a fault wants another line.

- `other_host_key`: another host's key, good in itself.
- `no_known_key`: no line.
- `revoked_key`: the host's own key, marked as revoked (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT).
"""

from __future__ import annotations

from collections.abc import Collection

from sysfleet.lab.faults.names import Fault
from sysfleet.lab.keys import make_keys


def known_hosts_line(port: int, key: str, faults: Collection[Fault]) -> str:
    """The line of a host, with its line break; empty where there is none."""
    host = f"[127.0.0.1]:{port}"
    if "no_known_key" in faults:
        return ""
    if "revoked_key" in faults:
        return f"@revoked {host} {key}\n"
    if "other_host_key" in faults:
        return f"{host} {make_keys(1)[0].public.strip()}\n"
    return f"{host} {key}\n"
