"""What is special to sessions over paramiko, against a real sshd; what all kinds owe is in `test_contract`."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from sysfleet.errors import (
    HostKeyRejected,
    PrivilegeDenied,
)
from sysfleet.remote.access import Access
from sysfleet.remote.exchange import Exchange
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.paramiko_session import ParamikoSession, connect
from sysfleet.remote.password import Password
from sysfleet.remote.session import Session
from sysfleet.remote.target import Target
from tests.remote.boxes import MARK
from tests.remote.servers import Server, make_key, public, server
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


@pytest.mark.parametrize("kind", ["ed25519", "rsa", "ecdsa"])
def test_every_kind_of_key_logs_in_also_behind_a_passphrase(shared: Way, tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / "key", kind, "open sesame")
    shared.server.authorize(key)
    identities = Identities.load([key], passphrase=lambda path: "open sesame" if path == str(key) else None)
    connect(shared.target, replace(shared.access, identities=identities), deadline=soon()).close()


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


def test_a_host_whose_certificate_is_not_trusted_is_known_by_its_plain_key(tmp_path: Path) -> None:
    folder = tmp_path / "sshd"
    with way_in(folder, f"HostCertificate {folder}/host_key-cert.pub") as way:
        authority = certified(tmp_path, way.server.host_key, "-n", "127.0.0.1")
        stranger = f"@cert-authority * {public(make_key(tmp_path / 'stranger'))}\n"
        plain = way.server.known_hosts_line()
        other = f"{plain.split()[0]} {public(make_key(tmp_path / 'other'))}\n"
        for lines, problem in (
            (stranger + plain, None),
            (stranger + other, "not trusted"),
            (stranger + plain + f"@revoked * {public(way.server.host_key)}\n", "revoked"),
            (stranger + plain + f"@revoked * {public(authority)}\n", "revoked"),
        ):
            known = KnownHosts()
            known.add(lines.encode(), "trusted")
            if problem is None:
                connect(way.target, replace(way.access, known_hosts=known), deadline=soon()).close()
                continue
            with pytest.raises(HostKeyRejected, match=problem):
                connect(way.target, replace(way.access, known_hosts=known), deadline=soon())


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
