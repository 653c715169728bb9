"""Sessions over paramiko: `connect` proves host and login, and the session runs framed programs.

Knows the run's keys and known hosts as they are handed in; knows no program, and retries nothing.
"""

from __future__ import annotations

import time

from paramiko.transport import Transport

from sysfleet.errors import (
    CommandError,
    CommandFailed,
    CommandTimeout,
    ConnectionLost,
)
from sysfleet.remote.access import Access
from sysfleet.remote.evidence import clean
from sysfleet.remote.exchange import Exchange
from sysfleet.remote.framing import checked_mark, unframed, upload
from sysfleet.remote.password import Password
from sysfleet.remote.privilege import PLAIN, command_line, refusal
from sysfleet.remote.reach import reach
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
        """Run a shell program and wait for its end, as `Session` says; each run has a channel of its own."""
        began_at = time.monotonic()
        secret = self._access.privilege_password(self._target) if privileged else None
        password = self._password(secret, deadline)
        if privileged:
            command = command_line(self._access.privilege, user=self._target.user, with_password=password is not None)
        else:
            command = PLAIN
        text = upload(program, self._target.mark)
        try:
            channel = self._transport.open_session(timeout=max(0.001, deadline - began_at))
            exchange = Exchange(channel, deadline=deadline, limit_bytes=limit_bytes)
            exchange.run(command, text, password=password)
        except CommandError:
            self.close()
            raise
        except Exception as error:
            raise self._failed(error, deadline) from error
        finally:
            if secret is not None:
                secret.undecided(self._target.name)
        return self._completed(exchange, privileged=privileged, elapsed_s=time.monotonic() - began_at)

    def _password(self, secret: Password | None, deadline: float) -> str | None:
        return secret.ask(self._target.name, until=deadline) if secret is not None else None

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

    def _completed(self, exchange: Exchange, *, privileged: bool, elapsed_s: float) -> Completed:
        stdout, stderr = bytes(exchange.stdout), bytes(exchange.stderr)
        lost = exchange.status == _NO_STATUS
        if lost and (self._closed or not self._transport.is_active()):
            raise ConnectionLost("the connection ended before the program did", phase="run")
        framed = unframed(stdout, self._target.mark)
        if framed is not None:
            return Completed(framed.status, framed.body, stderr, elapsed_s)
        if lost:
            raise CommandFailed("the program was killed on the host", phase="run", evidence=clean(stderr) or None)
        denied = refusal(stderr, user=self._target.user) if privileged else None
        raise denied or CommandFailed(
            f"the program never began on the host (status {exchange.status})",
            phase="run",
            evidence=clean(stderr) or clean(stdout) or None,
        )
