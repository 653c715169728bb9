"""Real terminals for tests: a command on a pty, typed at and read from as a person would."""

from __future__ import annotations

import os
import pty
import select
import signal
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Self


class Terminal:
    """A command with a terminal of its own; a context manager that ends all of it."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self.printed = bytearray()
        self.pid, self._master = pty.fork()
        if self.pid == 0:
            try:
                os.chdir("/")
                os.execvpe(command[0], list(command), dict(environment))
            finally:
                os._exit(127)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._master)
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)

    def type(self, data: bytes) -> None:
        """Type all of it, and read meanwhile, so that neither side waits for the other."""
        os.set_blocking(self._master, False)
        while data:
            readable, writable, _ = select.select([self._master], [self._master], [], 30)
            assert readable or writable, self.printed[-400:]
            if readable:
                self._read()
            if writable:
                with suppress(BlockingIOError):
                    data = data[os.write(self._master, data[:4096]) :]

    def read_until(self, words: bytes, *, seconds: float = 60) -> bytes:
        """Everything printed, once these words are in it, or the command has ended."""
        end, seen = time.monotonic() + seconds, 0
        while self.printed.find(words, max(0, seen - len(words))) < 0:
            seen = len(self.printed)
            if not select.select([self._master], [], [], max(0.0, end - time.monotonic()))[0] or not self._read():
                break
        return bytes(self.printed)

    def _read(self) -> bool:
        try:
            data = os.read(self._master, 1 << 16)
        except BlockingIOError:
            return True
        except OSError:  # the other end is closed
            return False
        self.printed += data
        return bool(data)
