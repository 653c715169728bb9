"""One child process and its streams: what goes in, what comes out, until when; and its end, whatever happened.

Reads and writes at the same time in the caller's thread. Knows nothing of SSH, and decides nothing.
"""

from __future__ import annotations

import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

from sysfleet.errors import CommandFailed

_READ_BYTES = 1 << 20
# Of the log its beginning says how the connection came about, and its end why it went.
_LOG_HEAD_BYTES = 48 << 10
_LOG_TAIL_BYTES = 16 << 10
_END_S = 1.0


class Child:
    """A process in a session of its own, so that no signal of the terminal's reaches it.

    `log` is a named pipe that the process writes a log to, besides its output. All that comes back is bounded:
    output by whoever pumps, the log by leaving out its middle.
    """

    def __init__(self, words: Sequence[str], environ: Mapping[str, str], log: Path) -> None:
        self.stdout = bytearray()
        self.stderr = bytearray()
        self._log = bytearray()
        self._log_end = bytearray()
        self.heard: Callable[[bytes], None] | None = None
        """Whoever is to be given all of the log, as it comes."""
        self._unsent = memoryview(b"")
        self._last = False
        self._ending = threading.Lock()
        self._selector = selectors.PollSelector()
        log_fd = os.open(log, os.O_RDONLY | os.O_NONBLOCK)
        try:
            self._process = subprocess.Popen(
                words,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=dict(environ),
                bufsize=0,
                start_new_session=True,
            )
        except BaseException:
            os.close(log_fd)
            raise
        self._streams = _all(self._process.stdin, self._process.stdout, self._process.stderr)
        self._input = self._streams[0]
        self._stdin, self._stdout, self._stderr = (stream.fileno() for stream in self._streams)
        self._log_fd = log_fd
        for stream in self._streams:
            os.set_blocking(stream.fileno(), False)
        for fd, kept in ((self._stdout, self.stdout), (self._stderr, self.stderr), (log_fd, self._log)):
            self._selector.register(fd, selectors.EVENT_READ, kept)

    @property
    def log(self) -> str:
        """What the process has written to its log."""
        gap = "\n" if self._log_end else ""
        return self._log.decode("utf-8", "replace") + gap + self._log_end.decode("utf-8", "replace")

    @property
    def silent(self) -> bool:
        """Whether no more output can come: neither standard output nor errors."""
        return not ({self._stdout, self._stderr} & set(self._selector.get_map()))

    @property
    def gone(self) -> bool:
        """Whether nothing more can come at all: the log has ended too, as it does with the process."""
        return self.silent and self._log_fd not in self._selector.get_map()

    def send(self, data: bytes, *, last: bool) -> None:
        """Have the next pump write this; after the `last`, the process reads an end of its input."""
        self._unsent = memoryview(bytes(self._unsent) + data)
        self._last = last
        if not self._input.closed and self._stdin not in self._selector.get_map():
            self._selector.register(self._stdin, selectors.EVENT_WRITE)

    def pump(self, enough: Callable[[], bool], *, until: float, limit_bytes: int) -> bool:
        """Write and read until it is `enough`, or all streams have ended; False when `until` came first.

        CommandFailed when more than `limit_bytes` have come.
        """
        while not enough() and self._selector.get_map():
            left = until - time.monotonic()
            if left <= 0:
                return False
            for key, _ in self._selector.select(left):
                if key.fd == self._stdin:
                    self._write()
                else:
                    self._read(key.fd, key.data)
            if len(self.stdout) + len(self.stderr) > limit_bytes:
                raise CommandFailed(f"the host sends more than {limit_bytes} bytes", phase="run")
        return True

    def drain(self) -> None:
        """Read once what has come, and wait for nothing."""
        for key, _ in self._selector.select(0):
            if key.fd != self._stdin:
                self._read(key.fd, key.data)

    def _write(self) -> None:
        try:
            self._unsent = self._unsent[os.write(self._stdin, self._unsent[:_READ_BYTES]) :]
        except BlockingIOError:
            return
        except OSError:
            self._unsent, self._last = memoryview(b""), True  # whoever reads meets the same end
        if not self._unsent:
            self._selector.unregister(self._stdin)
            if self._last:
                self._input.close()

    def _read(self, fd: int, kept: bytearray) -> None:
        try:
            data = os.read(fd, _READ_BYTES)
        except BlockingIOError:
            return
        if not data:
            self._selector.unregister(fd)
        elif fd == self._log_fd:
            self._keep_log(data)
        else:
            kept += data

    def _keep_log(self, data: bytes) -> None:
        if self.heard is not None:
            self.heard(data)
        room = _LOG_HEAD_BYTES - len(self._log)
        self._log += data[:room]
        self._log_end += data[room:]
        del self._log_end[:-_LOG_TAIL_BYTES]

    def kill(self) -> None:
        """End the process and all that it has started, from any thread, at once. `end` has still to follow."""
        self._signal(signal.SIGTERM)

    def end(self) -> None:
        """Wait a moment for the process to end by itself, once its input has ended; no process or file is left."""
        self._selector.close()
        for stream in self._streams:
            stream.close()
        with suppress(OSError):
            os.close(self._log_fd)
        self._log_fd = -1
        if not self._waits(_END_S):
            self._signal(signal.SIGTERM)
            self._waits(_END_S)
        self._signal(signal.SIGKILL)
        with self._ending:
            self._process.wait()

    def _waits(self, seconds: float) -> bool:
        """Whether the process ended in time. It is not reaped: its number must stay its own until the last signal."""
        until = time.monotonic() + seconds
        pause_s = 0.001
        while os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
            if time.monotonic() >= until:
                return False
            threading.Event().wait(pause_s)
            pause_s = min(2 * pause_s, 0.05)
        return True

    def _signal(self, number: int) -> None:
        with self._ending, suppress(ProcessLookupError, PermissionError):
            if self._process.returncode is None:
                os.killpg(self._process.pid, number)


def _all(*streams: IO[bytes] | None) -> tuple[IO[bytes], ...]:
    return tuple(stream for stream in streams if stream is not None)
