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
from sysfleet.remote.password import Password
from sysfleet.remote.target import Target
from tests.remote.boxes import MARK
from tests.remote.servers import make_key

Kind = Literal["password", "prompt"]


class _Gate(asyncssh.SSHServer):
    """Lets `me` in with one password, asked for in one of two ways."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind

    @override
    def begin_auth(self, username: str) -> bool:
        return True

    @override
    def public_key_auth_supported(self) -> bool:
        return True

    @override
    def password_auth_supported(self) -> bool:
        return self._kind == "password"

    @override
    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("me", "open sesame")

    @override
    def kbdint_auth_supported(self) -> bool:
        return self._kind == "prompt"

    @override
    def get_kbdint_challenge(
        self, username: str, lang: str, submethods: str
    ) -> tuple[str, str, str, list[tuple[str, bool]]]:
        return "", "", "en", [("Password: ", False)]

    @override
    def validate_kbdint_response(self, username: str, responses: Sequence[str]) -> bool:
        return list(responses) == ["open sesame"]


@contextmanager
def gate(kind: Kind) -> Iterator[tuple[Target, KnownHosts]]:
    key = asyncssh.generate_private_key("ssh-ed25519")
    ready: list[tuple[int, asyncio.AbstractEventLoop, asyncio.Event]] = []
    listening = threading.Event()

    async def serve() -> None:
        done = asyncio.Event()
        server = await asyncssh.create_server(lambda: _Gate(kind), "127.0.0.1", 0, server_host_keys=[key])
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


def log_in(target: Target, known: KnownHosts, password: str) -> ParamikoSession:
    return connect(target, Access(known, password=lambda _: Password(lambda: password)), deadline=time.monotonic() + 30)


@pytest.mark.parametrize("kind", ["password", "prompt"])
def test_a_password_logs_in_however_it_is_asked_for(kind: Kind) -> None:
    with gate(kind) as (target, known):
        log_in(target, known, "open sesame").close()


@pytest.mark.parametrize("kind", ["password", "prompt"])
def test_a_wrong_password_is_refused_without_being_shown(kind: Kind) -> None:
    with gate(kind) as (target, known), pytest.raises(LoginRejected) as caught:
        log_in(target, known, "close sesame")
    assert "sesame" not in f"{caught.value} {caught.value.evidence} {caught.value.hint}"


def test_a_password_is_tried_after_keys_that_were_refused(tmp_path: Path) -> None:
    identities = Identities.load([make_key(tmp_path / "one"), make_key(tmp_path / "two")])
    with gate("password") as (target, known):
        access = Access(known, identities, password=lambda _: Password(lambda: "open sesame"))
        connect(target, access, deadline=time.monotonic() + 30).close()
