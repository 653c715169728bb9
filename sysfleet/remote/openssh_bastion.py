"""The bastions before a host, over the system's ssh: one login to each for the whole run, whoever needs it first.

Knows the way and who shares it; not what goes through.
"""

from __future__ import annotations

import re

from sysfleet.errors import CommandFailed
from sysfleet.remote.access import Access
from sysfleet.remote.openssh_client import Client
from sysfleet.remote.openssh_command import asked, configuration
from sysfleet.remote.openssh_login import hold
from sysfleet.remote.openssh_passage import Passage
from sysfleet.remote.target import Hop, Target

_JUMPS = re.compile(rb"^proxyjump (.+)$", re.MULTILINE)
_JUMP = re.compile(r"(?:([^@]+)@)?(?:\[([^\]]+)\]|([^:@\[\]]+))(?::(\d{1,5}))?")
_ANSWER_BYTES = 1 << 20


def bastions_of(client: Client, target: Target, access: Access, *, until: float) -> tuple[Hop, ...]:
    """The bastions before a host: the inventory's, or where it names none, those that ssh would go by."""
    if target.jumps or target.direct:
        return target.jumps
    files = client.files()
    try:
        text = configuration(client.options, connect_timeout_s=access.connect_timeout_s)
        files.configuration.write_text(text, encoding="utf-8")
        child = client.start(asked(client.options, target, configuration=files.configuration), files.log)
        try:
            child.pump(lambda: child.silent, until=until, limit_bytes=_ANSWER_BYTES)
        except CommandFailed:
            return ()
        finally:
            child.kill()
            client.end(child)
    finally:
        files.remove()
    found = _JUMPS.search(child.stdout)
    words = found[1].decode("utf-8", "replace").split(",") if found else []
    hops = [_hop(word) for word in words]
    # What is not understood here, ssh does by itself: with a login of its own to the bastion.
    return tuple(hop for hop in hops if hop is not None) if None not in hops else ()


def _hop(word: str) -> Hop | None:
    found = _JUMP.fullmatch(word)
    if found is None:
        return None
    user, name, port = found[1], found[2] or found[3], found[4]
    return Hop(
        name=name,
        address=name,
        port=int(port or 22),
        user=user or "",
        port_said=port is not None,
        user_said=user is not None,
    )


def passage(client: Client, jumps: tuple[Hop, ...], access: Access, *, until: float) -> Passage | None:
    """The connection to the last of `jumps`, by way of those before it; a HostError names the one that fails."""
    found: Passage | None = None
    for number, hop in enumerate(jumps, 1):

        def connect(hop: Hop = hop, through: Passage | None = found) -> Passage:
            return hold(client, hop, access, through=through, until=until)

        found = access.ssh_bastions.get(jumps[:number], connect, until=until)
    return found
