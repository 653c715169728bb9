"""Hosts behind bastions, on real servers: who logs in how often, and how each failure of a bastion looks."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import asyncssh
import pytest
from typing_extensions import override

from sysfleet.errors import (
    CommandTimeout,
    ConnectionLost,
    ConnectTimeout,
    HostKeyRejected,
    LoginRejected,
    Unreachable,
)
from sysfleet.remote.access import Access
from sysfleet.remote.bastion import Bastion
from sysfleet.remote.bastions import Bastions
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.paramiko_session import ParamikoSession, connect
from sysfleet.remote.target import Hop, Target
from tests.remote.boxes import MARK
from tests.remote.servers import Server, make_key, public, server, silent_port

LIMIT = 1_000_000


@dataclass
class Site:
    """A host behind a bastion, both with servers of their own."""

    bastion: Server
    host: Server
    target: Target
    access: Access

    def connect(self, seconds: float = 30) -> ParamikoSession:
        return connect(self.target, self.access, deadline=time.monotonic() + seconds)


def said(session: ParamikoSession, program: bytes = b"echo hi", seconds: float = 30) -> bytes:
    done = session.run(program, deadline=time.monotonic() + seconds, limit_bytes=LIMIT, privileged=False)
    return done.stdout


def hop(name: str, one: Server) -> Hop:
    return Hop(name=name, address="127.0.0.1", port=one.port, user=one.user)


def behind(one: Server, *jumps: Hop) -> Target:
    return Target(name="h1", address="127.0.0.1", port=one.port, user=one.user, mark=MARK, jumps=jumps)


@contextmanager
def site(folder: Path, *options: str) -> Iterator[Site]:
    key = make_key(folder / "id")
    with server(folder / "bastion", *options) as bastion, server(folder / "host") as host:
        known = KnownHosts()
        for one in (bastion, host):
            one.authorize(key)
            known.add(one.known_hosts_line().encode(), "known_hosts")
        access = Access(known, Identities.load([key]), privilege="none", connect_timeout_s=60)
        try:
            yield Site(bastion, host, behind(host, hop("b1", bastion)), access)
        finally:
            access.close()


@pytest.fixture
def one_site(tmp_path: Path) -> Iterator[Site]:
    with site(tmp_path) as one:
        yield one


def test_a_program_runs_on_a_host_behind_a_bastion(one_site: Site) -> None:
    session = one_site.connect()
    big = b"x='" + b"y" * 3_000_000 + b"'; echo ${#x}"
    assert (said(session), said(session, big)) == (b"hi\n", b"3000000\n")
    session.close()


def test_many_who_ask_at_once_make_one_login_to_the_bastion(one_site: Site) -> None:
    def work(_: int) -> bytes:
        session = one_site.connect()
        answer = said(session)
        session.close()
        return answer

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(work, range(16))) == {b"hi\n"}
    assert (one_site.bastion.connections, one_site.host.connections) == (1, 16)


def test_a_bastion_may_stand_behind_a_bastion(one_site: Site, tmp_path: Path) -> None:
    with server(tmp_path / "inner") as inner:
        inner.authorize(tmp_path / "id")
        one_site.access.known_hosts.add(inner.known_hosts_line().encode(), "known_hosts")
        target = behind(one_site.host, hop("b1", one_site.bastion), hop("b2", inner))
        for _ in range(2):
            session = connect(target, one_site.access, deadline=time.monotonic() + 30)
            assert said(session) == b"hi\n"
            session.close()
        assert (one_site.bastion.connections, inner.connections) == (1, 1)


def test_a_bastion_with_an_unknown_host_key_is_rejected_by_name(one_site: Site) -> None:
    known = KnownHosts()
    known.add(one_site.host.known_hosts_line().encode(), "known_hosts")
    access = replace(one_site.access, known_hosts=known)
    with pytest.raises(HostKeyRejected, match=r"^bastion b1: .* is unknown"):
        connect(one_site.target, access, deadline=time.monotonic() + 30)


def test_a_bastion_that_refuses_the_login_is_asked_once_in_a_run(one_site: Site, tmp_path: Path) -> None:
    access = replace(one_site.access, identities=Identities.load([make_key(tmp_path / "other")]))
    for _ in range(3):
        with pytest.raises(LoginRejected, match=r"^bastion b1: .* may not log in") as caught:
            connect(one_site.target, access, deadline=time.monotonic() + 30)
        assert caught.value.phase == "connect"
    assert one_site.bastion.connections == 1


def test_the_host_behind_it_is_checked_as_strictly_as_any(one_site: Site) -> None:
    known = KnownHosts()
    known.add(one_site.bastion.known_hosts_line().encode(), "known_hosts")
    with pytest.raises(HostKeyRejected, match=r"^the host key of"):
        connect(one_site.target, replace(one_site.access, known_hosts=known), deadline=time.monotonic() + 30)


def test_a_bastion_whose_connection_died_is_connected_to_anew(one_site: Site) -> None:
    session = one_site.connect()
    one_site.bastion.kill()
    with pytest.raises(ConnectionLost):
        said(session)
    session.close()
    again = one_site.connect()
    assert said(again) == b"hi\n"
    again.close()
    assert one_site.bastion.connections == 2


def test_a_bastion_that_is_gone_is_tried_twice_and_then_told_at_once(one_site: Site) -> None:
    with silent_port() as port:
        pass
    gone = replace(one_site.target, jumps=(replace(one_site.target.jumps[0], port=port),))
    for _ in range(3):
        with pytest.raises(Unreachable, match=r"^bastion b1: the host refuses connections \(TCP connect, at once\)"):
            connect(gone, one_site.access, deadline=time.monotonic() + 30)


def test_a_failure_is_shared_and_the_third_is_not_tried() -> None:
    tries: list[str] = []

    def fail() -> Bastion:
        tries.append("tried")
        raise Unreachable("no way")

    bastions: Bastions[Bastion] = Bastions()
    chain = (Hop(name="b1", address="b1"),)
    for _ in range(5):
        with pytest.raises(Unreachable, match="bastion b1: no way"):
            bastions.get(chain, fail, until=time.monotonic() + 30)
    assert len(tries) == 2


def test_who_waits_for_a_bastion_waits_no_longer_than_its_own_time() -> None:
    bastions: Bastions[Bastion] = Bastions()
    chain = (Hop(name="b1", address="b1"),)
    begun, release = threading.Event(), threading.Event()

    def slowly() -> Bastion:
        begun.set()
        release.wait(30)
        raise Unreachable("no way")

    def lead() -> None:
        with pytest.raises(Unreachable):
            bastions.get(chain, slowly, until=time.monotonic() + 30)

    leader = threading.Thread(target=lead)
    leader.start()
    begun.wait(30)
    with pytest.raises(ConnectTimeout, match="bastion b1"):
        bastions.get(chain, slowly, until=time.monotonic() + 0.05)
    release.set()
    leader.join()


def test_a_host_that_the_bastion_cannot_reach_is_told_in_the_bastions_words(one_site: Site) -> None:
    with silent_port() as port:
        pass
    with pytest.raises(Unreachable, match=r"^bastion b1 cannot connect to 127\.0\.0\.1 port") as caught:
        connect(replace(one_site.target, port=port), one_site.access, deadline=time.monotonic() + 30)
    assert caught.value.evidence == "Connection refused"


def test_a_bastion_that_forwards_nothing_names_the_options_that_decide(tmp_path: Path) -> None:
    with site(tmp_path, "AllowTcpForwarding no") as one:
        with pytest.raises(Unreachable, match=r"^bastion b1 opens no channel") as caught:
            one.connect()
        assert "AllowTcpForwarding" in str(caught.value.hint)


def test_a_silent_host_behind_it_costs_its_own_time_alone(one_site: Site) -> None:
    with silent_port() as port:
        access = replace(one_site.access, connect_timeout_s=0.5)
        with pytest.raises(ConnectTimeout, match="waiting for the banner"):
            connect(replace(one_site.target, port=port), access, deadline=time.monotonic() + 30)
    session = one_site.connect()
    assert said(session) == b"hi\n"
    session.close()


def test_a_bastion_that_hangs_holds_no_host_beyond_its_deadline(one_site: Site) -> None:
    session = one_site.connect()
    access = replace(one_site.access, connect_timeout_s=0.5)
    with one_site.bastion.hanging():
        with pytest.raises(ConnectTimeout, match="bastion"):
            connect(one_site.target, access, deadline=time.monotonic() + 30)
        with pytest.raises(CommandTimeout):
            said(session, seconds=0.5)
        session.close()


def test_closing_from_another_thread_ends_a_program_behind_a_bastion(one_site: Site) -> None:
    session = one_site.connect()
    ended: list[BaseException] = []

    def work() -> None:
        try:
            said(session, b"exec sleep 20", seconds=300)
        except ConnectionLost as error:
            ended.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    session.close()
    worker.join(30)
    assert len(ended) == 1


def test_the_end_of_the_run_ends_every_bastion_and_takes_no_more(one_site: Site) -> None:
    session = one_site.connect()
    one_site.access.close()
    with pytest.raises(ConnectionLost):
        said(session)
    with pytest.raises(ConnectionLost, match="the run has ended"):
        one_site.connect()


def test_a_server_that_is_full_is_tried_again_and_the_run_says_so(one_site: Site) -> None:
    one_site.bastion.to_drop += [b"Exceeded MaxStartups\r\n"] * 2
    session = one_site.connect()
    assert said(session) == b"hi\n"
    session.close()
    assert one_site.access.bastions.notes == ("b1 hung up before its banner, as MaxStartups makes it: tried again",)


def test_a_server_that_stays_full_names_the_limit(one_site: Site) -> None:
    one_site.bastion.to_drop += [b"Exceeded MaxStartups\r\n"] * 1000
    with pytest.raises(ConnectionLost, match=r"^bastion b1: the server hung up before its banner") as caught:
        connect(one_site.target, replace(one_site.access, connect_timeout_s=1), deadline=time.monotonic() + 30)
    assert caught.value.evidence == "Exceeded MaxStartups"
    assert "MaxStartups on b1" in str(caught.value.hint)


class _Limited(asyncssh.SSHServer):
    """A bastion that passes on three connections at once, as the limit on sessions makes it on some servers."""

    def __init__(self) -> None:
        self._open = 0

    @override
    def begin_auth(self, username: str) -> bool:
        del username
        return True

    @override
    def public_key_auth_supported(self) -> bool:
        return True

    @override
    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        del username, key
        return True

    @override
    def connection_requested(self, dest_host: str, dest_port: int, orig_host: str, orig_port: int) -> Any:
        del orig_host, orig_port
        if self._open >= 3:
            raise asyncssh.ChannelOpenError(asyncssh.OPEN_ADMINISTRATIVELY_PROHIBITED, "too many")
        self._open += 1

        async def pass_on(inside: asyncssh.SSHReader[bytes], outside: asyncssh.SSHWriter[bytes]) -> None:
            reader, writer = await asyncio.open_connection(dest_host, dest_port)
            await asyncio.gather(_copy(inside, writer), _copy(reader, outside), return_exceptions=True)
            self._open -= 1

        return pass_on


async def _copy(read: Any, write: Any) -> None:
    try:
        while data := await read.read(65536):
            write.write(data)
    finally:
        write.close()


@contextmanager
def limited(key: Path) -> Iterator[int]:
    """The port of a bastion with a limit on channels."""
    loop = asyncio.new_event_loop()
    listening, stop = threading.Event(), asyncio.Event()
    ports: list[int] = []

    async def serve() -> None:
        acceptor = await asyncssh.create_server(_Limited, "127.0.0.1", 0, server_host_keys=[str(key)], encoding=None)
        ports.append(acceptor.get_port())
        listening.set()
        await stop.wait()
        acceptor.close()
        await acceptor.wait_closed()

    thread = threading.Thread(target=lambda: loop.run_until_complete(serve()))
    thread.start()
    assert listening.wait(30)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join(30)
        loop.close()


def test_hosts_wait_for_each_other_where_a_bastion_limits_its_channels(one_site: Site, tmp_path: Path) -> None:
    key = make_key(tmp_path / "limited_key")
    together = threading.Barrier(9, timeout=30)
    with limited(key) as port:
        one_site.access.known_hosts.add(f"[127.0.0.1]:{port} {public(key)}\n".encode(), "known_hosts")
        target = behind(one_site.host, replace(one_site.target.jumps[0], port=port))

        def work(_: int) -> bytes:
            together.wait()
            session = connect(target, one_site.access, deadline=time.monotonic() + 60)
            answer = said(session)
            session.close()
            return answer

        with ThreadPoolExecutor(9) as pool:
            assert list(pool.map(work, range(9))) == [b"hi\n"] * 9
        assert any("more channels at once" in note for note in one_site.access.bastions.notes)
        one_site.access.close()


def test_a_host_that_a_bastion_forbids_is_told_while_others_go_on(tmp_path: Path) -> None:
    with site(tmp_path) as one:
        one.bastion.configure(f"PermitOpen 127.0.0.1:{one.host.port}")
        session = one.connect()
        access = replace(one.access, connect_timeout_s=0.5)
        with pytest.raises(Unreachable, match=r"^bastion b1 opens no channel to 127\.0\.0\.1 port 9 besides 1 others"):
            connect(replace(one.target, port=9), access, deadline=time.monotonic() + 30)
        assert said(session) == b"hi\n"
        session.close()
