"""Learning the key of a server that nobody knows yet: under which name, what it shows, and the line for known_hosts.

Agrees on keys and hangs up: no login, no program. Refuses to know where lines are kept, and who may agree to them.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from sysfleet.errors import HostKeyRejected
from sysfleet.remote.access import Access
from sysfleet.remote.evidence import clean
from sysfleet.remote.known_hosts import HostKey, KnownHosts, spelled_name
from sysfleet.remote.target import Hop, Target

# The kinds of keys to ask an unknown server for, best first; it shows the first that it has.
_WANTED = (
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
)
# Whatever has a meaning of its own in the first field of a line is no part of a name: lists, patterns, markers.
_NAME = re.compile(r"[^\s,*?!|#@\"\\\x00-\x1f\x7f]+")
_TYPE = re.compile(r"[a-z0-9][a-z0-9@.-]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class NewKey:
    """The key that an unknown server showed; `hop` is who showed it, `name` how known_hosts spells it."""

    hop: Hop
    name: str
    key: HostKey

    @property
    def line(self) -> str:
        """The line of known_hosts that makes it known, without its end."""
        return f"{self.name} {self.key.type} {base64.b64encode(self.key.blob).decode()}"


def names_of(hop: Hop) -> tuple[tuple[str, int], ...]:
    """Name and port under which known hosts are asked for a server, in this order; the first is what is learned."""
    if hop.known_as is not None:
        return ((hop.known_as, 22),)
    return tuple(dict.fromkeys(((hop.address, hop.port), (hop.name, hop.port))))


def trusted(hop: Hop, known_hosts: KnownHosts) -> KnownHosts:
    """The host keys that count for a server: its own, where it has any of its own, else those of the run."""
    return known_hosts if hop.known_hosts is None else hop.known_hosts


def is_known(hop: Hop, known_hosts: KnownHosts) -> bool:
    """Whether any key, or any authority, is trusted for the server, be it the one that it has or not."""
    return any(trusted(hop, known_hosts).algorithms(*name) for name in names_of(hop))


def first_unknown(target: Target, known_hosts: KnownHosts) -> int | None:
    """Which server on the way to a host is the first unknown one; the host itself comes last. None: all are known."""
    way = (*target.jumps, target)
    return next((at for at, hop in enumerate(way) if not is_known(hop, known_hosts)), None)


def show(target: Target, at: int, access: Access, *, deadline: float) -> NewKey:
    """The key that a server on the way to a host shows, reached by those before it, which have to be known.

    Raises the ConnectError that says what is wrong; HostKeyRejected also where the key is revoked, and where it
    cannot be written down. All of it ends by `deadline` (time.monotonic) and within `connect_timeout_s`.
    """
    from paramiko.transport import Transport

    from sysfleet.remote.reach import begin
    from sysfleet.remote.transport import shut

    way = (*target.jumps, target)
    transport, _, _ = begin(way[at], way[:at], access, _WANTED, deadline=deadline, kind=Transport)
    try:
        shown = transport.get_remote_server_key()
        key = HostKey(shown.get_name(), shown.asbytes())
    finally:
        shut(transport)
    trusted(way[at], access.known_hosts).check_revoked(*names_of(way[at])[0], key)
    return new_key(way[at], key)


def new_key(hop: Hop, key: HostKey) -> NewKey:
    """The key with the name it is to be known by; HostKeyRejected where name or key would break the line."""
    name = spelled_name(*names_of(hop)[0])
    if not (_NAME.fullmatch(name) and _TYPE.fullmatch(key.type) and key.blob):
        raise HostKeyRejected(
            f"the host key of {clean(name, limit=120)} cannot be written into known_hosts under this name",
            phase="connect",
            hint="give the host a plain address",
        )
    return NewKey(hop, name, key)
