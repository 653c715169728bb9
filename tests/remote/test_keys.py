"""Identities: key files, certificates and agent keys, and what is said of those that cannot be used."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from sysfleet.errors import SetupError
from sysfleet.remote.keys import Identities
from sysfleet.remote.paramiko_session import connect
from tests.remote.servers import make_key, public
from tests.remote.test_session import soon, way_in
from tests.support.needs import needs


@contextmanager
def agent(folder: Path, *keys: Path) -> Iterator[str]:
    path = folder / "agent"
    with subprocess.Popen(
        [needs("ssh-agent"), "-D", "-a", str(path)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        for key in keys:
            subprocess.run(
                [needs("ssh-add"), "-q", str(key)],
                check=True,
                env={**os.environ, "SSH_AUTH_SOCK": str(path)},
                capture_output=True,
            )
        yield str(path)
        process.terminate()


def certify(authority: Path, key: Path, name: str) -> None:
    subprocess.run(
        [needs("ssh-keygen"), "-q", "-s", str(authority), "-I", "test", "-n", name, f"{key}.pub"], check=True
    )


def test_a_missing_file_is_a_setup_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="No such file") as caught:
        Identities.load([tmp_path / "missing"])
    assert caught.value.hint


def test_a_passphrase_that_nobody_gives_is_asked_for_by_name(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", passphrase="secret")
    with pytest.raises(SetupError, match=f"{key} needs a passphrase"):
        Identities.load([key])


def test_a_wrong_passphrase_is_told(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key", passphrase="secret")
    with pytest.raises(SetupError, match="is not accepted"):
        Identities.load([key], passphrase=lambda _: "wrong")


@pytest.mark.parametrize("content", ["", "nonsense", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END"])
def test_what_is_no_key_is_told(tmp_path: Path, content: str) -> None:
    (tmp_path / "key").write_text(content)
    with pytest.raises(SetupError) as caught:
        Identities.load([tmp_path / "key"])
    assert caught.value.hint


def test_an_rsa_key_in_the_old_format_is_read(tmp_path: Path) -> None:
    make_key(tmp_path / "key", "rsa")
    subprocess.run(
        [needs("ssh-keygen"), "-q", "-p", "-m", "PEM", "-N", "", "-f", str(tmp_path / "key")],
        check=True,
        capture_output=True,
    )
    assert "BEGIN RSA" in (tmp_path / "key").read_text()
    assert len(Identities.load([tmp_path / "key"]).keys) == 1


def test_a_certificate_beside_the_key_logs_in_where_the_key_alone_does_not(tmp_path: Path) -> None:
    authority = make_key(tmp_path / "authority")
    (tmp_path / "authorities").write_text(public(authority) + "\n")
    with way_in(tmp_path / "sshd", f"TrustedUserCAKeys {tmp_path / 'authorities'}") as way:
        key = make_key(tmp_path / "key", "rsa")
        certify(authority, key, way.server.user)
        identities = Identities.load([key])
        assert [one.origin for one in identities.keys] == [f"{key}-cert.pub", str(key)]
        connect(way.target, replace(way.access, identities=identities), deadline=soon()).close()


def test_keys_of_an_agent_log_in_from_many_threads_at_once(tmp_path: Path) -> None:
    rsa, ed25519 = make_key(tmp_path / "rsa", "rsa"), make_key(tmp_path / "ed25519")
    with way_in(tmp_path / "sshd") as way, agent(tmp_path, rsa, ed25519) as path:
        way.server.authorize(rsa)
        identities = Identities.load(agent_socket=path)
        assert len(identities.keys) == 2
        failures: list[BaseException] = []

        def log_in() -> None:
            try:
                connect(way.target, replace(way.access, identities=identities), deadline=soon()).close()
            except BaseException as error:  # noqa: BLE001 - a thread's failure is the test's
                failures.append(error)

        threads = [threading.Thread(target=log_in) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        identities.close()
        assert failures == []


def test_a_certificate_in_an_agent_logs_in(tmp_path: Path) -> None:
    authority, key = make_key(tmp_path / "authority"), make_key(tmp_path / "key")
    (tmp_path / "authorities").write_text(public(authority) + "\n")
    with way_in(tmp_path / "sshd", f"TrustedUserCAKeys {tmp_path / 'authorities'}") as way:
        certify(authority, key, way.server.user)
        with agent(tmp_path, key) as path:
            identities = Identities.load(agent_socket=path)
            connect(way.target, replace(way.access, identities=identities), deadline=soon()).close()
            identities.close()


def test_a_key_that_the_agent_holds_too_is_offered_once(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    with agent(tmp_path, key) as path:
        identities = Identities.load([key], agent_socket=path)
        assert [one.origin for one in identities.keys] == [str(key)]
        identities.close()


def test_the_key_that_one_host_took_is_offered_first_to_the_next(tmp_path: Path) -> None:
    wrong, right = make_key(tmp_path / "wrong"), make_key(tmp_path / "right")
    with way_in(tmp_path / "sshd") as way:
        way.server.authorize(right)
        identities = Identities.load([wrong, right])
        assert [one.origin for one in identities.offered("me")] == [str(wrong), str(right)]
        connect(way.target, replace(way.access, identities=identities), deadline=soon()).close()
        assert [one.origin for one in identities.offered(way.server.user)] == [str(right), str(wrong)]


def test_an_agent_that_is_not_there_is_a_setup_error(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="cannot reach the ssh-agent"):
        Identities.load(agent_socket=str(tmp_path / "nobody"))
