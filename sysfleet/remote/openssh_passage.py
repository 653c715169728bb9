"""A connection to a bastion that every ssh of a run goes through: its socket, what it says of hosts, and its end.

Reads what the holding ssh says for as long as it lives. Knows no login, and no host but by what it was asked for.
"""

from __future__ import annotations

import re
import threading
import time
from contextlib import suppress

from sysfleet.errors import CommandFailed
from sysfleet.remote.child import Child
from sysfleet.remote.openssh_client import Client, Files

_ASKED = re.compile(r"stdio fwd to (\S+:\d+)$")
_CHANNEL = re.compile(r"mux_master_process_stdio_fwd: channel_new: (\d+) control \d+$")
_REFUSED = re.compile(r"^(?:debug\d: )?channel (\d+): open failed: (.*)$")
_WAY = re.compile(r"-W '\[([^\]]+)\]:(\d+)' shared")
_LINE_BYTES = 4096
_HEARS_S = 1.0
_NOISE_BYTES = 1 << 20
_A_WHILE_S = 3600.0


class Passage:
    """Holds the connection until `close`, from any thread, or until the bastion ends it."""

    def __init__(self, client: Client, child: Child, files: Files) -> None:
        self.socket = files.socket
        self._client = client
        self._child = child
        self._files = files
        self._rest = b""
        self._asked = ""
        self._channels: dict[str, str] = {}
        self._refusals: dict[str, str] = {}
        self._heard = threading.Condition()
        self._ended = threading.Event()
        child.heard = self._hear
        self._listener = threading.Thread(target=self._listen, name="bastion", daemon=True)
        self._listener.start()

    @property
    def alive(self) -> bool:
        """Whether the ssh that holds the connection is there."""
        return not self._ended.is_set()

    def refusal(self, log: str) -> str:
        """Why the bastion let a host's ssh, by its log, not through; empty where it does not say."""
        way = _WAY.search(log)
        if way is None:
            return ""
        place = f"{way[1]}:{way[2]}"
        with self._heard:
            # The host's ssh may know that it was refused before the reason has been read here.
            self._heard.wait_for(lambda: place in self._refusals or not self.alive, timeout=_HEARS_S)
            return self._refusals.get(place, "")

    def close(self) -> None:
        """End the connection; no process and no file is left."""
        self._child.kill()
        self._listener.join()

    def _listen(self) -> None:
        child = self._child
        with suppress(CommandFailed):  # a connection that only forwards has nothing to say: end it
            while not child.gone:
                child.pump(lambda: False, until=time.monotonic() + _A_WHILE_S, limit_bytes=_NOISE_BYTES)
        self._ended.set()
        with self._heard:
            self._heard.notify_all()
        child.kill()
        self._client.end(child)
        self._files.remove()

    def _hear(self, data: bytes) -> None:
        *lines, rest = (self._rest + data).split(b"\n")
        self._rest = rest[-_LINE_BYTES:]
        with self._heard:
            for line in lines:
                self._note(line.decode("utf-8", "replace").rstrip("\r"))
            self._heard.notify_all()

    def _note(self, line: str) -> None:
        if found := _ASKED.search(line):
            self._asked = found[1]
            self._refusals.pop(found[1], None)
        elif found := _CHANNEL.search(line):
            self._channels[found[1]] = self._asked
        elif found := _REFUSED.search(line):
            place = self._channels.pop(found[1], None)
            if place is not None:
                self._refusals[place] = f"bastion: open failed: {found[2]}"
