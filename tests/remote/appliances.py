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

SHELL_ONLY = (
    "ForceCommand exec /bin/sh -c "
    "'if [ -n \"$SSH_ORIGINAL_COMMAND\" ]; then echo no commands here >&2; exit 1; fi; exec bash --norc -i'"
)
"""A line of sshd_config."""

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
        return over_netmiko(self.target, self.access, time.monotonic() + 30, **extras)

    def patient_for(self, seconds: float) -> Appliance:
        """The same way, with less time for it."""
        return replace(self, access=replace(self.access, connect_timeout_s=seconds))


def over_netmiko(target: Target, access: Access, deadline: float, **extras: Any) -> Session:
    """An open session, through the plugin."""
    plugin = NetmikoConnection()
    plugin.open(
        target.address,
        target.user,
        None,
        target.port,
        None,
        {"deadline": deadline, **extras},
        Config(user_defined={SHARED: Shared(access, lambda _asked: target)}),
    )
    return plugin.connection


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
