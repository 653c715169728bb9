"""One host's way to root: which command line to try next, and what became of the password.

Tries without a password first, so that a host that wants none is never given one, and without a terminal. Knows no
channel: whoever has one carries out each attempt.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial

from sysfleet.errors import CommandFailed, PrivilegeDenied
from sysfleet.remote import terminal
from sysfleet.remote.access import Access
from sysfleet.remote.dialogue import Dialogue
from sysfleet.remote.framing import READY, STUB, Framed, unframed
from sysfleet.remote.password import TRIAL_S, Password, PasswordOnTrial, PasswordRefused
from sysfleet.remote.privilege import ASKS, Need, command_line, need, own_words, proves_the_password
from sysfleet.remote.session import Completed
from sysfleet.remote.target import Target

_HINT_RULE = "give this login a rule in sudoers or doas.conf, or set [privilege] method"
_HINT_NONE = "allow it in sudoers (NOPASSWD) or doas.conf (nopass), or give the password: --ask-root-password"
_HINT_ELSEWHERE = "give the right password, or allow it without one"
_HINT_WRONG = "give the right password; this one was sent to no other host"
_HINT_WRONG_HERE = "other hosts take this password: this login has another one here"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One command line to start, in a terminal or not.

    The program is sent at once, or, with a dialogue, when that says READY; that is to be before `until`.
    """

    command: str
    in_terminal: bool
    until: float
    dialogue: Dialogue | None = field(default=None, repr=False)

    def framed(self, stdout: bytes, stderr: bytes, mark: str) -> tuple[Framed | None, bytes]:
        """The program's output, None when it never began, and what it alone said on standard error.

        Raises CommandFailed when it began and has no end.
        """
        if self.in_terminal:
            printed = terminal.unframed(stdout, mark)
            return printed.framed, printed.errors
        framed = unframed(stdout, mark)
        if framed is not None and self.dialogue is not None:
            stderr = stderr[self.dialogue.errors_before :]
        return framed, stderr


@dataclass(frozen=True, slots=True)
class Refused:
    """The stub did not begin although the login shell did; `said` is all that was said instead."""

    said: bytes


def never_began(said: bytes, status: int) -> Refused:
    """What it means that the stub did not begin; raises CommandFailed where it is no matter of root rights.

    Before sudo or doas is started a line is printed, so what is missing without it is a login shell.
    """
    lines = said.replace(b"\r", b"").split(b"\n")
    evidence = own_words(said) or None
    complaint = terminal.no_terminal(said)
    if complaint is not None:
        raise complaint
    if READY in lines:
        raise CommandFailed(f"the program never began on the host (status {status})", phase="run", evidence=evidence)
    if ASKS in lines:
        return Refused(said)
    raise CommandFailed(
        f"the login shell runs no programs (status {status})",
        phase="run",
        evidence=evidence,
        hint="give the login a shell that does, and no forced command",
    )


Carry = Callable[[Attempt], Completed | Refused]


class Rights:
    """Runs programs as root for one session. `always_in_terminal`: where there is nothing else."""

    def __init__(self, access: Access, target: Target, *, always_in_terminal: bool = False) -> None:
        self._access = access
        self._target = target
        self._always_in_terminal = always_in_terminal

    def run(self, carry: Carry, *, deadline: float) -> Completed:
        """What the program gave; raises PrivilegeDenied with the words of a refusal, or what `carry` raises."""
        secret = self._access.privilege_password(self._target) if self._asks else None
        ask, said = secret is not None and secret.proven, b""
        while True:
            text = self._text(secret, said, deadline) if ask and secret is not None else None
            found = self._attempted(carry, secret if ask else None, text, deadline)
            if isinstance(found, Completed):
                return found
            said, wanted = found.said, need(found.said)
            may_ask = secret is not None and not ask
            if not self._in_terminal and (
                wanted is Need.TERMINAL or (wanted is Need.PASSWORD_IN_TERMINAL and secret is not None)
            ):
                self._access.in_terminal.add(self._target.name)
                ask = ask or wanted is Need.PASSWORD_IN_TERMINAL
            elif may_ask and wanted in (Need.PASSWORD, Need.PASSWORD_IN_TERMINAL):
                ask = True
            else:
                raise self._denied(said, wanted, secret, given=ask)

    @property
    def _asks(self) -> bool:
        method = self._access.privilege
        return method != "none" and not (method == "auto" and self._target.user == "root")

    @property
    def _in_terminal(self) -> bool:
        # Remembered for the run: the next connection to this host need not find out again.
        return self._always_in_terminal or self._target.name in self._access.in_terminal

    def _text(self, secret: Password, said: bytes, deadline: float) -> str | None:
        try:
            return secret.ask(self._target.name, until=deadline)
        except PasswordRefused as refused:
            message = f"not tried here: {refused.where} refused the password"
        except PasswordOnTrial as trial:
            message = f"not tried here: {trial.where} has not said yet whether the password is right"
        raise PrivilegeDenied(message, hint=_HINT_ELSEWHERE, evidence=own_words(said) or None)

    def _attempted(
        self, carry: Carry, secret: Password | None, text: str | None, deadline: float
    ) -> Completed | Refused:
        """Carry out one attempt, and settle what it says of the password."""
        who, in_terminal = self._target.name, self._in_terminal
        command = command_line(
            self._access.privilege,
            user=self._target.user,
            with_password=text is not None,
            stub=terminal.STUB if in_terminal else STUB,
        )
        if secret is None or text is None:
            # A terminal has to be made ready before a program can go through it.
            ready = Dialogue(None, _nothing) if in_terminal else None
            return carry(Attempt(command, in_terminal, deadline, ready))
        until = deadline if secret.proven else min(deadline, time.monotonic() + TRIAL_S)
        dialogue = Dialogue(text, partial(secret.worked, who))
        settle = secret.undecided
        try:
            found = carry(Attempt(command, in_terminal, until, dialogue))
            if isinstance(found, Refused):
                found = Refused(dialogue.without_password(found.said))
                if dialogue.answered:
                    settle = secret.worked if proves_the_password(found.said) else secret.refused
            return found
        finally:
            settle(who)

    def _denied(self, said: bytes, wanted: Need, secret: Password | None, *, given: bool) -> PrivilegeDenied:
        if wanted in (Need.NOTHING, Need.TERMINAL):
            hint = _HINT_RULE
        elif not given or secret is None:
            hint = _HINT_NONE
        else:
            hint = _HINT_WRONG_HERE if secret.proven else _HINT_WRONG
        user = self._target.user
        return PrivilegeDenied(f"{user} gets no root rights", hint=hint, evidence=own_words(said) or None)


def _nothing() -> None:
    pass
