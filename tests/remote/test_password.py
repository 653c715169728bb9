"""A password shared by many hosts: proven on one before any other is given it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from typing_extensions import override

from sysfleet.remote.password import Password, PasswordOnTrial, PasswordRefused


def soon() -> float:
    return time.monotonic() + 30


class Host(threading.Thread):
    """Asks for the password, notes what it was given, and settles as it is told to."""

    def __init__(self, name: str, password: Password, settle: Callable[[Password, str], None]) -> None:
        super().__init__(name=name)
        self._password = password
        self._settle = settle
        self.given: list[str | None] = []
        self.refused: list[str] = []

    @override
    def run(self) -> None:
        try:
            self.given.append(self._password.ask(self.name, until=soon()))
        except PasswordRefused as error:
            self.refused.append(error.where)
            return
        self._settle(self._password, self.name)


def fleet(password: Password, settle: Callable[[Password, str], None], number: int = 30) -> list[Host]:
    hosts = [Host(f"web{n}", password, settle) for n in range(number)]
    for host in hosts:
        host.start()
    for host in hosts:
        host.join(30)
    return hosts


def test_a_password_that_works_is_given_to_all() -> None:
    sources: list[int] = []

    def source() -> str:
        sources.append(1)
        return "swordfish"

    hosts = fleet(Password(source), Password.worked)
    assert [host.given for host in hosts] == [["swordfish"]] * 30
    assert sources == [1]


def test_a_wrong_password_is_seen_by_one_host_and_all_others_are_told_which() -> None:
    hosts = fleet(Password(lambda: "wrong"), Password.refused)
    (tried,) = [host for host in hosts if host.given]
    assert [host.refused for host in hosts if host is not tried] == [[tried.name]] * 29


def test_an_attempt_without_a_verdict_makes_the_next_host_the_first() -> None:
    at_once: list[int] = []
    most: list[int] = []

    def undecided(password: Password, who: str) -> None:
        at_once.append(1)
        most.append(len(at_once))
        at_once.pop()
        password.undecided(who)

    hosts = fleet(Password(lambda: "swordfish"), undecided)
    assert [host.given for host in hosts] == [["swordfish"]] * 30
    assert set(most) == {1}


def test_who_waits_too_long_is_told_for_whom() -> None:
    password = Password(lambda: "swordfish")
    password.ask("web1", until=soon())
    with pytest.raises(PasswordOnTrial) as caught:
        password.ask("web2", until=time.monotonic() - 1)
    assert caught.value.where == "web1"
    assert isinstance(caught.value, TimeoutError)


def test_a_refusal_after_a_success_stops_nobody() -> None:
    password = Password(lambda: "swordfish")
    assert (password.ask("web1", until=soon()), password.proven) == ("swordfish", False)
    password.worked("web1")
    password.ask("web2", until=soon())
    password.refused("web2")
    assert (password.ask("web3", until=soon()), password.proven) == ("swordfish", True)


def test_a_source_that_has_none_keeps_nobody_waiting() -> None:
    password = Password(lambda: None)
    assert [password.ask(name, until=soon()) for name in ("web1", "web2")] == [None, None]


def test_no_representation_shows_it() -> None:
    password = Password(lambda: "swordfish")
    password.ask("web1", until=soon())
    password.refused("web1")
    with pytest.raises(PasswordRefused) as caught:
        password.ask("web2", until=soon())
    assert "swordfish" not in f"{password!r} {caught.value!r} {caught.value}"
