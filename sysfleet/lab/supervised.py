"""One host as the supervisor has it: its listening socket for ever, its processes for one boot.

Knows how to start and end a host; which hosts there are and who asks is the supervisor's business.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from sysfleet.lab import folderhost, hostinit, namespaces
from sysfleet.lab.faults.disk import make_immutable
from sysfleet.lab.handing import hand_over
from sysfleet.lab.namespaces import IdMap
from sysfleet.lab.plan import HostPlan
from sysfleet.lab.processes import Process
from sysfleet.lab.start import Start

_ID_TIMEOUT_S = 20.0
_END_TIMEOUT_S = 20.0


def loopback_socket() -> socket.socket:
    """A socket bound to a port of the system's choice that it keeps while nobody listens."""
    with socket.socket() as first:
        first.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        first.bind(("127.0.0.1", 0))
        # A port that was chosen is given back when listening stops; one that was asked for is kept (inet_bind).
        second = socket.socket()
        second.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        second.bind(first.getsockname())
        return second


class SupervisedHost:
    """A host that can be started again and again; `channel` is readable when it has something to say."""

    def __init__(self, plan: HostPlan, ids: IdMap | None, values: Mapping[str, bytes]) -> None:
        self.plan = plan
        self.listener = self._port_holder = loopback_socket()
        self.port: int = self.listener.getsockname()[1]
        self.channel: socket.socket | None = None
        self.state = "down"
        self.error: str | None = None
        self.boot_id = ""
        self.process: Process | None = None
        self.told: dict[str, Any] = {}
        self._ids = ids
        self._values = values
        self._keeper = 0
        self._boots = 0
        self._unread = b""

    def start(self, *, is_probe: bool = False) -> None:
        """Fork the host's processes; it is up when it says so."""
        here, there = socket.socketpair()
        self.boot_id = str(uuid4())
        self.error, self.process, self._unread, self.told = None, None, b"", {}
        begin = Start(self.plan, self.listener, there, self.boot_id, is_first=self._boots == 0, is_probe=is_probe)
        self._boots += 1
        self._keeper = os.fork()
        if self._keeper == 0:
            if self._ids is None:
                folderhost.run_folder_host(begin, self._values)
            hostinit.run_keeper(begin)
        there.close()
        self.channel = here
        self.state = "starting"
        if self._ids is not None:
            self._map_ids(here, self._ids)
        here.setblocking(False)

    def _map_ids(self, channel: socket.socket, ids: IdMap) -> None:
        channel.settimeout(_ID_TIMEOUT_S)
        # Its first line asks for ids, or says why there is no namespace to have them.
        while b"\n" not in self._unread and (data := channel.recv(4096)):
            self._unread += data
        if b'"wants"' in self._unread:
            try:
                namespaces.map_ids(self._keeper, ids)
            except (OSError, ValueError, namespaces.MappingRefused) as error:
                self.error = str(error)
                os.kill(self._keeper, signal.SIGKILL)
            else:
                channel.sendall(b"!")

    def listen_at(self, listener: socket.socket) -> None:
        """Have the same port, but on this unbound socket, of another network; from now on if the host is up."""
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        # The number stays taken on this machine, so that no two hosts of a lab have the same.
        if self.listener is not self._port_holder:
            self.listener.close()
        self.listener = listener
        if self.state == "up" and self.channel is not None:
            if not self.plan.spec.refuse:
                # Before the host knows of it, so that nobody is refused meanwhile.
                listener.listen()
            hand_over(self.channel, [listener])

    def receive(self) -> None:
        """Take in what the host has said so far; notices when all its processes have ended."""
        with suppress(BlockingIOError):
            while self.receive_some():
                pass

    def receive_some(self) -> bool:
        """Take in one piece, as long in coming as the channel's timeout says; whether there may be more."""
        if self.channel is None:
            return False
        data = self.channel.recv(1 << 16)
        if not data:
            self._has_ended()
            return False
        *lines, self._unread = (self._unread + data).split(b"\n")
        for line in lines:
            try:
                message = json.loads(line)
            except ValueError:
                # Said by something that a host started: its own words come all the same.
                sys.stderr.write(f"{self.plan.spec.name}: no report: {line[:200]!r}\n")
                sys.stderr.flush()
                continue
            self._take_in(message)
        return True

    def _take_in(self, message: dict[str, Any]) -> None:
        self.told |= message
        if "pid" in message:
            self.process = Process.of(message["pid"])
        if "error" in message:
            self.error = self.error or message["error"]
        if "asks" in self.told and self.process is not None and self.channel is not None:
            del self.told["asks"]
            self.channel.sendall(b"!" if make_immutable(Path(f"/proc/{self.process.pid}/root")) else b"?")
        if message.get("ready"):
            self.state = "up"

    def _has_ended(self) -> None:
        if self.channel is not None:
            self.channel.close()
            self.channel = None
            os.waitpid(self._keeper, 0)
        self.process = None
        self.state = "failed" if self.error else "down"
        # From now on the port refuses; nothing that was queued there waits for the next boot.
        with suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)

    def end(self) -> None:
        """End all that the host has started, at once, and wait for it."""
        if self.channel is None:
            return
        if self._ids is None:
            os.kill(self._keeper, signal.SIGTERM)
        elif self.process is not None:
            self.process.signal()
        else:
            os.kill(self._keeper, signal.SIGKILL)
        self.channel.settimeout(_END_TIMEOUT_S)
        try:
            self.receive()
        except TimeoutError:
            sys.stderr.write(f"{self.plan.spec.name}: not ended after {_END_TIMEOUT_S} s, killed\n")
            sys.stderr.flush()
            os.kill(self._keeper, signal.SIGKILL)
            self._has_ended()
