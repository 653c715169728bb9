"""Logs in over a transport that is up: each identity in turn, then the password, within one limit of time.

Knows no host keys and no programs; a refusal is LoginRejected that says what was offered.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence

from paramiko.auth_handler import AuthHandler
from paramiko.message import Message
from paramiko.ssh_exception import BadAuthenticationType, PartialAuthentication
from paramiko.transport import Transport

from sysfleet.errors import ConnectTimeout, LoginRejected
from sysfleet.remote.evidence import clean
from sysfleet.remote.keys import Identities, Identity
from sysfleet.remote.login_prompts import asks_for_change, asks_for_password
from sysfleet.remote.password import Password, PasswordOnTrial, PasswordRefused

_HINT = "check the user and the key: ssh -v with the same ones tells more"
# OpenSSH hangs up after six by default; the password counts too.
MAX_KEYS = 5
_TAKES_NONE = "a password: the host takes none"


def log_in(
    transport: Transport,
    user: str,
    identities: Identities,
    password: Password | None,
    *,
    who: str,
    until: float,
) -> None:
    """Prove who we are by `until` (time.monotonic); raises LoginRejected, ConnectTimeout or foreign.

    `who` is the server's name for the password, which is proven on one before any other is given it.
    """
    attempts = _Attempts(transport, until)
    keys = identities.offered(user)
    for at, identity in enumerate(keys[:MAX_KEYS]):
        if not attempts.may("publickey"):
            attempts.left_out(f"{_named(keys[at:])}: the host takes no further key")
            break
        if attempts.key(user, identity):
            identities.worked(user, identity)
            return
    else:
        if len(keys) > MAX_KEYS:
            attempts.left_out(f"{_named(keys[MAX_KEYS:])}: hosts hang up after too many keys")
    if password is not None and _by_password(attempts, user, password, who, until):
        return
    for what in identities.left_out:
        attempts.left_out(what)
    raise LoginRejected(
        f"{user} may not log in: {attempts.story()}", phase="connect", hint=_HINT, evidence=attempts.allowed_text()
    )


def _named(keys: Sequence[Identity]) -> str:
    names = ", ".join(key.origin for key in keys[:3])
    return names if len(keys) <= 3 else f"{names} and {len(keys) - 3} more keys"


def _takes_passwords(attempts: _Attempts) -> bool:
    return attempts.may("password") or attempts.may("keyboard-interactive")


def _by_password(attempts: _Attempts, user: str, password: Password, who: str, until: float) -> bool:
    if not _takes_passwords(attempts):
        attempts.left_out(_TAKES_NONE)
        return False
    try:
        secret = password.ask(who, until=until)
    except PasswordRefused as refused:
        attempts.left_out(f"a password that {refused.where} has refused")
        return False
    except PasswordOnTrial as trial:
        attempts.left_out(f"a password that {trial.where} has not taken yet")
        return False
    if secret is None:
        return False
    settle: Callable[[str], None] = password.undecided
    try:
        took = attempts.may("password") and attempts.password(user, secret)
        # A host that still takes passwords has judged this one, and would count it twice.
        if not took and not attempts.may("password") and attempts.may("keyboard-interactive"):
            took = attempts.interactive(user, secret)
        if not took and not _takes_passwords(attempts):
            attempts.left_out(_TAKES_NONE)
        settle = password.worked if took else attempts.verdict(password)
        return took
    except LoginRejected:
        settle = password.refused  # it hung up: that was one attempt too many
        raise
    finally:
        settle(who)


class _Again(AuthHandler):
    """A further attempt: the service was asked for with the first, and some servers hang up when asked twice."""

    def _request_auth(self) -> None:
        accepted = Message()
        accepted.add_string("ssh-userauth")
        accepted.rewind()
        # What the answer to that request would set off; the stubs leave it out.
        self._parse_service_accept(accepted)  # type: ignore[attr-defined]


class _NotAnswered(Exception):
    """Ends the connection out of the library's thread: no answer at all is the only one that counts as none."""


class _Asked:
    """One conversation of prompts: whether the password was given in it, and which prompt got no answer."""

    def __init__(self, secret: str = "") -> None:
        self._secret = secret
        self.given = False
        self.refused: str | None = None

    def answer(self, _title: str, _words: str, prompts: Sequence[tuple[str, bool]]) -> list[str]:
        """The answers to some prompts, of which at most the first of all may ask for the password."""
        answers: list[str] = []
        for prompt, shown in prompts:
            if shown or self.given or answers or not asks_for_password(prompt):
                self.refused = prompt
                raise _NotAnswered
            answers.append(self._secret)
        self.given = self.given or bool(answers)
        return answers


class _Attempts:
    def __init__(self, transport: Transport, until: float) -> None:
        self._transport = transport
        self._until = until
        self._allowed: set[str] | None = None
        self._begun = False
        self._offered: list[str] = []
        self._left_out: list[str] = []
        self._asked = _Asked()

    def left_out(self, what: str) -> None:
        """Note what was there and not offered."""
        self._left_out.append(what)

    def may(self, method: str) -> bool:
        """Whether the host has not said yet that this method leads nowhere."""
        return self._allowed is None or method in self._allowed

    def key(self, user: str, identity: Identity) -> bool:
        """Offer one key."""
        return self._one(
            "publickey",
            identity.origin,
            lambda handler, event: handler.auth_publickey(user, identity.key, event),
        )

    def password(self, user: str, secret: str) -> bool:
        """Send the password."""
        return self._one("password", "a password", lambda handler, event: handler.auth_password(user, secret, event))

    def interactive(self, user: str, secret: str) -> bool:
        """Answer the one prompt that asks for the password; any other ends the login, told as not answered."""
        asked = self._asked = _Asked(secret)
        took = self._one(
            "keyboard-interactive",
            "a password at the host's prompt",
            lambda handler, event: handler.auth_interactive(user, asked.answer, event, ""),
        )
        if not asked.given and not took:
            self._offered.pop()
        if asked.refused is not None:
            words = clean(asked.refused.replace(secret, "…"), limit=120)
            self.left_out(f"an answer to the host's prompt {words!r}: it does not ask for the password")
        return took

    def verdict(self, password: Password) -> Callable[[str], None]:
        """What a login that failed says of the password: nothing, where the host asked for something else."""
        asked = self._asked
        if asked.refused is not None and (not asked.given or asks_for_change(asked.refused)):
            return password.undecided
        return password.refused

    def _one(self, method: str, name: str, attempt: Callable[[AuthHandler, threading.Event], object]) -> bool:
        handler = _Again(self._transport) if self._begun else AuthHandler(self._transport)
        self._begun = True
        self._offered.append(name)
        self._transport.auth_handler = handler
        answered = threading.Event()
        attempt(handler, answered)
        return self._concluded(method, answered)

    def story(self) -> str:
        """What was offered, for people."""
        left = "".join(f"; not offered: {what}" for what in self._left_out)
        if not self._offered:
            return "nothing was offered" + left if left else "there is neither key nor password to offer"
        return "the host refused " + ", ".join(self._offered) + left

    def allowed_text(self) -> str | None:
        """What the host would take, in its words."""
        return None if self._allowed is None else clean("the host takes: " + ", ".join(sorted(self._allowed)))

    def _concluded(self, method: str, answered: threading.Event) -> bool:
        if not answered.wait(max(0.0, self._until - time.monotonic())):
            raise ConnectTimeout("the host does not answer the login in time", phase="connect")
        if self._transport.is_authenticated():
            return True
        error = self._transport.get_exception()
        if isinstance(error, (BadAuthenticationType, PartialAuthentication)):
            partial = isinstance(error, PartialAuthentication)
            self._allowed = set(error.allowed_types) - ({method} if partial and method == "publickey" else set())
            if partial:
                self._offered[-1] += " (which it takes, and wants more)"
            elif method == "password" and not self.may(method):
                self._offered.pop()  # it takes none in this way, and has judged nothing
        elif not self._transport.is_active() and not isinstance(error, _NotAnswered):
            raise self._lost(error)
        return False

    def _lost(self, error: Exception | None) -> Exception:
        if error is None or isinstance(error, EOFError):
            return LoginRejected(f"the host hung up during the login: {self.story()}", phase="connect", hint=_HINT)
        return error
