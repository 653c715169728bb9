"""One program over one channel: what goes in, what comes out, until when and how much.

Reads and writes at the same time, so that neither side can wait for the other for ever. Knows no frame.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

from typing_extensions import override

from sysfleet.errors import CommandFailed, CommandTimeout
from sysfleet.remote.dialogue import Dialogue, Turn

if TYPE_CHECKING:
    from paramiko.channel import Channel

# What surely fits into the kernel's buffer: writing more may block, and is done by a thread of its own.
_SMALL_BYTES = 65536
_CHUNK_BYTES = 32000
_READ_BYTES = 1 << 24
# A process left behind may hold the output open; after the exit status, the rest has this long.
_GRACE_S = 1.0


class _Wake(threading.Event):
    """Set by either buffer; paramiko clears it when one is empty, and the other may have just been filled."""

    @override
    def clear(self) -> None:
        pass

    def rearm(self) -> None:
        super().clear()


class _Answer(threading.Event):
    """Ends paramiko's wait for the answer to a request, which has no end of its own."""

    def __init__(self, deadline: float) -> None:
        super().__init__()
        self._deadline = deadline

    @override
    def wait(self, timeout: float | None = None) -> bool:
        left = max(0.0, self._deadline - time.monotonic())
        if super().wait(left if timeout is None else min(left, timeout)):
            return True
        raise CommandTimeout("the host does not start the program in time", phase="run")


class Exchange:
    """Runs a command line on an open channel, once."""

    def __init__(self, channel: Channel, *, deadline: float, limit_bytes: int) -> None:
        self._channel = channel
        self._deadline = deadline
        self._limit = limit_bytes
        self._wake = _Wake()
        self.stdout = bytearray()
        self.stderr = bytearray()
        self.status = -1
        self.given_up = False

    def run(
        self,
        command: str,
        upload: bytes,
        *,
        dialogue: Dialogue | None = None,
        in_terminal: bool = False,
        until: float | None = None,
    ) -> None:
        """Start the command, feed it, and gather its output; the exit status is -1 where the host sent none.

        With a dialogue the upload goes in when that says so, `until` then at the latest: a wrong password must not
        be followed by lines that sudo would take for more attempts.
        """
        channel = self._channel
        channel.event = _Answer(self._deadline)
        channel.in_buffer.set_event(self._wake)
        channel.in_stderr_buffer.set_event(self._wake)
        if in_terminal:
            channel.get_pty("dumb")
        channel.exec_command(command)
        if dialogue is None or self._talk(dialogue, self._deadline if until is None else until):
            # A terminal has no end of input.
            self._write(upload, last=not in_terminal)
        elif in_terminal:
            self.given_up = True
            channel.close()
        else:
            self.given_up = True
            channel.shutdown_write()
        self._read_to_the_end()

    def _talk(self, dialogue: Dialogue, until: float) -> bool:
        """Whether the program may go in."""
        ended = False
        while True:
            match dialogue.next(self.stdout, self.stderr):
                case Turn.READY:
                    return True
                case Turn.REFUSED:
                    return False
                case Turn.ANSWER:
                    self._write(dialogue.answer(), last=False)
                case Turn.WAIT:
                    if ended:
                        return False
                    ended = self._read_once(until, "root rights were not had in time")

    def _write(self, data: bytes, *, last: bool) -> None:
        at = 0
        while at < min(len(data), _SMALL_BYTES) and self._channel.send_ready():
            sent = self._sent(data[at : at + _CHUNK_BYTES])
            if sent == 0:
                return
            at += sent
        if at >= len(data):
            if last:
                self._channel.shutdown_write()
            return
        threading.Thread(target=self._write_rest, args=(data, at, last), name="sysfleet-upload", daemon=True).start()

    def _sent(self, data: bytes) -> int:
        """How much was taken; nothing where the program has ended without it, and whoever reads meets its words."""
        try:
            return self._channel.send(data)
        except OSError:
            if not self._channel.closed:
                raise
            return 0

    def _write_rest(self, data: bytes, at: int, last: bool) -> None:  # noqa: FBT001 - the thread's arguments
        channel = self._channel
        channel.settimeout(max(0.001, self._deadline - time.monotonic()))
        try:
            while at < len(data):
                sent = channel.send(data[at : at + _CHUNK_BYTES])
                if sent == 0:
                    return
                at += sent
            if last:
                channel.shutdown_write()
        except (OSError, EOFError):
            pass  # whoever reads meets the same end

    def _read_to_the_end(self) -> None:
        while not self._read_once(self._deadline):
            pass
        left = max(0.0, self._deadline - time.monotonic())
        if not self._channel.status_event.wait(left):
            raise CommandTimeout("the program was not done in time", phase="run")
        self.status = self._channel.exit_status

    def _read_once(self, until: float, too_late: str = "the program was not done in time") -> bool:
        """Wait for output and take it; whether that was the last."""
        channel, wake = self._channel, self._wake
        left = until - time.monotonic()
        woken = left > 0 and wake.wait(min(left, _GRACE_S))
        wake.rearm()
        ended = bool(channel.eof_received or channel.closed)
        if channel.recv_ready():
            self.stdout += channel.recv(_READ_BYTES)
        if channel.recv_stderr_ready():
            self.stderr += channel.recv_stderr(_READ_BYTES)
        if len(self.stdout) + len(self.stderr) > self._limit:
            raise CommandFailed(f"the host sends more than {self._limit} bytes", phase="run")
        if not ended and not woken:
            if time.monotonic() >= until:
                raise CommandTimeout(too_late, phase="run")
            return channel.status_event.is_set()
        return ended
