"""From a hop to a connection that is proven and logged in to, through whatever bastions stand before it.

Says of every failure in which phase and after how long it came. Knows no program, and nothing of what runs later.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, TypeVar

from paramiko.transport import Transport
from typing_extensions import override

from sysfleet.errors import ConnectionLost, HostError, HostKeyRejected, LoginRejected, Unreachable
from sysfleet.remote.access import Access
from sysfleet.remote.bastion import Bastion, BastionTransport
from sysfleet.remote.evidence import clean
from sysfleet.remote.host_certificate import HostCertificate, read_certificate
from sysfleet.remote.known_hosts import HostKey, KnownHosts
from sysfleet.remote.login import log_in
from sysfleet.remote.proxy import ProxyStream, open_proxy
from sysfleet.remote.target import Hop
from sysfleet.remote.translate import NO_KNOWN_TYPE, translated
from sysfleet.remote.transport import FULL, Dropped, open_stream, shut, start
from sysfleet.remote.wire import Wire

if TYPE_CHECKING:
    from collections.abc import Iterable

    from paramiko.pkey import PKey

Kind = TypeVar("Kind", bound=Transport)

# A server that says why it hangs up before its banner is tried until the time is over; others a few times.
_SILENT_DROPS = 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.2, 2.0


@dataclass
class Steps:
    """Which phase of connecting is under way, and since when all of it is."""

    now: str = "name lookup"
    began_at: float = field(default_factory=time.monotonic)

    @override
    def __str__(self) -> str:
        elapsed_s = time.monotonic() - self.began_at
        # No fractions: rows of hosts that fail alike should read alike.
        return f"{self.now}, " + ("at once" if elapsed_s < 0.95 else f"after {elapsed_s:.0f} s")


def reach(hop: Hop, jumps: tuple[Hop, ...], access: Access, *, deadline: float, kind: type[Kind]) -> Kind:
    """A connection to a server behind `jumps`, with its key proven, logged in to; a HostError says what is wrong.

    Bastions that others have connected to are shared. All of it ends by `deadline` (time.monotonic), and what
    concerns this server within `connect_timeout_s`.
    """
    known_hosts = access.known_hosts if hop.known_hosts is None else hop.known_hosts
    known_as, known_port = known_name(hop, known_hosts)
    types = known_hosts.algorithms(known_as, known_port)
    try:
        transport, steps, until = begin(hop, jumps, access, types, deadline=deadline, kind=kind)
    except HostKeyRejected as error:
        if error.message == NO_KNOWN_TYPE:
            error.evidence = f"known are {known_hosts.told(known_as, known_port)}"
        raise
    try:
        steps.now = "login"
        _prove(transport.get_remote_server_key(), hop, known_hosts)
        identities = access.identities if hop.identities is None else hop.identities
        log_in(transport, hop.user, identities, access.password(hop), who=hop.name, until=until)
    except Exception as error:
        shut(transport)
        raise _told(error, steps, until) from error
    except BaseException:
        shut(transport)
        raise
    return transport


def begin(
    hop: Hop,
    jumps: tuple[Hop, ...],
    access: Access,
    types: Iterable[str],
    *,
    deadline: float,
    kind: type[Kind],
) -> tuple[Kind, Steps, float]:
    """A connection with keys agreed on, nothing proven yet; with it the phase it is in and its own end."""
    types = tuple(types)
    bastion = _bastion(jumps, access, deadline) if jumps else None
    for lost in (False, True):
        steps = Steps()
        until = min(deadline, steps.began_at + (hop.connect_timeout_s or access.connect_timeout_s))
        try:
            return _started(hop, bastion, access, types, steps, until=until, kind=kind), steps, until
        except Exception as error:
            if bastion is None or bastion.alive or lost:
                raise _told(error, steps, until) from error
        # The bastion's connection died in the meantime, and nothing was done yet on the host.
        bastion = _bastion(jumps, access, deadline)
    raise AssertionError("unreachable")


def _bastion(jumps: tuple[Hop, ...], access: Access, deadline: float) -> Bastion:
    def connect() -> Bastion:
        transport = reach(jumps[-1], jumps[:-1], access, deadline=deadline, kind=BastionTransport)
        return Bastion(jumps[-1].name, transport, note=access.bastions.note)

    return access.bastions.get(jumps, connect, until=deadline)


def _started(
    hop: Hop,
    bastion: Bastion | None,
    access: Access,
    types: tuple[str, ...],
    steps: Steps,
    *,
    until: float,
    kind: type[Kind],
) -> Kind:
    for drops in count(1):
        wire = _wire(hop, bastion, access, steps, until)
        try:
            steps.now = "waiting for the banner"
            return start(wire, types, until=until, kind=kind, steps=steps)
        except Dropped as dropped:
            if isinstance(wire, ProxyStream):
                words = wire.ended()
                wire.close()
                raise Unreachable("the ProxyCommand hung up", phase="connect", evidence=words) from dropped
            wire.close()
            _wait_for_room(hop, access, dropped.words, drops, until)
        except HostError as error:
            if isinstance(wire, ProxyStream):
                error.evidence = error.evidence or wire.words or None
            wire.close()
            raise
        except BaseException:
            wire.close()
            raise
    raise AssertionError


def _wait_for_room(hop: Hop, access: Access, words: str, drops: int, until: float) -> None:
    """Wait before the next try of a server that hung up before its banner; ConnectionLost where that is of no use."""
    pause_s = min(_FIRST_PAUSE_S * 2 ** (drops - 1), _LONGEST_PAUSE_S)
    if time.monotonic() + pause_s >= until or (drops >= _SILENT_DROPS and words != FULL):
        raise ConnectionLost(
            f"the server hung up before its banner, {drops} times",
            phase="connect",
            hint=f"raise MaxStartups on {hop.name}, look for what else connects there, or lower [run] workers",
            evidence=words or None,
        )
    access.bastions.pause(pause_s)
    access.bastions.note(f"{hop.name} hung up before its banner, as MaxStartups makes it: tried again")


def _wire(hop: Hop, bastion: Bastion | None, access: Access, steps: Steps, until: float) -> Wire:
    if hop.proxy_command is not None:
        steps.now = "ProxyCommand"
        return open_proxy(hop.proxy_command, access.environ)
    if bastion is None:
        return open_stream(hop.address, hop.port, until=until, steps=steps)
    steps.now = "TCP connect from the bastion"
    return bastion.wire(hop.address, hop.port, until=until)


def _told(error: Exception, steps: Steps, until: float) -> Exception:
    told = translated(error, phase="connect", deadline_passed=time.monotonic() >= until)
    if not isinstance(told, HostKeyRejected | LoginRejected):
        told.message = f"{told.message} ({steps})"
        told.args = (told.message,)
    return told


def known_name(hop: Hop, known_hosts: KnownHosts) -> tuple[str, int]:
    """Name and port under which known hosts are asked for a server: the first under which anything is known.

    As by ssh, a line without a port will do for a server on another one, and an alias has none.
    """
    return next((name for name in _names(hop) if known_hosts.algorithms(*name)), _names(hop)[0])


def _names(hop: Hop) -> list[tuple[str, int]]:
    if hop.known_as is not None:
        return [(hop.known_as, 22)]
    forms = [(name, port) for port in (hop.port, 22) for name in (hop.address, hop.name)]
    return list(dict.fromkeys(forms))


def _prove(key: PKey, hop: Hop, known_hosts: KnownHosts) -> None:
    name, port = known_name(hop, known_hosts)
    certificate = None if key.public_blob is None else read_certificate(key.public_blob.key_blob)
    shown = HostKey(key.get_name(), key.asbytes())
    if key.public_blob is not None and certificate is None:
        raise HostKeyRejected(f"the host key of {clean(name)} is a certificate that makes no sense", phase="connect")
    for form in _names(hop):
        for one in (shown, *([] if certificate is None else [certificate.authority])):
            known_hosts.check_revoked(*form, one)
    if certificate is not None:
        _check_certificate(certificate, shown, name, port, known_hosts)
    elif port == hop.port or hop.known_as is not None or shown not in known_hosts.lookup(name, port):
        # What is known of port 22 says nothing against another server on another port: that one is unknown.
        known_hosts.check(*((name, port) if port == hop.port or hop.known_as is not None else _names(hop)[0]), shown)


def _check_certificate(
    certificate: HostCertificate, plain: HostKey, name: str, port: int, known_hosts: KnownHosts
) -> None:
    problem = certificate.problem(name, known_hosts.authorities(name, port), time.time())
    # As by ssh, a certificate that says nothing takes nothing from its key, which the host has proven to hold.
    if problem is not None and plain not in known_hosts.lookup(name, port):
        raise HostKeyRejected(
            f"the host key of {clean(name)} is not trusted: {clean(problem)}",
            phase="connect",
            hint="sign the host's key anew, or trust its authority in known_hosts",
        )
