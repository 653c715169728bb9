"""One login by ssh and what can be started over it: a program of its own, or several where it stays.

Knows no program and nothing of what one prints; whoever is given a process gives it back.
"""

from __future__ import annotations

import time

from sysfleet.errors import CommandTimeout, ConnectTimeout
from sysfleet.remote.access import Access
from sysfleet.remote.child import Child
from sysfleet.remote.openssh_bastion import bastions_of, passage
from sysfleet.remote.openssh_client import Client, Files
from sysfleet.remote.openssh_command import LOGIN, over
from sysfleet.remote.openssh_log import Said
from sysfleet.remote.openssh_login import log_in
from sysfleet.remote.rights import Attempt, never_began
from sysfleet.remote.target import Target

_LAST_WORDS_S = 1.0
_LAST_WORDS_BYTES = 1 << 20


class Line:
    """A shell on the host that waits for a command. Used by one thread at a time, but for `kill`."""

    def __init__(self, client: Client, target: Target, access: Access, *, until: float, stays: bool) -> None:
        """Log in. With `stays`, the shell waits on, and holds the connection that all programs go over."""
        self._client = client
        self._target = target
        self._access = access
        self._files: Files | None
        self._jumps = bastions_of(client, target, access, until=until)
        through = passage(client, self._jumps, access, until=until)
        login, self._files = log_in(client, target, access, until=until, shared=stays, through=through)
        self._login: Child | None = login
        self._borrowed: Files | None = None
        self.user = Said(login.log, "").user or target.user
        if not stays or login.silent:  # one that has ended already lets nobody in
            self._files.remove()
            self._files = None

    def start(self, attempt: Attempt, deadline: float) -> Child:
        """A process that has begun, or is about to begin, the attempt's command; a new login where there is none."""
        if self._files is not None:
            return self._over_login(attempt, self._files)
        login, self._login = self._login, None
        if login is None or attempt.in_terminal:
            if login is not None:
                self._client.end(login)
            login = self._logged_in_again(attempt.command if attempt.in_terminal else None, deadline)
        if not attempt.in_terminal:
            login.send(f"exec {attempt.command}\n".encode(), last=False)
        return login

    def _logged_in_again(self, in_terminal: str | None, deadline: float) -> Child:
        until = min(deadline, time.monotonic() + self._access.connect_timeout_s)
        try:
            through = passage(self._client, self._jumps, self._access, until=until)
            login, _ = log_in(
                self._client, self._target, self._access, until=until, through=through, in_terminal=in_terminal
            )
        except ConnectTimeout as error:
            if time.monotonic() < deadline:
                raise
            raise CommandTimeout("the host does not start the program in time", phase="run") from error
        return login

    def _over_login(self, attempt: Attempt, shared: Files) -> Child:
        self._borrowed = self._client.files()
        words = over(
            self._client.options,
            log=self._borrowed.log,
            socket=shared.socket,
            command=attempt.command,
            in_terminal=attempt.in_terminal,
        )
        return self._client.start(words, self._borrowed.log)

    def give_back(self, child: Child) -> None:
        """End a process that `start` gave."""
        if not child.silent:
            child.kill()  # a process left behind on the host would keep it
        self._client.end(child)
        self._remove_borrowed()

    def lost(self, child: Child) -> bool:
        """Whether the connection ended, where a process ended without the program's end."""
        until = time.monotonic() + _LAST_WORDS_S
        child.pump(lambda: child.gone, until=until, limit_bytes=len(child.stdout) + len(child.stderr))
        if Said(child.log, "").ended_by_itself:
            return False
        login = self._login
        if self._files is None or login is None:
            return True
        # The one that holds the connection says of a program that was killed as little as of a lost connection.
        login.pump(lambda: login.gone, until=until, limit_bytes=_LAST_WORDS_BYTES)
        if login.gone and LOGIN not in login.stdout and Said(login.log, "").ended_by_itself:
            # What is lost was never there: a login shell that ran nothing.
            never_began(bytes(login.stdout + b"\n" + login.stderr), Said(login.log, "").status)
        return login.gone

    def kill(self) -> None:
        """End the connection that all programs go over, from any thread, at once. `end` has still to follow."""
        login = self._login
        if login is not None:
            login.kill()

    def end(self) -> None:
        """No process and no file is left."""
        login, self._login = self._login, None
        if login is not None:
            self._client.end(login)
        if self._files is not None:
            self._files.remove()
        self._remove_borrowed()

    def _remove_borrowed(self) -> None:
        files, self._borrowed = self._borrowed, None
        if files is not None:
            files.remove()
