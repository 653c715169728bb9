"""Processes told apart from later ones that got the same number. Knows only /proc."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, Self


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
        with suppress(ProcessLookupError):
            handle = os.pidfd_open(self.pid)
            try:
                # The number cannot change hands between this look and the signal: the handle holds it.
                if self.is_alive():
                    signal.pidfd_send_signal(handle, signum)
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
