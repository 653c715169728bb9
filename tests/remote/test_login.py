"""Logins that OpenSSH without PAM cannot show: passwords, and passwords at the host's prompt."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

import asyncssh
import pytest
from typing_extensions import override

from sysfleet.errors import LoginRejected
from sysfleet.remote.access import Access
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.paramiko_session import ParamikoSession, connect
from sysfleet.remote.password import Password, PasswordRefused
from sysfleet.remote.target import Target
from tests.remote.boxes import MARK
from tests.remote.servers import make_key

Kind = Literal["password", "prompt", "either"]


class _Gate(asyncssh.SSHServer):
    """Lets `me` in with one password, asked for in one of two ways or in either; notes what it is given."""

    def __init__(self, kind: Kind, given: list[str], *, hangs_up: bool, prompts: Sequence[Sequence[str]]) -> None:
        self._kind = kind
        self._prompts = list(prompts)
        self._given = given
        self._hangs_up = hangs_up

    @override
    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    @override
    def begin_auth(self, username: str) -> bool:
        return True

    @override
    def public_key_auth_supported(self) -> bool:
        return True

    @override
    def password_auth_supported(self) -> bool:
        return self._kind != "prompt"

    @override
    def validate_password(self, username: str, password: str) -> bool:
        self._given.append(password)
        if self._hangs_up:
            self._connection.disconnect(2, "Too many authentication failures")
        return (username, password) == ("me", "open sesame")

    @override
    def kbdint_auth_supported(self) -> bool:
        return self._kind != "password"

    @override
    def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> tuple[str, str, str, list[tuple[str, bool]]]:
        return self._challenge()

    def _challenge(self) -> tuple[str, str, str, list[tuple[str, bool]]]:
        return "", "", "en", [(prompt, False) for prompt in self._prompts.pop(0)]

    @override
    def validate_kbdint_response(
        self, username: str, responses: Sequence[str]
    ) -> bool | tuple[str, str, str, list[tuple[str, bool]]]:
        self._given += responses
        return self._challenge() if self._prompts else list(responses) == ["open sesame"]


@contextmanager
def gate(
    kind: Kind,
    given: list[str] | None = None,
    *,
    hangs_up: bool = False,
    prompts: Sequence[Sequence[str]] = (("Password: ",),),
) -> Iterator[tuple[Target, KnownHosts]]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    ready: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = []
    listening = threading.Event()

    def make() -> _Gate:
        return _Gate(kind, [] if given is None else given, hangs_up=hangs_up, prompts=prompts)

    async def serve() -> None:
        done = asyncio.Event()
        server = await asyncssh.create_server(make, "127.0.0.1", 0, server_host_keys=[key])
        ready.append((server.get_port(), asyncio.get_running_loop(), done))
        listening.set()
        await done.wait()
        server.close()
        await server.wait_closed()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    assert listening.wait(30)
    port, loop, done = ready[0]
    known = KnownHosts()
    known.add(f"[127.0.0.1]:{port} ".encode() + key.export_public_key(), "known_hosts")
    try:
        yield Target(name="h1", address="127.0.0.1", mark=MARK, port=port, user="me"), known
    finally:
        loop.call_soon_threadsafe(done.set)
        thread.join()


def rejected() -> pytest.RaisesExc[LoginRejected]:
    return pytest.raises(LoginRejected)


def log_in(target: Target, known: KnownHosts, password: str) -> ParamikoSession:
    return connect(target, Access(known, password=lambda _: Password(lambda: password)), deadline=time.monotonic() + 30)


@pytest.mark.parametrize("kind", ["password", "prompt"])
def test_a_password_logs_in_however_it_is_asked_for(kind: Kind) -> None:
    with gate(kind) as (target, known):
        log_in(target, known, "open sesame").close()


@pytest.mark.parametrize("kind", ["password", "prompt"])
def test_a_wrong_password_is_refused_without_being_shown(kind: Kind) -> None:
    with gate(kind) as (target, known), rejected() as caught:
        log_in(target, known, "close sesame")
    assert "sesame" not in f"{caught.value} {caught.value.evidence} {caught.value.hint}"


def test_a_password_is_tried_after_keys_that_were_refused(tmp_path: Path) -> None:
    identities = Identities.load([make_key(tmp_path / "one"), make_key(tmp_path / "two")])
    with gate("password") as (target, known):
        access = Access(known, identities, password=lambda _: Password(lambda: "open sesame"))
        connect(target, access, deadline=time.monotonic() + 30).close()


def test_a_wrong_password_is_given_once_also_to_a_host_that_takes_it_in_two_ways() -> None:
    given: list[str] = []
    with gate("either", given) as (target, known), pytest.raises(LoginRejected):
        log_in(target, known, "wrong")
    assert given == ["wrong"]


def test_a_host_that_hangs_up_on_a_password_has_refused_it() -> None:
    password = Password(lambda: "wrong")
    with gate("password", hangs_up=True) as (target, known), pytest.raises(LoginRejected):
        connect(target, Access(known, password=lambda _: password), deadline=time.monotonic() + 30)
    with pytest.raises(PasswordRefused):
        password.ask("another", until=time.monotonic() + 30)


@pytest.mark.parametrize(
    "prompt",
    [
        "Password:",
        "me@new.code.example's password: ",
        "PASSWORD for me: ",
        "LDAP Password: ",
        "Passwort: ",
        "Mot de passe : ",
    ],
)
def test_the_password_answers_the_prompt_that_asks_for_it(prompt: str) -> None:
    given: list[str] = []
    with gate("prompt", given, prompts=[[prompt]]) as (target, known):
        log_in(target, known, "open sesame").close()
    assert given == ["open sesame"]


@pytest.mark.parametrize(
    "prompt",
    [
        "Verification code: ",
        "New password: ",
        "Retype new password: ",
        "(current) UNIX password: ",
        "One-time password (OATH) for `me': ",
        "Password & verification code: ",
        "Token password: ",
        "OTP password:",
        "Enter PASSCODE: ",
        "Answer: ",
        "",
    ],
)
def test_a_prompt_that_asks_for_anything_else_gets_no_answer_and_is_named(prompt: str) -> None:
    given: list[str] = []
    password = Password(lambda: "open sesame")
    with gate("prompt", given, prompts=[[prompt + "\x1b[2J"]]) as (target, known), rejected() as caught:
        connect(target, Access(known, password=lambda _: password), deadline=time.monotonic() + 30)
    assert given == []
    assert (
        f"nothing was offered; not offered: an answer to the host's prompt {prompt.strip()!r}" in caught.value.message
    )
    assert password.ask("another", until=time.monotonic() + 30) == "open sesame"


@pytest.mark.parametrize("prompts", [[["Password: ", "Password: "]], [["Password: "], ["Password: "]]])
def test_of_several_prompts_for_a_password_one_at_most_is_answered(prompts: list[list[str]]) -> None:
    given: list[str] = []
    with gate("prompt", given, prompts=prompts) as (target, known), pytest.raises(LoginRejected, match="not offered"):
        log_in(target, known, "open sesame")
    assert given in ([], ["open sesame"])


@pytest.mark.parametrize(
    ("second", "refused"), [("Verification code: ", True), ("New password: ", False), ("You said open sesame?", True)]
)
def test_a_password_after_which_more_is_asked_for_is_not_tried_everywhere(second: str, *, refused: bool) -> None:
    given: list[str] = []
    password = Password(lambda: "open sesame")
    with gate("prompt", given, prompts=[["Password: "], [second]]) as (target, known), rejected() as caught:
        connect(target, Access(known, password=lambda _: password), deadline=time.monotonic() + 30)
    assert given == ["open sesame"]
    assert "the host refused a password at the host's prompt; not offered: an answer" in caught.value.message
    assert "sesame" not in caught.value.message
    if refused:
        with pytest.raises(PasswordRefused):
            password.ask("another", until=time.monotonic() + 30)
    else:
        assert password.ask("another", until=time.monotonic() + 30) == "open sesame"


def test_a_password_that_another_host_refused_is_not_called_missing() -> None:
    password = Password(lambda: "wrong")
    password.ask("h2", until=time.monotonic() + 30)
    password.refused("h2")
    with gate("password") as (target, known), rejected() as caught:
        connect(target, Access(known, password=lambda _: password), deadline=time.monotonic() + 30)
    assert "nothing was offered; not offered: a password that h2 has refused" in caught.value.message
    assert "neither" not in caught.value.message
