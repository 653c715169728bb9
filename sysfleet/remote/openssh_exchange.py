"""One program through one ssh process: what goes in, what comes out, until when and how much.

The same way of talking as over a channel of paramiko's; knows no login, and not what the program's end means.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable

from sysfleet.errors import CommandTimeout
from sysfleet.remote import terminal
from sysfleet.remote.child import Child
from sysfleet.remote.dialogue import Dialogue, Turn
from sysfleet.remote.rights import Attempt

# A process left behind may hold the output open; after the program's end, the rest has this long.
_GRACE_S = 1.0
_TAIL_BYTES = 4096


class Exchange:
    """Feeds one attempt to a process that has been started for it, and gathers what comes back, once."""

    def __init__(self, child: Child, attempt: Attempt, *, mark: str, deadline: float, limit_bytes: int) -> None:
        self._child = child
        self._attempt = attempt
        self._deadline = deadline
        self._limit = limit_bytes
        end = re.escape(terminal.ending(mark)) if attempt.in_terminal else rb"\n%b end [0-9]{1,3}\n" % mark.encode()
        self._end = re.compile(end)
        self.given_up = False

    def run(self, upload: bytes) -> None:
        """Send the program when it is its turn, and read to the end; CommandTimeout, or CommandFailed for too much."""
        child, in_terminal = self._child, self._attempt.in_terminal
        if self._attempt.dialogue is None or self._talk(self._attempt.dialogue):
            # A terminal has no end of input.
            child.send(upload, last=not in_terminal)
        else:
            self.given_up = True
            child.send(b"", last=True)
            if in_terminal:
                child.kill()
        self._read(lambda: child.silent or self.ended, self._deadline, "the program was not done in time")
        if not child.silent:
            until = min(self._deadline, time.monotonic() + _GRACE_S)
            child.pump(lambda: child.silent, until=until, limit_bytes=self._limit)

    @property
    def ended(self) -> bool:
        """Whether the frame's end has come."""
        stdout = self._child.stdout
        return self._end.search(stdout, max(0, len(stdout) - _TAIL_BYTES)) is not None

    def _talk(self, dialogue: Dialogue) -> bool:
        """Whether the program may go in."""
        child, turn = self._child, Turn.WAIT

        def somebody_s_turn() -> bool:
            nonlocal turn
            turn = dialogue.next(child.stdout, child.stderr)
            return turn is not Turn.WAIT or child.silent

        while True:
            self._read(somebody_s_turn, self._attempt.until, "root rights were not had in time")
            if turn is not Turn.ANSWER:
                return turn is Turn.READY
            child.send(dialogue.answer(), last=False)

    def _read(self, enough: Callable[[], bool], until: float, too_late: str) -> None:
        if not self._child.pump(enough, until=until, limit_bytes=self._limit):
            raise CommandTimeout(too_late, phase="run")
