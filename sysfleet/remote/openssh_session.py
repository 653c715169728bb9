"""Sessions over the system's ssh: whatever gets a person in (hardware keys, Kerberos, an ssh_config) works here too.

One ssh a connection where one program is to be run; where more follow, one that stays, and one more for each program.
Knows no program, and retries nothing.
"""

from __future__ import annotations

import threading
import time
from dataclasses import replace

from sysfleet.errors import CommandError, CommandFailed, CommandTimeout, ConnectionLost, ConnectTimeout
from sysfleet.remote import framing, terminal
from sysfleet.remote.access import Access
from sysfleet.remote.child import Child
from sysfleet.remote.evidence import clean
from sysfleet.remote.framing import Framed, checked_mark, unframed
from sysfleet.remote.openssh_client import Client, Files
from sysfleet.remote.openssh_command import LOGIN, over
from sysfleet.remote.openssh_exchange import Exchange
from sysfleet.remote.openssh_log import Said
from sysfleet.remote.openssh_login import log_in
from sysfleet.remote.privilege import PLAIN
from sysfleet.remote.rights import Attempt, Refused, Rights, never_began
from sysfleet.remote.session import Completed
from sysfleet.remote.target import Target

_NO_SESSION = "the host opens no session on the connection"
_HINT_NO_SESSION = "see MaxSessions in its sshd_config: a change needs two on one connection"
_LAST_WORDS_S = 1.0
_LAST_WORDS_BYTES = 1 << 20


def connect(client: Client, target: Target, access: Access, *, deadline: float, stays: bool = False) -> OpensshSession:
    """An open connection to the proven host, logged in; raises the ConnectError that says what is wrong.

    All of it ends by `deadline` (time.monotonic) and within `connect_timeout_s`. With `stays` every program of the
    session goes over this one connection; else each after the first has a login of its own.
    """
    checked_mark(target.mark)
    until = min(deadline, time.monotonic() + access.connect_timeout_s)
    child, files = log_in(client, target, access, until=until, shared=stays)
    return OpensshSession(client, target, access, child, files if stays else None)


class OpensshSession:
    """A `Session` over ssh processes. One program runs at a time; others wait for their turn."""

    def __init__(self, client: Client, target: Target, access: Access, child: Child, files: Files | None) -> None:
        self._client = client
        self._access = access
        said = Said(child.log, "")
        self._target = replace(target, user=said.user or target.user)
        # What waits for a command; with files it stays, and holds the connection that others go over.
        self._login: Child | None = child
        self._files = files
        if files is not None and child.silent:  # it has ended already: nobody can come in by it
            files.remove()
            self._files = None
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
                    self._tidy()
        return replace(found, elapsed_s=time.monotonic() - began_at)

    def close(self) -> None:
        """End the connection, from any thread, at once; a running program ends with ConnectionLost."""
        with self._state:
            self._closed = True
            if self._running is not None:
                self._running.kill()
                if self._login is not None:
                    self._login.kill()
        # Whoever is still logging in for a further program tidies up when that is over.
        if self._turn.acquire(timeout=_LAST_WORDS_S):
            try:
                self._tidy()
            finally:
                self._turn.release()

    def _carried(self, attempt: Attempt, program: bytes, *, deadline: float, limit_bytes: int) -> Completed | Refused:
        carrier = terminal if attempt.in_terminal else framing
        text = carrier.upload(program, self._target.mark)
        child, files = self._started(attempt, deadline)
        with self._state:
            self._running = child
            if self._closed:
                child.kill()
        try:
            exchange = Exchange(child, attempt, mark=self._target.mark, deadline=deadline, limit_bytes=limit_bytes)
            try:
                exchange.run(text)
            except CommandError:
                self.close()
                raise
            return self._ended(child, attempt, whole=exchange.ended or exchange.given_up)
        finally:
            self._put_away(child, files)

    def _started(self, attempt: Attempt, deadline: float) -> tuple[Child, Files | None]:
        """A process that has begun, or is about to begin, the attempt's command."""
        if self._closed:
            raise ConnectionLost("the connection is closed", phase="run")
        if self._files is not None:
            return self._over_login(attempt, self._files)
        login, self._login = self._login, None
        if login is None or attempt.in_terminal:
            if login is not None:
                self._client.end(login)
            until = min(deadline, time.monotonic() + self._access.connect_timeout_s)
            in_terminal = attempt.command if attempt.in_terminal else None
            try:
                login, _ = log_in(self._client, self._target, self._access, until=until, in_terminal=in_terminal)
            except ConnectTimeout as error:
                if time.monotonic() < deadline:
                    raise
                self.close()
                raise CommandTimeout("the host does not start the program in time", phase="run") from error
        if not attempt.in_terminal:
            login.send(f"exec {attempt.command}\n".encode(), last=False)
        return login, None

    def _over_login(self, attempt: Attempt, shared: Files) -> tuple[Child, Files]:
        files = self._client.files()
        try:
            words = over(
                self._client.options,
                log=files.log,
                socket=shared.socket,
                command=attempt.command,
                in_terminal=attempt.in_terminal,
            )
            return self._client.start(words, files.log), files
        except BaseException:
            files.remove()
            raise

    def _put_away(self, child: Child, files: Files | None) -> None:
        with self._state:
            self._running = None
        if not child.silent:
            child.kill()  # a process left behind on the host would keep it
        self._client.end(child)
        if files is not None:
            files.remove()

    def _tidy(self) -> None:
        login, self._login = self._login, None
        if login is not None:
            self._client.end(login)
        if self._files is not None:
            self._files.remove()

    def _ended(self, child: Child, attempt: Attempt, *, whole: bool) -> Completed | Refused:
        """What came of an attempt: the program's end, or what was said instead of starting the stub as root."""
        if not whole and self._lost(child):
            self._check_login_shell()
            words = clean(Said(child.log, "").last_words)
            raise ConnectionLost("the connection ended before the program did", phase="run", evidence=words or None)
        stdout, stderr = bytes(child.stdout), bytes(child.stderr)
        framed: Framed | None
        if attempt.in_terminal:
            printed = terminal.unframed(stdout, self._target.mark)
            framed, stderr = printed.framed, printed.errors
        else:
            framed = unframed(stdout, self._target.mark)
            if framed is not None and attempt.dialogue is not None:
                stderr = stderr[attempt.dialogue.errors_before :]
        if framed is not None:
            return Completed(framed.status, framed.body, stderr, 0.0)
        if Said(child.log, "").no_session:
            raise CommandFailed(_NO_SESSION, phase="run", hint=_HINT_NO_SESSION)
        said = stdout + b"\n" + stderr
        if attempt.dialogue is not None:
            said = attempt.dialogue.without_password(said)
        return never_began(said, Said(child.log, "").status)

    def _lost(self, child: Child) -> bool:
        """Whether the connection ended, where the program's end did not come."""
        until = time.monotonic() + _LAST_WORDS_S
        child.pump(lambda: child.gone, until=until, limit_bytes=len(child.stdout) + len(child.stderr))
        if self._closed:
            return True
        if Said(child.log, "").ended_by_itself:
            return False
        login = self._login
        if self._files is None or login is None:
            return True
        # The one that holds the connection says of a program that was killed as little as of a lost connection.
        login.pump(lambda: login.gone, until=until, limit_bytes=_LAST_WORDS_BYTES)
        return login.gone

    def _check_login_shell(self) -> None:
        """CommandFailed where what is lost was never there: a login shell that ran nothing, and ended."""
        login = self._login
        if login is not None and LOGIN not in login.stdout and Said(login.log, "").ended_by_itself:
            never_began(bytes(login.stdout + b"\n" + login.stderr), Said(login.log, "").status)

    def _without_rights(self, found: Completed | Refused) -> Completed:
        if isinstance(found, Refused):
            raise CommandFailed("the program never began on the host", phase="run", evidence=clean(found.said) or None)
        return found
