"""Hosts that refuse commands and give an interactive shell only: a real sshd, whose login is a script of the test."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from nornir.core.configuration import Config

from sysfleet.plugins.connections import SHARED, NetmikoConnection, Shared
from sysfleet.remote.access import Access
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.session import Session
from sysfleet.remote.target import Target
from tests.remote.boxes import MARK
from tests.remote.servers import Server, make_key, server

PLAIN = "exec bash --norc -i"

_LOGIN = """#!/bin/sh
if [ -n "$SSH_ORIGINAL_COMMAND" ]; then
    echo 'this appliance runs no commands' >&2
    exit 1
fi
HOME={home} HISTFILE=/dev/null
export HOME HISTFILE
{login}
"""


@dataclass
class Appliance:
    """A server, and the way in."""

    server: Server
    target: Target
    access: Access

    def connect(self, **extras: Any) -> Session:
        """An open session, through the plugin."""
        plugin = NetmikoConnection()
        shared = Shared(self.access, lambda _asked: self.target)
        plugin.open(
            self.target.address,
            self.target.user,
            None,
            self.target.port,
            None,
            {"deadline": time.monotonic() + 30, **extras},
            Config(user_defined={SHARED: shared}),
        )
        return plugin.connection

    def patient_for(self, seconds: float) -> Appliance:
        """The same way, with less time for it."""
        return replace(self, access=replace(self.access, connect_timeout_s=seconds))


@contextmanager
def appliance(folder: Path, login: str = PLAIN, *options: str) -> Iterator[Appliance]:
    """An appliance for the time of the block; `login` is shell text that ends in the shell it gives."""
    folder.mkdir(exist_ok=True)
    script = folder / "login"
    script.write_text(_LOGIN.format(home=folder, login=login))
    script.chmod(0o755)
    with server(folder / "sshd", f"ForceCommand {script}", *options) as one:
        key = make_key(folder / "id")
        one.authorize(key)
        known = KnownHosts()
        known.add(one.known_hosts_line().encode(), "known_hosts")
        access = Access(known, Identities.load([key]), privilege="none")
        target = Target(name="h1", address="127.0.0.1", mark=MARK, port=one.port, user=one.user)
        yield Appliance(one, target, access)
