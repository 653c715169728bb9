"""Sessions against a real sshd: what comes back, and how each failure looks."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sysfleet.errors import (
    CommandFailed,
    CommandTimeout,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    HostKeyRejected,
    LoginRejected,
    PrivilegeDenied,
    Unreachable,
)
from sysfleet.remote.access import Access
from sysfleet.remote.exchange import Exchange
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.paramiko_session import ParamikoSession, connect
from sysfleet.remote.password import Password
from sysfleet.remote.programs.reading import ReadRequest, parse_reading, read_program
from sysfleet.remote.session import Session
from sysfleet.remote.target import Target
from sysfleet.sysctl.key import Key
from tests.remote.boxes import MARK
from tests.remote.servers import Server, make_key, public, server, silent_port
from tests.support.needs import needs

LIMIT = 50_000_000


@dataclass
class Way:
    """A server, and the way in."""

    server: Server
    target: Target
    access: Access

    def connect(self) -> ParamikoSession:
        return connect(self.target, self.access, deadline=soon())


def soon(seconds: float = 30) -> float:
    return time.monotonic() + seconds


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    with way_in(tmp_path_factory.mktemp("sshd")) as one:
        yield one


class way_in:  # noqa: N801 - a context manager
    def __init__(self, folder: Path, *options: str) -> None:
        self._server = server(folder, *options)
        self._folder = folder

    def __enter__(self) -> Way:
        one = self._server.__enter__()
        key = make_key(self._folder / "id")
        one.authorize(key)
        known = KnownHosts()
        known.add(one.known_hosts_line().encode(), "known_hosts")
        access = Access(known, Identities.load([key]), privilege="none")
        return Way(one, Target(name="h1", address="127.0.0.1", mark=MARK, port=one.port, user=one.user), access)

    def __exit__(self, *error: object) -> None:
        self._server.__exit__(None, None, None)


@pytest.fixture
def session(shared: Way) -> Iterator[ParamikoSession]:
    one = shared.connect()
    yield one
    one.close()


def run(session: Session, program: bytes, *, seconds: float = 30, limit_bytes: int = LIMIT) -> tuple[int, bytes, bytes]:
    done = session.run(program, deadline=soon(seconds), limit_bytes=limit_bytes, privileged=False)
    return done.status, done.stdout, done.stderr


def test_output_error_output_and_status_come_back(session: ParamikoSession) -> None:
    assert run(session, b"echo out; echo error >&2; exit 3") == (3, b"out\n", b"error\n")


def test_one_connection_runs_several_programs(session: ParamikoSession) -> None:
    assert [run(session, b"echo %d" % number)[1] for number in range(3)] == [b"0\n", b"1\n", b"2\n"]


def test_bytes_of_every_value_come_back_as_they_are(session: ParamikoSession) -> None:
    every = bytes(range(1, 256))
    program = b"printf '%s' '" + every.replace(b"'", b"'\\''") + b"'"
    assert run(session, program)[:2] == (0, every)


def test_a_host_is_read_over_ssh(session: ParamikoSession) -> None:
    key = Key("net.ipv4.ip_forward")
    reading = parse_reading(run(session, read_program(ReadRequest((key,))))[1])
    assert reading.text(key) == Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    assert reading.facts.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_a_program_and_an_output_larger_than_every_window_pass(session: ParamikoSession) -> None:
    size = 3_000_000
    program = b"x='" + b"y" * size + b"'; printf '%s' \"$x\"; printf '%s' \"$x\" >&2"
    status, out, error = run(session, program)
    assert (status, len(out), len(error)) == (0, size, size)


def test_a_host_that_answers_while_it_is_written_to_makes_nobody_wait_for_ever(shared: Way) -> None:
    one = shared.connect()
    data = b"0123456789abcdef" * 500_000
    exchange = Exchange(one._transport.open_session(), deadline=soon(), limit_bytes=LIMIT)
    exchange.run("tee /dev/stderr", data)
    one.close()
    assert exchange.stdout == data
    assert exchange.stderr == data


def test_output_beyond_the_limit_is_a_failure_and_ends_the_connection(session: ParamikoSession) -> None:
    with pytest.raises(CommandFailed, match="more than 100000 bytes"):
        run(session, b"while :; do echo flood; done", limit_bytes=100_000)
    with pytest.raises(ConnectionLost):
        run(session, b"echo still there")


def test_a_program_beyond_its_deadline_is_a_timeout_and_ends_the_connection(session: ParamikoSession) -> None:
    with pytest.raises(CommandTimeout) as caught:
        run(session, b"exec sleep 20", seconds=0.7)
    assert isinstance(caught.value, TimeoutError)
    with pytest.raises(ConnectionLost):
        run(session, b"echo still there")


def test_closing_from_another_thread_ends_a_running_program_at_once(shared: Way) -> None:
    one = shared.connect()
    ended: list[BaseException] = []

    def work() -> None:
        try:
            run(one, b"echo started >&2; exec sleep 20", seconds=300)
        except ConnectionLost as error:
            ended.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    one.close()
    worker.join(30)
    assert not worker.is_alive()
    assert len(ended) == 1


def test_a_server_that_dies_in_the_middle_is_a_lost_connection(tmp_path: Path) -> None:
    with way_in(tmp_path) as way:
        one = way.connect()
        started = tmp_path / "started"

        def kill() -> None:
            _wait_for(started)
            way.server.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(ConnectionLost):
            run(one, f"echo >{started}; exec sleep 20".encode())
        killer.join()
        one.close()


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists() and time.monotonic() < end:
        threading.Event().wait(0.01)


def test_a_program_that_is_killed_on_the_host_says_so(session: ParamikoSession) -> None:
    with pytest.raises(CommandFailed) as caught:
        run(session, b"echo half; kill -9 $$")
    assert caught.value.evidence is None or "half" in caught.value.evidence


def test_a_process_left_behind_does_not_hold_the_answer_up(session: ParamikoSession) -> None:
    assert run(session, b"sleep 20 & echo done", seconds=15)[:2] == (0, b"done\n")


def test_a_shell_that_is_none_is_told_in_its_own_words(tmp_path: Path) -> None:
    with way_in(tmp_path, "ForceCommand echo this account is not available; exit 1") as way:
        one = way.connect()
        with pytest.raises(CommandFailed) as caught:
            run(one, b"echo hi")
        one.close()
    assert caught.value.evidence == "this account is not available"


def test_a_host_that_chats_before_and_after_is_understood(tmp_path: Path) -> None:
    noisy = 'ForceCommand printf "\\033[31mWelcome"; eval "$SSH_ORIGINAL_COMMAND"; echo bye'
    with way_in(tmp_path, noisy) as way:
        one = way.connect()
        assert run(one, b"echo hi")[:2] == (0, b"hi\n")
        one.close()


def test_an_unknown_host_key_is_rejected_before_any_login(shared: Way) -> None:
    with pytest.raises(HostKeyRejected) as caught:
        connect(shared.target, replace(shared.access, known_hosts=KnownHosts()), deadline=soon())
    assert "unknown" in caught.value.message
    assert "SHA256:" in caught.value.message


def test_another_host_key_than_the_known_one_is_rejected_with_both_fingerprints(shared: Way, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    known = KnownHosts()
    known.add(f"# first\n[127.0.0.1]:{shared.target.port} {public(other)}\n".encode(), "trusted")
    with pytest.raises(HostKeyRejected) as caught:
        connect(shared.target, replace(shared.access, known_hosts=known), deadline=soon())
    assert caught.value.message.count("SHA256:") == 2
    assert "trusted:2" in caught.value.message


def test_a_host_without_a_key_of_the_known_type_is_rejected(shared: Way, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other", "rsa")
    known = KnownHosts()
    known.add(f"[127.0.0.1]:{shared.target.port} {public(other)}\n".encode(), "trusted")
    with pytest.raises(HostKeyRejected, match="no key of the types"):
        connect(shared.target, replace(shared.access, known_hosts=known), deadline=soon())


def test_a_host_may_be_known_by_its_name_in_the_inventory(shared: Way) -> None:
    known = KnownHosts()
    known.add(f"[h1]:{shared.target.port} {public(shared.server.host_key)}\n".encode(), "trusted")
    connect(shared.target, replace(shared.access, known_hosts=known), deadline=soon()).close()


def test_a_key_that_the_host_does_not_take_is_a_refused_login(shared: Way, tmp_path: Path) -> None:
    stranger = Identities.load([make_key(tmp_path / "stranger")])
    with pytest.raises(LoginRejected) as caught:
        connect(shared.target, replace(shared.access, identities=stranger), deadline=soon())
    assert str(tmp_path / "stranger") in caught.value.message


def test_with_nothing_to_offer_the_login_is_refused_and_says_so(shared: Way) -> None:
    with pytest.raises(LoginRejected, match="neither key nor password"):
        connect(shared.target, replace(shared.access, identities=Identities()), deadline=soon())


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_every_kind_of_key_logs_in_also_behind_a_passphrase(shared: Way, tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / "key", kind, "open sesame")
    shared.server.authorize(key)
    identities = Identities.load([key], passphrase=lambda path: "open sesame" if path == str(key) else None)
    connect(shared.target, replace(shared.access, identities=identities), deadline=soon()).close()


def test_a_closed_port_is_unreachable(shared: Way) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match="refuses connections"):
        connect(replace(shared.target, port=port), shared.access, deadline=soon())


def test_a_name_that_does_not_resolve_is_unreachable(shared: Way) -> None:
    with pytest.raises(Unreachable, match="name"):
        connect(replace(shared.target, address="no.such.host.invalid"), shared.access, deadline=soon())


def test_a_host_that_says_nothing_is_a_timeout(shared: Way) -> None:
    access = replace(shared.access, connect_timeout_s=0.3)
    with silent_port() as port, pytest.raises(ConnectTimeout) as caught:
        connect(replace(shared.target, port=port), access, deadline=soon())
    assert isinstance(caught.value, TimeoutError)


def test_the_deadline_of_the_host_ends_the_connecting_too(shared: Way) -> None:
    with silent_port() as port, pytest.raises(ConnectTimeout):
        connect(replace(shared.target, port=port), shared.access, deadline=soon(0.3))


def test_what_is_no_ssh_server_is_a_connect_error(shared: Way) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n" * 200)

        thread = threading.Thread(target=answer)
        thread.start()
        port = listener.getsockname()[1]
        with pytest.raises(ConnectError):
            connect(replace(shared.target, port=port), shared.access, deadline=soon(10))
        thread.join()


SUDO = """#!/bin/sh
# Stands for sudo: asks for the password three times, reading standard input byte by byte as sudo does.
case $1 in -n) echo 'sudo: a password is required' >&2; exit 1;; esac
while [ "$1" != -- ]; do
    case $1 in -p) prompt=$(printf '%s' "$2" | sed 's/%%/%/');; esac
    shift
done
shift
for try in 1 2 3; do
    printf '%s' "$prompt" >&2
    IFS= read -r given || { echo 'sudo: no password was provided' >&2; exit 1; }
    if [ "$given" = "open sesame" ]; then exec "$@"; fi
    echo "tried" >>LOG
    echo 'Sorry, try again.' >&2
done
echo 'sudo: 3 incorrect password attempts' >&2
exit 1
"""


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[tuple[Way, Path]]:
    log = tmp_path / "log-of-sudo"
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "sudo").write_text(SUDO.replace("LOG", str(log)))
    (programs / "sudo").chmod(0o755)
    with way_in(tmp_path / "sshd", f"SetEnv PATH={programs}:/usr/sbin:/usr/bin:/sbin:/bin") as way:
        yield replace(way, access=replace(way.access, privilege="sudo")), log


def privileged(way: Way, password: str | None) -> bytes:
    access = replace(way.access, privilege_password=lambda _: Password(lambda: password))
    one = connect(way.target, access, deadline=soon())
    try:
        return one.run(b"echo as root", deadline=soon(), limit_bytes=LIMIT, privileged=True).stdout
    finally:
        one.close()


def test_a_password_for_root_rights_goes_before_the_program(asking: tuple[Way, Path]) -> None:
    assert privileged(asking[0], "open sesame") == b"as root\n"


def test_a_wrong_password_is_tried_once_and_denied(asking: tuple[Way, Path]) -> None:
    way, log = asking
    with pytest.raises(PrivilegeDenied) as caught:
        privileged(way, "wrong")
    assert "Sorry, try again." in (caught.value.evidence or "")
    assert log.read_text() == "tried\n"


def test_rights_that_need_a_password_nobody_gave_are_denied(asking: tuple[Way, Path]) -> None:
    with pytest.raises(PrivilegeDenied) as caught:
        privileged(asking[0], None)
    assert caught.value.evidence == "sudo: a password is required"


def certified(folder: Path, server_key: Path, *options: str) -> Path:
    """Have an authority vouch for the server's key; the authority's key."""
    authority = make_key(folder / "authority")
    subprocess.run(
        [needs("ssh-keygen"), "-q", "-s", str(authority), "-I", "host", "-h", *options, f"{server_key}.pub"], check=True
    )
    return authority


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["-n", "127.0.0.1,other"], None),
        (["-n", "127.*"], None),
        (["-n", "10.0.0.1"], "not for this name"),
        ([], "not for this name"),
        (["-n", "127.0.0.1", "-V", "20010101:20020101"], "not valid at this time"),
    ],
)
def test_a_host_may_be_known_by_an_authority(tmp_path: Path, options: list[str], problem: str | None) -> None:
    folder = tmp_path / "sshd"
    with way_in(folder, f"HostCertificate {folder}/host_key-cert.pub") as way:
        authority = certified(tmp_path, way.server.host_key, *options)
        known = KnownHosts()
        known.add(f"@cert-authority * {public(authority)}\n".encode(), "trusted")
        access = replace(way.access, known_hosts=known)
        if problem is None:
            connect(way.target, access, deadline=soon()).close()
            return
        with pytest.raises(HostKeyRejected, match=problem):
            connect(way.target, access, deadline=soon())


def test_a_certificate_of_another_authority_or_of_a_revoked_one_is_rejected(tmp_path: Path) -> None:
    folder = tmp_path / "sshd"
    with way_in(folder, f"HostCertificate {folder}/host_key-cert.pub") as way:
        authority = certified(tmp_path, way.server.host_key, "-n", "127.0.0.1")
        stranger = make_key(tmp_path / "stranger")
        for lines, problem in (
            (f"@cert-authority * {public(stranger)}\n", "not trusted"),
            (f"@cert-authority * {public(authority)}\n@revoked * {public(authority)}\n", "revoked"),
        ):
            known = KnownHosts()
            known.add(lines.encode(), "trusted")
            with pytest.raises(HostKeyRejected, match=problem):
                connect(way.target, replace(way.access, known_hosts=known), deadline=soon())
