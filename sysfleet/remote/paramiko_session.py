"""Sessions over paramiko: `connect` proves host and login, and the session runs framed programs.

Knows the run's keys and known hosts as they are handed in; knows no program, and retries nothing.
"""

from __future__ import annotations

import time
from dataclasses import replace

from paramiko.transport import Transport

from sysfleet.errors import (
    CommandError,
    CommandFailed,
    CommandTimeout,
    ConnectionLost,
)
from sysfleet.remote import framing, terminal
from sysfleet.remote.access import Access
from sysfleet.remote.evidence import clean
from sysfleet.remote.exchange import Exchange
from sysfleet.remote.framing import checked_mark
from sysfleet.remote.privilege import PLAIN
from sysfleet.remote.reach import reach
from sysfleet.remote.rights import Attempt, Refused, Rights, never_began
from sysfleet.remote.session import Completed
from sysfleet.remote.target import Target
from sysfleet.remote.translate import translated
from sysfleet.remote.transport import shut

_NO_STATUS = -1


def connect(target: Target, access: Access, *, deadline: float) -> ParamikoSession:
    """An open connection to the proven host, logged in; raises the ConnectError that says what is wrong.

    All of it ends by `deadline` (time.monotonic) and within `connect_timeout_s`.
    """
    checked_mark(target.mark)
    return ParamikoSession(reach(target, target.jumps, access, deadline=deadline, kind=Transport), target, access)


class ParamikoSession:
    """A `Session` over one paramiko transport."""

    def __init__(self, transport: Transport, target: Target, access: Access) -> None:
        self._transport = transport
        self._target = target
        self._access = access
        self._closed = False

    def run(self, program: bytes, *, deadline: float, limit_bytes: int, privileged: bool) -> Completed:
        """Run a shell program and wait for its end, as `Session` says; each attempt has a channel of its own."""
        began_at = time.monotonic()

        def carry(attempt: Attempt) -> Completed | Refused:
            return self._carried(attempt, program, deadline=deadline, limit_bytes=limit_bytes)

        if privileged and self._access.privilege != "none":
            found = Rights(self._access, self._target).run(carry, deadline=deadline)
        else:
            found = self._without_rights(carry(Attempt(PLAIN, in_terminal=False, until=deadline)))
        return replace(found, elapsed_s=time.monotonic() - began_at)

    def _carried(self, attempt: Attempt, program: bytes, *, deadline: float, limit_bytes: int) -> Completed | Refused:
        carrier = terminal if attempt.in_terminal else framing
        text = carrier.upload(program, self._target.mark)
        try:
            channel = self._transport.open_session(timeout=max(0.001, deadline - time.monotonic()))
            exchange = Exchange(channel, deadline=deadline, limit_bytes=limit_bytes)
            exchange.run(
                attempt.command,
                text,
                dialogue=attempt.dialogue,
                in_terminal=attempt.in_terminal,
                until=attempt.until,
            )
        except CommandError:
            self.close()
            raise
        except Exception as error:
            raise self._failed(error, deadline) from error
        return self._ended(attempt, exchange)

    def close(self) -> None:
        """End the connection, from any thread, at once; a running program ends with ConnectionLost."""
        self._closed = True
        shut(self._transport)

    def _failed(self, error: Exception, deadline: float) -> Exception:
        if time.monotonic() >= deadline:
            self.close()
            return CommandTimeout("the host does not start the program in time", phase="run")
        if self._closed or not self._transport.is_active():
            return ConnectionLost(
                "the connection ended before the program did", phase="run", evidence=clean(str(error))
            )
        return translated(error, phase="run")

    def _ended(self, attempt: Attempt, exchange: Exchange) -> Completed | Refused:
        """What came of an attempt: the program's end, or what was said instead of starting the stub as root."""
        stdout, stderr = bytes(exchange.stdout), bytes(exchange.stderr)
        lost = exchange.status == _NO_STATUS and not exchange.given_up
        if lost and (self._closed or not self._transport.is_active()):
            raise ConnectionLost("the connection ended before the program did", phase="run")
        framed, stderr = attempt.framed(stdout, stderr, self._target.mark)
        if framed is not None:
            return Completed(framed.status, framed.body, stderr, 0.0)
        said = stdout + b"\n" + stderr
        if attempt.dialogue is not None:
            said = attempt.dialogue.without_password(said)
        if lost:
            raise CommandFailed("the program was killed on the host", phase="run", evidence=clean(said) or None)
        return never_began(said, exchange.status)

    def _without_rights(self, found: Completed | Refused) -> Completed:
        if isinstance(found, Refused):
            raise CommandFailed("the program never began on the host", phase="run", evidence=clean(found.said) or None)
        return found
