"""Processes told apart from later ones that got the same number. Knows only /proc."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NamedTuple, Self

_POLL_S = 0.02


class Process(NamedTuple):
    """A process by its number and its start (clock ticks since boot, proc(5) field 22)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this number now, or None where none has or it is a zombie."""
        fields = _stat(pid)
        return cls(pid, int(fields[19])) if fields and fields[0] != "Z" else None

    @classmethod
    def myself(cls) -> Self:
        """The calling process."""
        return cls(os.getpid(), int(_stat(os.getpid())[19]))

    def is_alive(self) -> bool:
        """Whether this very process still runs."""
        return Process.of(self.pid) == self

    def signal(self, signum: int = signal.SIGKILL) -> None:
        """Send it a signal, unless it has ended; never to another that has its number now."""
        with suppress(ProcessLookupError), self._held() as handle:
            if self.is_alive() and handle is None:
                os.kill(self.pid, signum)
            elif self.is_alive() and handle is not None:
                signal.pidfd_send_signal(handle, signum)

    def wait(self, timeout_s: float) -> bool:
        """Wait until it has ended; whether it has, in time."""
        with suppress(ProcessLookupError), self._held() as handle:
            if handle is not None and self.is_alive():
                ending = select.poll()
                ending.register(handle, select.POLLIN)
                return bool(ending.poll(timeout_s * 1000))
            deadline = time.monotonic() + timeout_s
            while self.is_alive() and time.monotonic() < deadline:
                time.sleep(_POLL_S)
            return not self.is_alive()
        return True

    @contextmanager
    def _held(self) -> Iterator[int | None]:
        """A handle that keeps the number from changing hands; None before Linux 5.3, which has none."""
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            raise
        except OSError:
            yield None
            return
        try:
            yield handle
        finally:
            os.close(handle)


def descendants(pid: int) -> list[int]:
    """Every process below this one, at the time of the call."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and (fields := _stat(int(entry.name))):
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    found: list[int] = []
    waiting = [pid]
    while waiting:
        below = children.get(waiting.pop(), [])
        found += below
        waiting += below
    return found


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on (state, parent, …); empty where there is no such process."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return []
    # The second field, the name, may hold blanks and brackets of its own.
    return text.rpartition(") ")[2].split()
