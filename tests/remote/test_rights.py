"""Which ways to root are tried, in which order, and what becomes of the password; the host is a table of answers."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

import pytest
from typing_extensions import override

from sysfleet.errors import ConnectionLost, PrivilegeDenied
from sysfleet.remote.access import Access
from sysfleet.remote.dialogue import Turn
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.password import TRIAL_S, Password, PasswordRefused
from sysfleet.remote.privilege import Method
from sysfleet.remote.rights import Attempt, Refused, Rights
from sysfleet.remote.session import Completed
from sysfleet.remote.target import Target

DONE = Completed(0, b"0\n", b"", 0.0)
PROMPT, READY = b"sysfleet%secret:", b"sysfleet-ready\n"


@dataclass
class Host:
    """Answers by how it is asked: `-n`, `asks`, `-n in a terminal`, `asks in a terminal`."""

    answers: dict[str, str | None]
    tried: list[str] = field(default_factory=list)
    given: list[bytes] = field(default_factory=list)

    def carry(self, attempt: Attempt) -> Completed | Refused:
        asks = " -n " not in attempt.command
        how = ("asks" if asks else "-n") + (" in a terminal" if attempt.in_terminal else "")
        self.tried.append(how)
        words = self.answers[how]
        if asks and attempt.dialogue is not None:
            assert attempt.dialogue.next(b"", PROMPT) is Turn.ANSWER
            self.given.append(attempt.dialogue.answer())
        if words == "lost":
            raise ConnectionLost("gone")
        if words is not None:
            return Refused(f"sysfleet-asks\n{words}\n".encode())
        if attempt.dialogue is not None:
            attempt.dialogue.next(READY, PROMPT if asks else b"")
        return DONE


NEEDS = "sudo: a password is required"
TTY = "sudo: sorry, you must have a tty to run sudo"
PLAIN = Host({"-n": None})
ASKING = Host({"-n": NEEDS, "asks": None})
SEATED = Host({"-n": TTY, "-n in a terminal": NEEDS, "asks": TTY, "asks in a terminal": None})


def again(host: Host) -> Host:
    return Host(host.answers)


def access(password: Password | None, method: Method = "sudo") -> Access:
    return Access(KnownHosts(), privilege=method, privilege_password=lambda _: password)


def run(host: Host, shared: Access, name: str = "web1", *, user: str = "ops") -> Completed:
    target = Target(name=name, address="127.0.0.1", mark="0" * 32, user=user)
    return Rights(shared, target).run(host.carry, deadline=time.monotonic() + 60)


def secret(text: str = "swordfish") -> Password:
    return Password(lambda: text)


@pytest.mark.parametrize(
    ("host", "tried"),
    [
        (PLAIN, ["-n"]),
        (ASKING, ["-n", "asks"]),
        (SEATED, ["-n", "-n in a terminal", "asks in a terminal"]),
    ],
)
def test_what_asks_least_is_tried_first(host: Host, tried: list[str]) -> None:
    one = again(host)
    assert run(one, access(secret())) is DONE
    assert one.tried == tried


def test_what_was_found_out_is_remembered_for_the_run_and_the_host() -> None:
    shared, seated = access(secret()), again(SEATED)
    run(seated, shared)
    run(seated, shared)
    assert seated.tried[3:] == ["asks in a terminal"]
    other = again(ASKING)
    run(other, shared, "web2")
    assert other.tried == ["asks"]


def test_a_host_that_wants_none_is_given_none_and_proves_nothing() -> None:
    password, host = secret(), again(PLAIN)
    run(host, access(password))
    assert (host.given, password.proven) == ([], False)


@pytest.mark.parametrize(("method", "user"), [("none", "ops"), ("auto", "root")])
def test_who_needs_nobody_is_never_asked(method: Method, user: str) -> None:
    tried: list[Attempt] = []

    def carry(attempt: Attempt) -> Completed:
        tried.append(attempt)
        return DONE

    password = secret()
    password.worked("elsewhere")
    target = Target(name="web1", address="127.0.0.1", mark="0" * 32, user=user)
    Rights(access(password, method), target).run(carry, deadline=time.monotonic() + 60)
    assert [attempt.dialogue for attempt in tried] == [None]


def refused(words: str) -> Callable[[Password], str]:
    """What the next host is told, after one said these words on being given the password."""

    def told(password: Password) -> str:
        host = Host({"-n": NEEDS, "asks": words})
        with pytest.raises((PrivilegeDenied, ConnectionLost)):
            run(host, access(password))
        try:
            password.ask("web2", until=time.monotonic())
        except PasswordRefused as error:
            return f"refused by {error.where}"
        return "proven" if password.proven else "to be tried"

    return told


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("Sorry, try again.", "refused by web1"),
        ("sudo: 3 incorrect password attempts", "refused by web1"),
        ("sudo: something nobody has heard of", "refused by web1"),
        ("ops is not in the sudoers file.", "proven"),
        ("lost", "to be tried"),
    ],
)
def test_the_end_of_an_attempt_says_whether_others_may_have_the_password(words: str, told: str) -> None:
    assert refused(words)(secret()) == told


def test_only_a_first_attempt_has_a_time_of_its_own() -> None:
    untils: list[float] = []

    class Timed(Host):
        @override
        def carry(self, attempt: Attempt) -> Completed | Refused:
            untils.append(attempt.until - time.monotonic())
            return super().carry(attempt)

    shared = access(secret())
    run(Timed(ASKING.answers), shared)
    run(Timed(ASKING.answers), shared)
    at_first, trial, proven = untils
    assert trial <= TRIAL_S < min(at_first, proven)


def test_a_host_that_takes_another_password_is_told_so() -> None:
    password = secret()
    password.worked("web1")
    with pytest.raises(PrivilegeDenied) as caught:
        run(Host({"asks": "Sorry, try again."}), access(password), "web2")
    assert "other hosts take this password" in (caught.value.hint or "")


def test_the_row_of_a_host_that_repeats_the_password_does_not_hold_it() -> None:
    with pytest.raises(PrivilegeDenied) as caught:
        run(Host({"-n": NEEDS, "asks": "sudo: swordfish is wrong"}), access(secret()))
    assert caught.value.evidence == "sudo: *** is wrong"
