"""The bastions before a host, over the system's ssh: one login to each for the whole run, whoever needs it first.

Knows the way and who shares it; not what goes through.
"""

from __future__ import annotations

from sysfleet.remote.access import Access
from sysfleet.remote.openssh_client import Client
from sysfleet.remote.openssh_login import hold
from sysfleet.remote.openssh_passage import Passage
from sysfleet.remote.target import Hop


def passage(client: Client, jumps: tuple[Hop, ...], access: Access, *, until: float) -> Passage | None:
    """The connection to the last of `jumps`, by way of those before it; a HostError names the one that fails."""
    found: Passage | None = None
    for number, hop in enumerate(jumps, 1):

        def connect(hop: Hop = hop, through: Passage | None = found) -> Passage:
            return hold(client, hop, access, through=through, until=until)

        found = access.ssh_bastions.get(jumps[:number], connect, until=until)
    return found
