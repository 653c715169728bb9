"""A shell on a terminal, as a person has it: brings it to answer, starts one command at a time, hears its end.

Prompts are never looked for: the shell itself says when it is there. Knows no program, no password and no frame.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from sysfleet.errors import CommandFailed, CommandTimeout, ConnectionLost
from sysfleet.remote.evidence import clean

if TYPE_CHECKING:
    from paramiko.channel import Channel

_NO_STATUS = -1
_INTERRUPT = b"\x03"

# What keeps a shell from beginning: a pager, or a page that wants a key. Any other answer would go astray in it.
_TAIL_BYTES = 200
_QUIT, _ENTER = b"q", b""
_HURDLES = (
    (re.compile(r"-- ?more ?--|<-+ ?more ?-+>|\(END\)|\blines \d+-\d+|\n:\Z", re.IGNORECASE), _QUIT),
    (re.compile(r"\b(?:press|hit|strike) (?:any key|a key|\W?enter|\W?return)\b", re.IGNORECASE), _ENTER),
)
_SILENCE_S, _FIRST_WORD_S = 0.2, 2.0
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.5, 4.0

_NOISE_BYTES = 1 << 20
_READ_BYTES = 1 << 24


class InteractiveShell:
    """A login's own shell on a terminal; `printed` is what came since the last command was started."""

    def __init__(self, channel: Channel, *, token: str, enter: bytes, patience_s: float) -> None:
        """`token` is what no program prints, `enter` ends a typed line.

        A shell that does not answer within `patience_s` is none.
        """
        self._channel = channel
        # What is typed comes back as an echo, and is not what is printed; every shell takes it alike.
        self._are_you_here = f'echo sysfleet-""here-{token}-%d'.encode()
        self._here = f"sysfleet-here-{token}-%d\r?\n".encode()
        self._asked = 0
        self._then_say_so = f'; echo sysfleet-""over-{token}'.encode()
        self._over = re.compile(f"sysfleet-over-{token}\r?\n".encode())
        self._enter = enter
        self._patience_s = patience_s
        self._settled = False
        self.printed = bytearray()

    def start(self, command: str, *, until: float) -> None:
        """Type a command, whose end `over` tells; first wait, the first time, until the shell answers."""
        if not self._settled:
            self._settle(until)
        self.printed.clear()
        self.type(command.encode() + self._then_say_so + self._enter, until=until)

    @property
    def over(self) -> bool:
        """Whether the shell has said that the command has ended."""
        return self._over.search(self.printed, max(0, len(self.printed) - _NOISE_BYTES)) is not None

    def finish(self, *, until: float) -> None:
        """Wait until the shell says that the command has ended, but not for long: else it is asked next time."""
        self._settled = self._wait(lambda: self.over, until=min(until, time.monotonic() + self._patience_s))

    def interrupt(self, *, until: float) -> None:
        """End a command that asks for something, and hear its last words; the shell is asked when it is next used."""
        self._settled = False
        self.type(_INTERRUPT, until=until)
        self._hear_out(_sooner(until, _FIRST_WORD_S))

    def type(self, data: bytes, *, until: float) -> None:
        """Send this; CommandTimeout where the host does not take it in time, ConnectionLost where it is gone."""
        self._channel.settimeout(max(0.001, until - time.monotonic()))
        try:
            self._channel.sendall(data)
        except TimeoutError as error:
            raise CommandTimeout("the host does not take what is typed in time", phase="run") from error
        except OSError as error:
            raise self._ended() from error

    def more(self, *, until: float, limit_bytes: int = _NOISE_BYTES) -> None:
        """Wait for more to be printed; CommandTimeout after `until`, CommandFailed beyond the limit."""
        if not self._take(until):
            raise CommandTimeout("the program was not done in time", phase="run")
        if len(self.printed) > limit_bytes:
            raise CommandFailed(f"the host sends more than {limit_bytes} bytes", phase="run")

    def _take(self, until: float) -> bool:
        self._channel.settimeout(max(0.0, until - time.monotonic()))
        try:
            data = self._channel.recv(_READ_BYTES)
        except TimeoutError:
            return False
        if not data:
            raise self._ended()
        self.printed += data
        return True

    def _wait(self, ready: Callable[[], bool], *, until: float) -> bool:
        while not ready():
            if not self._take(until):
                return False
            if len(self.printed) > _NOISE_BYTES:
                del self.printed[: -_NOISE_BYTES // 2]
        return True

    def _settle(self, deadline: float) -> None:
        until, pause_s = min(deadline, time.monotonic() + self._patience_s), _FIRST_PAUSE_S
        # Answers to what was asked before may still be under way.
        self._asked += 1
        here = re.compile(self._here % self._asked)
        while time.monotonic() < until:
            hurdle = self._hurdle(until)
            if hurdle is not None:
                self.type(hurdle or self._enter, until=until)
                continue
            self.type(self._are_you_here % self._asked + self._enter, until=until)
            if self._wait(lambda: here.search(self.printed) is not None, until=_sooner(until, pause_s)):
                self._settled = True
                return
            pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        raise CommandFailed(
            "the host's interactive shell does not answer as a shell does",
            phase="run",
            hint="a shell of the POSIX kind is needed, as the login's own or started from it",
            evidence=clean(bytes(self.printed)) or None,
        )

    def _hurdle(self, until: float) -> bytes | None:
        """The key that gets past what the host shows once it has fallen silent; None where nothing is in the way."""
        seen = len(self.printed)
        self._wait(lambda: len(self.printed) > seen, until=_sooner(until, _FIRST_WORD_S if not seen else _SILENCE_S))
        self._hear_out(until)
        shown = self.printed[seen:][-_TAIL_BYTES:].decode("latin-1")
        text = "\n".join(clean(line) for line in shown.replace("\r", "\n").split("\n"))
        return next((key for words, key in _HURDLES if words.search(text)), None)

    def _hear_out(self, until: float) -> None:
        while time.monotonic() < until and self._take(_sooner(until, _SILENCE_S)):
            del self.printed[:-_NOISE_BYTES]

    def _ended(self) -> ConnectionLost | CommandFailed:
        """Whether the shell ended, or the connection under it."""
        if self._channel.eof_received or self._channel.exit_status != _NO_STATUS:
            return CommandFailed(
                "the host ended its interactive shell", phase="run", evidence=clean(bytes(self.printed)) or None
            )
        return ConnectionLost("the connection ended before the program did", phase="run")


def _sooner(until: float, seconds: float) -> float:
    return min(until, time.monotonic() + seconds)
