"""Every kind of session, and a way to a real sshd that each of them can take: what the contract is tested with.

A new kind is one more entry in `KINDS`.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sysfleet.remote import openssh_session, paramiko_session
from sysfleet.remote.access import Access
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.openssh_client import Client
from sysfleet.remote.openssh_command import Options
from sysfleet.remote.session import Session
from sysfleet.remote.target import Target
from tests.remote.appliances import SHELL_ONLY, over_netmiko
from tests.remote.boxes import MARK
from tests.remote.servers import Server, make_key, server
from tests.support.needs import needs

LIMIT = 50_000_000


def soon(seconds: float = 30) -> float:
    return time.monotonic() + seconds


@dataclass(frozen=True)
class Kind:
    """How a session of one kind is opened; `sshd` are lines of sshd_config that its servers need."""

    open: Callable[[Target, Access, float], Session]
    sshd: tuple[str, ...] = ()


def _paramiko(target: Target, access: Access, deadline: float) -> Session:
    return paramiko_session.connect(target, access, deadline=deadline)


def _openssh(target: Target, access: Access, deadline: float) -> Session:
    assert access.openssh is not None
    return openssh_session.connect(access.openssh, target, access, deadline=deadline)


def _openssh_stays(target: Target, access: Access, deadline: float) -> Session:
    assert access.openssh is not None
    return openssh_session.connect(access.openssh, target, access, deadline=deadline, stays=True)


KINDS: Mapping[str, Kind] = MappingProxyType(
    {
        "paramiko": Kind(_paramiko),
        "netmiko": Kind(over_netmiko, (SHELL_ONLY,)),
        "openssh": Kind(_openssh),
        "openssh, one connection for all": Kind(_openssh_stays),
    }
)


@dataclass(frozen=True)
class Way:
    """A server, and what is known of it and shown to it; `limits` are further fields of Access."""

    kind: Kind
    server: Server
    target: Target
    known_hosts: Path
    keys: tuple[Path, ...]
    limits: Mapping[str, Any]

    @contextmanager
    def opened(self, *, seconds: float = 30) -> Iterator[Session]:
        """A session, and the end of all that it needs."""
        with self.access() as access:
            session = self.kind.open(self.target, access, soon(seconds))
            try:
                yield session
            finally:
                session.close()

    @contextmanager
    def access(self) -> Iterator[Access]:
        """What connections share, for the time of the block."""
        with runtime() as short, client(short, known_hosts=(self.known_hosts,), identities=self.keys) as openssh:
            access = Access(
                KnownHosts.load([self.known_hosts]),
                Identities.load(self.keys),
                **{"privilege": "none", "openssh": openssh, **self.limits},
            )
            try:
                yield access
            finally:
                access.close()

    def knowing(self, lines: str) -> Way:
        """The same way, with other lines in known_hosts."""
        path = self.known_hosts.with_name(f"known_hosts-{abs(hash(lines))}")
        path.write_text(lines)
        return replace(self, known_hosts=path)

    def with_target(self, **fields: Any) -> Way:
        """The same way, to somewhere else."""
        return replace(self, target=replace(self.target, **fields))

    def within(self, **limits: Any) -> Way:
        """The same way, with other limits or rights."""
        return replace(self, limits={**self.limits, **limits})


@contextmanager
def way_in(folder: Path, kind: Kind, *sshd: str) -> Iterator[Way]:
    """A server with these lines of sshd_config first, and the way in."""
    # Nobody's start files are read.
    with server(folder, *sshd, *kind.sshd, "SetEnv HOME=/nonexistent") as one:
        key = make_key(folder / "id")
        one.authorize(key)
        known_hosts = folder / "known_hosts"
        known_hosts.write_text(one.known_hosts_line())
        target = Target(name="h1", address="127.0.0.1", mark=MARK, port=one.port, user=one.user)
        yield Way(kind, one, target, known_hosts, (key,), {})


@contextmanager
def runtime() -> Iterator[Path]:
    """A folder for sockets, with a short path."""
    with tempfile.TemporaryDirectory(prefix="run-") as folder:
        yield Path(folder)


@contextmanager
def client(runtime_folder: Path, **options: Any) -> Iterator[Client]:
    """The system's ssh, which reads no configuration of the person who runs the tests."""
    nothing = runtime_folder / "no-config"
    nothing.touch(0o600)
    settings = {"program": needs("ssh"), "config": nothing, "agent": False, **options}
    one = Client(Options(**settings), runtime=runtime_folder, environ=os.environ)
    try:
        yield one
    finally:
        one.close()
