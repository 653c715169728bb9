"""What a host's processes inherit for one boot, and how they report to the supervisor: one JSON line each.

Knows nothing of what the host does with it.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import traceback
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sysfleet.lab.plan import HostPlan

ENVIRONMENT = {
    "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
    "HOME": "/root",
    "USER": "root",
    "LOGNAME": "root",
}

STAND_IN = "SYSFLEET_STAND_IN"


def stand_in_environment(store: Path, shell: str) -> dict[str, str]:
    """What commands on a host without namespaces find in their environment."""
    own = {"HOME": f"{store}/root", "TMPDIR": f"{store}/tmp", STAND_IN: str(store)}
    return {**ENVIRONMENT, **own, "SHELL": shell}


@dataclass(frozen=True, slots=True)
class Start:
    """One boot of one host."""

    plan: HostPlan
    listener: socket.socket
    channel: socket.socket
    boot_id: str
    is_first: bool = True
    is_probe: bool = False

    def report(self, **fields: Any) -> None:
        """Tell the supervisor something."""
        self.channel.sendall(json.dumps(fields).encode() + b"\n")

    def asks(self, what: str) -> bool:
        """Have the supervisor do what this host cannot do itself; whether it could."""
        self.report(asks=what)
        return self.channel.recv(1) == b"!"

    def report_failure(self, error: Exception) -> None:
        """Tell the supervisor and the host's log what went wrong."""
        traceback.print_exception(error)
        sys.stderr.flush()
        try:
            self.report(error=_wording(error))
        except OSError:
            traceback.print_exc()

    def leave_supervisor(self) -> None:
        """In the new process: a session of its own, and nothing of what the supervisor has open or handles."""
        os.setsid()
        signal.set_wakeup_fd(-1)
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, signal.SIG_DFL)
        nothing = os.open(os.devnull, os.O_RDONLY)
        log = os.open(self.plan.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        for target, source in ((0, nothing), (1, log), (2, log)):
            os.dup2(source, target)
        kept = {0, 1, 2, self.listener.fileno(), self.channel.fileno()}
        for entry in list(Path("/proc/self/fd").iterdir()):
            if int(entry.name) not in kept:
                with suppress(OSError):  # the listing's own is closed already
                    os.close(int(entry.name))


def _wording(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    return str(error) or type(error).__name__
