"""What answers on a lab host's port: nobody, somebody who is silent, or an SSH server of one of three kinds.

Runs in the host's init, which hands it connections and tells it of processes that have ended.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

from sysfleet.lab import listening, openssh
from sysfleet.lab.faults import way
from sysfleet.lab.faults.names import environment as session_environment
from sysfleet.lab.faults.shell import login_shell
from sysfleet.lab.start import ENVIRONMENT, Start

BACKLOG = 1024


class Service:
    """The SSH server of one host; without any of `processes` there is none."""

    def __init__(self, start: Start, selector: selectors.BaseSelector) -> None:
        self.processes: set[int] = set()
        self._start = start
        self._spec = start.plan.spec
        self._selector = selector
        self._listener = start.listener
        self._relay = 0
        if self._has_listening_sshd():
            self.processes.add(listening.start_sshd(ENVIRONMENT))

    def _has_listening_sshd(self) -> bool:
        return listening.is_wanted(self._spec) and not (self._spec.refuse or self._spec.hang)

    def open(self, listener: socket.socket) -> None:
        """Answer on this socket."""
        self._listener = listener
        # A black hole listens already.
        if self._spec.refuse or "black_hole" in self._spec.faults:
            return
        listener.listen(BACKLOG)
        if self._spec.hang:
            return
        self._listener = listener = way.server_side(listener, self._spec.faults)
        if self._start.plan.backend == "asyncssh":
            self._fork(self._run_asyncssh_server)
        elif self._has_listening_sshd():
            self._relay = self._fork(lambda: listening.relay(self._listener))
        else:
            listener.setblocking(False)
            self._selector.register(listener, selectors.EVENT_READ)

    def move(self, listener: socket.socket) -> None:
        """Answer on another socket from now on: the network that the one before was in is gone."""
        if self._relay:
            self.processes.remove(self._relay)
            os.kill(self._relay, signal.SIGKILL)
        elif self._listener in {key.fileobj for key in self._selector.get_map().values()}:
            self._selector.unregister(self._listener)
        self._listener.close()
        self.open(listener)

    def answer(self) -> None:
        """Take the connection that waits."""
        openssh.serve_connection(self._listener, ENVIRONMENT)

    def _run_asyncssh_server(self) -> None:
        from sysfleet.lab import asyncssh_server

        shell = login_shell(self._spec.shell, self._spec.faults)
        environment = {**ENVIRONMENT, **session_environment(self._spec.faults), "SHELL": shell}
        asyncssh_server.run(self._listener, Path("/"), environment)

    def _fork(self, run: Callable[[], None]) -> int:
        """A process of its own that does this for ever; its end is the host's."""
        pid = os.fork()
        if pid == 0:
            try:
                signal.set_wakeup_fd(-1)
                self._start.channel.close()
                run()
            except Exception:  # noqa: BLE001 - the boundary of a process
                traceback.print_exc()
                sys.stderr.flush()
            finally:
                os._exit(1)
        self.processes.add(pid)
        return pid
