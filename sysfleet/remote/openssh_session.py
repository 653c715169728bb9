"""Sessions over the system's ssh: whatever gets a person in (hardware keys, Kerberos, an ssh_config) works here too.

One ssh a connection where one program is to be run; where more follow, one that stays, and one more for each program.
Knows no program, and retries nothing.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from sysfleet.errors import CommandError, CommandFailed, ConnectionLost
from sysfleet.remote import framing, terminal
from sysfleet.remote.access import Access
from sysfleet.remote.child import Child
from sysfleet.remote.evidence import clean
from sysfleet.remote.framing import checked_mark
from sysfleet.remote.openssh_client import Client
from sysfleet.remote.openssh_exchange import Exchange
from sysfleet.remote.openssh_line import Line
from sysfleet.remote.openssh_log import Said
from sysfleet.remote.privilege import PLAIN
from sysfleet.remote.rights import Attempt, Refused, Rights, never_began
from sysfleet.remote.session import Completed
from sysfleet.remote.target import Target

_NO_SESSION = "the host opens no session on the connection"
_HINT_NO_SESSION = "see MaxSessions in its sshd_config: a change needs two on one connection"
_TIDY_S = 1.0


def connect(client: Client, target: Target, access: Access, *, deadline: float, stays: bool = False) -> OpensshSession:
    """An open connection to the proven host, logged in; raises the ConnectError that says what is wrong.

    All of it ends by `deadline` (time.monotonic) and within `connect_timeout_s`. With `stays` every program of the
    session goes over this one connection; else each after the first has a login of its own.
    """
    checked_mark(target.mark)
    until = min(deadline, time.monotonic() + access.connect_timeout_s)
    line = Line(client, target, access, until=until, stays=stays)
    return OpensshSession(line, replace(target, user=line.user), access)


class OpensshSession:
    """A `Session` over ssh processes. One program runs at a time; others wait for their turn."""

    def __init__(self, line: Line, target: Target, access: Access) -> None:
        self._line = line
        self._target = target
        self._access = access
        self._running: Child | None = None
        self._turn = threading.RLock()
        self._state = threading.Lock()
        self._closed = False

    def run(self, program: bytes, *, deadline: float, limit_bytes: int, privileged: bool) -> Completed:
        """Run a shell program and wait for its end, as `Session` says."""
        began_at = time.monotonic()

        def carry(attempt: Attempt) -> Completed | Refused:
            return self._carried(attempt, program, deadline=deadline, limit_bytes=limit_bytes)

        with self._turn:
            try:
                if privileged and self._access.privilege != "none":
                    found = Rights(self._access, self._target).run(carry, deadline=deadline)
                else:
                    found = self._without_rights(carry(Attempt(PLAIN, in_terminal=False, until=deadline)))
            finally:
                if self._closed:
                    self._line.end()
        return replace(found, elapsed_s=time.monotonic() - began_at)

    def close(self) -> None:
        """End the connection, from any thread, at once; a running program ends with ConnectionLost."""
        with self._state:
            self._closed = True
            if self._running is not None:
                self._running.kill()
                self._line.kill()
        # Whoever is still logging in for a further program tidies up when that is over.
        if self._turn.acquire(timeout=_TIDY_S):
            try:
                self._line.end()
            finally:
                self._turn.release()

    def _carried(self, attempt: Attempt, program: bytes, *, deadline: float, limit_bytes: int) -> Completed | Refused:
        carrier = terminal if attempt.in_terminal else framing
        text = carrier.upload(program, self._target.mark)
        if self._closed:
            raise ConnectionLost("the connection is closed", phase="run")
        try:
            child = self._started(attempt, deadline)
            try:
                exchange = Exchange(child, attempt, mark=self._target.mark, deadline=deadline, limit_bytes=limit_bytes)
                exchange.run(text)
            except BaseException:
                self._put_away(child)
                raise
        except CommandError:
            self.close()
            raise
        try:
            return self._ended(child, attempt, whole=exchange.ended or exchange.given_up)
        finally:
            self._put_away(child)

    def _started(self, attempt: Attempt, deadline: float) -> Child:
        child = self._line.start(attempt, deadline)
        with self._state:
            self._running = child
            if self._closed:
                child.kill()
        return child

    def _put_away(self, child: Child) -> None:
        with self._state:
            self._running = None
        self._line.give_back(child)

    def _ended(self, child: Child, attempt: Attempt, *, whole: bool) -> Completed | Refused:
        """What came of an attempt: the program's end, or what was said instead of starting the stub as root."""
        if not whole and (self._closed or self._line.lost(child)):
            words = clean(Said(child.log, "").last_words)
            raise ConnectionLost("the connection ended before the program did", phase="run", evidence=words or None)
        stdout, stderr = bytes(child.stdout), bytes(child.stderr)
        framed, stderr = attempt.framed(stdout, stderr, self._target.mark)
        if framed is not None:
            return Completed(framed.status, framed.body, stderr, 0.0)
        if Said(child.log, "").no_session:
            raise CommandFailed(_NO_SESSION, phase="run", hint=_HINT_NO_SESSION)
        said = stdout + b"\n" + stderr
        if attempt.dialogue is not None:
            said = attempt.dialogue.without_password(said)
        return never_began(said, Said(child.log, "").status)

    def _without_rights(self, found: Completed | Refused) -> Completed:
        if isinstance(found, Refused):
            raise CommandFailed("the program never began on the host", phase="run", evidence=clean(found.said) or None)
        return found
