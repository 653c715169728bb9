"""A ProxyCommand: a local program whose input and output are the connection to a server (ssh_config(5)).

Started as ssh does, by the user's shell; it ends with the connection. Refuses to know what the program does.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading
from collections.abc import Mapping
from contextlib import suppress

from typing_extensions import override

from sysfleet.remote.evidence import clean
from sysfleet.remote.wire import Stream

_STDERR_BYTES = 4096
# After a hang-up, a program has this long before it is killed.
_GRACE_S = 0.5


class ProxyStream(Stream):
    """Our end of the program's input and output."""

    def __init__(self, ours: socket.socket, child: subprocess.Popen[bytes]) -> None:
        super().__init__(fileno=ours.detach())
        self._child = child
        self._said = bytearray()
        self._ending = threading.Lock()
        self._listener = threading.Thread(target=_listen, args=(child, self._said), name="sysfleet-proxy", daemon=True)
        self._listener.start()

    @property
    def words(self) -> str:
        """What the program said on standard error so far, cleaned."""
        return clean(bytes(self._said))

    def ended(self) -> str:
        """What became of a program that hung up by itself: its words, once they are all there."""
        with suppress(subprocess.TimeoutExpired):
            self._child.wait(_GRACE_S)
            self._listener.join(_GRACE_S)
        status = self._child.poll()
        return self.words or ("it ended" if status is None else f"it ended with status {status}")

    @override
    def shutdown(self, how: int, /) -> None:
        with suppress(OSError):
            super().shutdown(how)

    @override
    def close(self) -> None:
        super().close()
        with self._ending:
            _end(self._child)
            self._listener.join(_GRACE_S)


def open_proxy(command: str, environ: Mapping[str, str]) -> ProxyStream:
    """Start the command with the user's shell; OSError where there is no such shell."""
    shell = environ.get("SHELL") or "/bin/sh"
    ours, theirs = socket.socketpair()
    try:
        child = subprocess.Popen(
            [shell, "-c", f"exec {command}"],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=subprocess.PIPE,
            env=dict(environ),
            start_new_session=True,  # the terminal's interrupt is not for it, and its own children end with it
        )
    except BaseException:
        ours.close()
        raise
    finally:
        theirs.close()
    return ProxyStream(ours, child)


def _listen(child: subprocess.Popen[bytes], said: bytearray) -> None:
    if child.stderr is None:
        return
    with child.stderr as stderr:
        while data := os.read(stderr.fileno(), _STDERR_BYTES):
            said += data
            del said[:-_STDERR_BYTES]


def _end(child: subprocess.Popen[bytes]) -> None:
    for number in (signal.SIGHUP, signal.SIGKILL):
        with suppress(ProcessLookupError):
            os.killpg(child.pid, number)
        with suppress(subprocess.TimeoutExpired):
            child.wait(_GRACE_S)
            return
