"""The OpenSSH clients of one run: their private folder, their processes, and the end of both.

Starts processes from the words it is given; knows no host and no program.
"""

from __future__ import annotations

import itertools
import os
import shutil
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sysfleet.errors import ConnectionLost
from sysfleet.remote.child import Child
from sysfleet.remote.host_key_lines import HostKeyLines
from sysfleet.remote.openssh_command import Options
from sysfleet.remote.runtime_folder import make_private_folder

# A person's ssh may need any of the rest (agents, tickets, what a ProxyCommand reads); these would open windows, or
# change the words that ssh's failures are told by.
_LEFT_OUT = ("DISPLAY", "WAYLAND_DISPLAY", "SSH_ASKPASS", "SSH_ASKPASS_REQUIRE", "LANG", "LANGUAGE")


@dataclass(frozen=True, slots=True)
class Files:
    """Names for what one ssh needs, in the run's private folder."""

    configuration: Path
    log: Path
    socket: Path

    def remove(self) -> None:
        """Take away what is there of them."""
        for path in (self.configuration, self.log, self.socket):
            path.unlink(missing_ok=True)


class Client:
    """Starts ssh for the hosts of a run. Thread-safe; after `close` no process and no file is left."""

    def __init__(self, options: Options, *, runtime: Path, environ: Mapping[str, str]) -> None:
        self.options = options
        self._runtime = runtime
        kept = {name: text for name, text in environ.items() if name not in _LEFT_OUT and not name.startswith("LC_")}
        if not options.agent:
            kept.pop("SSH_AUTH_SOCK", None)
        self._environ = {**kept, "LC_ALL": "C"}
        self._lock = threading.Lock()
        self._folder: Path | None = None
        self._numbers = itertools.count(1)
        self._children: set[Child] = set()
        self._closed = False

    @property
    def host_key_lines(self) -> HostKeyLines:
        """The files of host keys that are read, unless the person's own configuration names others."""
        home = Path(self._environ.get("HOME") or "/")
        usual = (home / ".ssh/known_hosts", Path("/etc/ssh/ssh_known_hosts"))
        return HostKeyLines((*(self.options.known_hosts or usual), *self.options.more_known_hosts))

    def files(self) -> Files:
        """New names, with a named pipe for the log."""
        with self._lock:
            self._check_open()
            if self._folder is None:
                self._folder = make_private_folder(self._runtime)
            number = next(self._numbers)
            found = Files(*(self._folder / f"{number}{kind}" for kind in ("c", "l", "s")))
            os.mkfifo(found.log, 0o600)
            return found

    def start(self, words: Sequence[str], log: Path) -> Child:
        """Start a process; whoever does ends it, and tells `ended`."""
        with self._lock:
            self._check_open()
            child = Child(words, self._environ, log)
            self._children.add(child)
            return child

    def end(self, child: Child) -> None:
        """End a process that `start` has started, and forget it."""
        child.end()
        with self._lock:
            self._children.discard(child)

    def close(self) -> None:
        """End what was not ended by those who had started it, and take the folder away."""
        with self._lock:
            self._closed = True
            left, self._children = self._children, set()
            folder, self._folder = self._folder, None
        for child in left:
            child.kill()
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def _check_open(self) -> None:
        if self._closed:
            raise ConnectionLost("the run is over", phase="connect")
