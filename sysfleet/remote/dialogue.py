"""What is said before a program is sent: waits for the stub, and answers one question for a password.

Bytes in, a decision out; knows neither channels nor time, and never answers twice.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum, auto

from typing_extensions import override

from sysfleet.errors import CommandFailed
from sysfleet.remote.framing import READY
from sysfleet.remote.privilege import question

_READY = re.compile(rb"^%b\r?\n" % READY, re.MULTILINE)
# Banners, a lecture and a profile that talks are shorter.
_LIMIT_BYTES = 1 << 20


class Turn(Enum):
    """Whose turn it is."""

    WAIT = auto()
    ANSWER = auto()
    READY = auto()
    REFUSED = auto()


class Dialogue:
    """One attempt to start the stub as root. Whoever carries it calls `next` with all that has come so far."""

    def __init__(self, password: str | None, worked: Callable[[], None]) -> None:
        """`worked` is called once the stub runs after the password was given."""
        self._password = password
        self._worked = worked
        self._ready = False
        # Of output and errors: where to look on.
        self._from = [0, 0]
        self.answered = False
        self.errors_before = 0
        """How much of the errors came before the program was sent: a lecture, the question."""

    @override
    def __repr__(self) -> str:
        return "Dialogue(…)"

    def next(self, stdout: bytes | bytearray, stderr: bytes | bytearray) -> Turn:
        """What to do now: send `answer`, send the program, end the input, or wait for more."""
        if self._ready or _READY.search(stdout, max(0, self._from[0] - len(READY) - 2)):
            if not self._ready:
                self._ready = True
                self.errors_before = len(stderr)
                if self.answered:
                    self._worked()
            return Turn.READY
        if len(stdout) + len(stderr) > _LIMIT_BYTES:
            raise CommandFailed(f"the host sends more than {_LIMIT_BYTES} bytes before the program", phase="run")
        if self._password is None:
            return Turn.WAIT
        for index, printed in enumerate((stdout, stderr)):
            end = question(printed, self._from[index], again=self.answered)
            if end is not None:
                self._from[index] = end
                # A second question means that the answer was wrong, however that is worded.
                return Turn.REFUSED if self.answered else Turn.ANSWER
        return Turn.WAIT

    def answer(self) -> bytes:
        """The password and the end of its line, to be written now; given once."""
        if self._password is None or self.answered:
            raise ValueError("there is no answer to give")
        self.answered = True
        return self._password.encode() + b"\n"

    def without_password(self, said: bytes) -> bytes:
        """What was said, without the password, should anything have shown it."""
        return said if self._password is None else said.replace(self._password.encode(), b"***")
