"""Sessions for hosts that give an interactive shell only, opened by netmiko's driver for the kind of host.

The driver gets a connection that is proven and logged in to already: host keys, keys, passwords and bastions are
those of all sessions. Reading prompts, which a change of folder changes, is left to nobody.
"""

from __future__ import annotations

import hashlib
import logging
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from paramiko.ssh_exception import ChannelException, SSHException
from paramiko.transport import Transport

from sysfleet.errors import CommandError, CommandFailed, ConnectTimeout, HostError, PrivilegeDenied
from sysfleet.remote import terminal
from sysfleet.remote.access import Access
from sysfleet.remote.dialogue import Turn
from sysfleet.remote.evidence import clean
from sysfleet.remote.framing import checked_mark
from sysfleet.remote.interactive_shell import InteractiveShell
from sysfleet.remote.privilege import ASKS, command_line
from sysfleet.remote.reach import reach
from sysfleet.remote.rights import Attempt, Refused, Rights
from sysfleet.remote.session import Completed
from sysfleet.remote.target import Target
from sysfleet.remote.translate import translated
from sysfleet.remote.transport import shut

if TYPE_CHECKING:
    from collections.abc import Iterator

    from paramiko.channel import Channel

_PLAIN = command_line("none", user="", with_password=False, stub=terminal.STUB)


def connect(target: Target, access: Access, driver: Any, *, deadline: float) -> NetmikoSession:
    """An open terminal on the proven host; `driver` is netmiko's connection to it, which is not connected yet.

    All of it ends by `deadline` (time.monotonic) and within `connect_timeout_s`; raises what other sessions raise.
    """
    checked_mark(target.mark)
    # Each driver hides its password in netmiko's log; there is none in it, and nobody would take the filter away.
    logging.getLogger("netmiko").removeFilter(driver._secrets_filter)  # noqa: SLF001
    transport = reach(target, target.jumps, access, deadline=deadline, kind=Transport)
    until = min(deadline, time.monotonic() + access.connect_timeout_s)
    try:
        with _ended_at(until, transport):
            driver._build_ssh_client = lambda: _Client(transport, until)  # noqa: SLF001 - netmiko's own seam
            driver.establish_connection()
    except Exception as error:
        shut(transport)
        raise _told(error, until) from error
    except BaseException:
        shut(transport)
        raise
    enter = str(driver.RETURN).encode()
    token = hashlib.sha256(target.mark.encode()).hexdigest()[:16]
    shell = InteractiveShell(driver.remote_conn, token=token, enter=enter, patience_s=access.connect_timeout_s)
    return NetmikoSession(transport, shell, target, access)


@contextmanager
def _ended_at(until: float, transport: Transport) -> Iterator[None]:
    """Some drivers answer questions of their own after the login, and have no end to it."""
    timer = threading.Timer(max(0.0, until - time.monotonic()), shut, [transport])
    timer.name = "sysfleet-netmiko"
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()


def _told(error: Exception, until: float) -> HostError:
    if time.monotonic() >= until:
        return ConnectTimeout("the host gives no interactive shell in time", phase="connect")
    return translated(error, phase="connect")


class _Client:
    """What a driver takes for a client of SSH; it is connected before it is asked to connect."""

    def __init__(self, transport: Transport, until: float) -> None:
        self._transport = transport
        self._until = until

    def connect(self, **_asked: object) -> None:
        pass

    def invoke_shell(self, *, term: str, width: int, height: int) -> Channel:
        """A terminal with the login's shell on it."""
        try:
            channel = self._transport.open_session(timeout=max(0.001, self._until - time.monotonic()))
            channel.get_pty(term, width, height)
            channel.invoke_shell()
        except (ChannelException, SSHException) as error:
            if not self._transport.is_active():
                raise
            raise CommandFailed(
                "the host gives no interactive shell", phase="connect", evidence=clean(str(error)) or None
            ) from error
        return channel

    def close(self) -> None:
        shut(self._transport)


class NetmikoSession:
    """A `Session` over one terminal. Its shell runs one program after the other: appliances often allow one login."""

    def __init__(self, transport: Transport, shell: InteractiveShell, target: Target, access: Access) -> None:
        self._transport = transport
        self._shell = shell
        self._target = target
        self._access = access
        self._rights = Rights(access, target, always_in_terminal=True)

    def run(self, program: bytes, *, deadline: float, limit_bytes: int, privileged: bool) -> Completed:
        """Run a shell program and wait for its end, as `Session` says; errors come without their NUL bytes."""
        began_at = time.monotonic()
        text = terminal.upload(program, self._target.mark)

        def carry(attempt: Attempt) -> Completed | Refused:
            refused = self._begin(attempt)
            if refused is not None:
                return refused
            return self._completed(text, deadline, limit_bytes, began_at)

        try:
            if privileged and self._access.privilege != "none":
                return self._rights.run(carry, deadline=deadline)
            found = carry(Attempt(_PLAIN, in_terminal=True, until=deadline))
        except PrivilegeDenied:
            raise
        except CommandError:
            self.close()
            raise
        if isinstance(found, Completed):
            return found
        raise CommandFailed("the program never began on the host", phase="run", evidence=clean(found.said) or None)

    def close(self) -> None:
        """End the connection, from any thread, at once; a running program ends with ConnectionLost."""
        shut(self._transport)

    def _begin(self, attempt: Attempt) -> Refused | None:
        """Start the stub, and answer the one question it may ask; None once it waits for the program."""
        shell, dialogue = self._shell, attempt.dialogue
        shell.start(attempt.command, until=attempt.until)
        while terminal.ready_at(shell.printed) is None:
            lacking = terminal.no_terminal(shell.printed)
            if lacking is not None:
                raise lacking
            if shell.over:
                return self._refused(bytes(shell.printed))
            turn = dialogue.next(shell.printed, b"") if dialogue is not None else Turn.WAIT
            if dialogue is not None and turn is Turn.ANSWER:
                shell.type(dialogue.answer(), until=attempt.until)
            elif turn is Turn.REFUSED:
                shell.interrupt(until=attempt.until)
                return Refused(bytes(shell.printed))
            shell.more(until=attempt.until)
        if dialogue is not None:
            dialogue.next(shell.printed, b"")  # it learns that the answer was right
        del shell.printed[: terminal.ready_at(shell.printed)]
        return None

    def _refused(self, said: bytes) -> Refused:
        """What it means that the command is over and the stub never began."""
        # Not as a line of its own: some shells print escape sequences before what a command prints.
        if ASKS in said:
            return Refused(said)
        raise CommandFailed("the program never began on the host", phase="run", evidence=clean(said) or None)

    def _completed(self, text: bytes, deadline: float, limit_bytes: int, began_at: float) -> Completed:
        shell, ending = self._shell, terminal.ending(self._target.mark)
        shell.type(text, until=deadline)
        looked_at = 0
        while shell.printed.find(ending, looked_at) < 0 and not shell.over:
            looked_at = max(0, len(shell.printed) - len(ending))
            shell.more(until=deadline, limit_bytes=limit_bytes)
        printed = terminal.unframed(bytes(shell.printed), self._target.mark)
        shell.finish(until=deadline)
        if printed.framed is None:
            raise CommandFailed(
                "the program never began on the host", phase="run", evidence=clean(printed.around) or None
            )
        elapsed_s = time.monotonic() - began_at
        return Completed(printed.framed.status, printed.framed.body, printed.errors, elapsed_s)
