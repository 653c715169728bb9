"""Identities: key files, certificates and agent keys, and what is said of those that cannot be used."""

from __future__ import annotations

import base64
import os
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization

from sysfleet.errors import LoginRejected, SetupError
from sysfleet.remote.keys import Identities, Keyring
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
        environ = {**os.environ, "SSH_AUTH_SOCK": str(path)}
        try:
            for key in keys:
                subprocess.run([needs("ssh-add"), "-q", str(key)], check=True, env=environ, capture_output=True)
            yield str(path)
        finally:
            process.terminate()


def certify(authority: Path, key: Path, name: str) -> None:
    subprocess.run(
        [needs("ssh-keygen"), "-q", "-s", str(authority), "-I", "test", "-n", name, f"{key}.pub"], check=True
    )


def test_a_missing_file_is_a_setup_error_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="No such file") as caught:
        Identities.load([tmp_path / "missing"])
    assert caught.value.hint


def test_a_locked_key_is_left_out_and_the_refused_login_names_it(tmp_path: Path) -> None:
    locked, other = make_key(tmp_path / "locked", passphrase="secret"), make_key(tmp_path / "other")
    with way_in(tmp_path / "sshd") as way:
        for secret, words in ((None, "needs a passphrase"), ("wrong", "its passphrase is not accepted")):
            identities = Identities.load([locked, other], passphrase={str(locked): secret}.get)
            with pytest.raises(LoginRejected) as caught:
                connect(way.target, replace(way.access, identities=identities), deadline=soon())
            assert f"refused {other}; not offered: {locked} ({words})" in caught.value.message


def test_a_locked_key_that_the_agent_holds_is_offered_and_not_missed(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    with agent(tmp_path, key) as path:
        subprocess.run([needs("ssh-keygen"), "-q", "-p", "-N", "secret", "-f", str(key)], check=True)
        identities = Identities.load([key], agent_socket=path)
        assert [one.key.asbytes() for one in identities.keys] == [_blob(tmp_path / "key.pub")]
        assert identities.left_out == ()
        identities.close()


@pytest.mark.parametrize("kind", ["rsa", "ecdsa", "ed25519"])
@pytest.mark.parametrize("passphrase", ["", "open sesame"])
def test_a_key_in_pkcs8_logs_in(tmp_path: Path, kind: str, passphrase: str) -> None:
    key = make_key(tmp_path / "key", kind)
    _as_pkcs8(key, passphrase)
    assert "OPENSSH" not in key.read_text()
    with way_in(tmp_path / "sshd") as way:
        way.server.authorize(key)
        identities = Identities.load([key], passphrase=lambda _: passphrase)
        connect(way.target, replace(way.access, identities=identities), deadline=soon()).close()


def _as_pkcs8(path: Path, passphrase: str) -> None:
    key = serialization.load_ssh_private_key(path.read_bytes(), None)
    lock = serialization.BestAvailableEncryption(passphrase.encode()) if passphrase else serialization.NoEncryption()
    path.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, lock))


@pytest.mark.parametrize("kind", ["rsa", "ecdsa"])
def test_a_locked_key_in_the_old_format_is_opened(tmp_path: Path, kind: str) -> None:
    key = make_key(tmp_path / "key", kind)
    subprocess.run([needs("ssh-keygen"), "-q", "-p", "-m", "PEM", "-N", "open sesame", "-f", str(key)], check=True)
    assert "Proc-Type" in key.read_text()
    assert len(Identities.load([key], passphrase=lambda _: "open sesame").keys) == 1
    assert "not accepted" in Identities.load([key], passphrase=lambda _: "wrong").left_out[0]
    assert "needs a passphrase" in Identities.load([key]).left_out[0]


def test_a_run_opens_each_file_once_however_many_hosts_name_it(tmp_path: Path) -> None:
    key, asked = make_key(tmp_path / "key", passphrase="open sesame"), list[str]()

    def passphrase(path: str) -> str:
        asked.append(path)
        return "open sesame"

    keyring = Keyring(passphrase)
    assert keyring.identities((key,), None) is keyring.identities((key,), None)
    assert keyring.identities((key,), None, only=True).keys
    assert asked == [str(key)]


def test_of_an_agent_only_the_keys_that_files_name_are_offered_where_that_is_asked_for(tmp_path: Path) -> None:
    one, two = make_key(tmp_path / "one"), make_key(tmp_path / "two")
    with agent(tmp_path, one, two) as path:
        keyring = Keyring()
        public_half = tmp_path / "two.pub"
        identities = keyring.identities((public_half,), path, only=True)
        assert [identity.key.asbytes() for identity in identities.keys] == [_blob(public_half)]
        assert len(keyring.identities((public_half,), path).keys) == 2
        keyring.close()


def _blob(path: Path) -> bytes:
    return base64.b64decode(path.read_text().split()[1])


def test_a_certificate_of_another_place_goes_with_its_key_alone(tmp_path: Path) -> None:
    authority, key, other = (make_key(tmp_path / name) for name in ("authority", "key", "other"))
    certify(authority, key, "me")
    certificate = (tmp_path / "key-cert.pub").rename(tmp_path / "elsewhere.pub")
    identities = Keyring().identities((certificate, other, key), None)
    assert [one.origin for one in identities.keys] == [str(other), str(certificate), str(key)]


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


def hang_up(listener: socket.socket) -> None:
    listener.accept()[0].close()


@pytest.mark.parametrize("listening", ["no socket", "refused", "hangs up"])
def test_an_agent_that_is_gone_leaves_the_other_keys_and_a_refused_login_names_it(
    tmp_path: Path, listening: str
) -> None:
    path, key = tmp_path / "gone", make_key(tmp_path / "key")
    with way_in(tmp_path / "sshd") as way, socket.socket(socket.AF_UNIX) as listener:
        if listening != "no socket":
            listener.bind(str(path))
        if listening == "hangs up":
            listener.listen()
            threading.Thread(target=hang_up, args=(listener,)).start()
        else:
            listener.close()
        keyring = Keyring()
        identities = keyring.identities((key,), str(path), required=True)
        assert keyring.identities((), str(path)).left_out == identities.left_out == identities.notes
        with pytest.raises(LoginRejected) as caught:
            connect(way.target, replace(way.access, identities=identities), deadline=soon())
        assert f"refused {key}; not offered: the ssh-agent at {path} " in caught.value.message
        way.server.authorize(key)
        connect(way.target, replace(way.access, identities=identities), deadline=soon()).close()
        identities.close()


def test_a_key_that_a_file_names_is_offered_before_the_others_of_a_full_agent(tmp_path: Path) -> None:
    keys = [make_key(tmp_path / f"key{number}") for number in range(7)]
    locked, half = keys[5:]
    with way_in(tmp_path / "sshd") as way, agent(tmp_path, *keys) as path:
        subprocess.run([needs("ssh-keygen"), "-q", "-p", "-N", "secret", "-f", str(locked)], check=True)
        for named in (locked, half.with_name(half.name + ".pub")):
            identities = Keyring().identities((named,), path)
            assert identities.keys[0].key.asbytes() == _blob(tmp_path / f"{named.stem}.pub")
            assert len(identities.keys) == 7
            way.server.authorized.write_text("")
            way.server.authorize(named.with_suffix(""))
            connect(way.target, replace(way.access, identities=identities), deadline=soon()).close()
            identities.close()


def test_no_more_keys_are_offered_than_hosts_take_and_the_others_are_named(tmp_path: Path) -> None:
    keys = [make_key(tmp_path / f"key{number}") for number in range(7)]
    with way_in(tmp_path / "sshd", "MaxAuthTries 6") as way, pytest.raises(LoginRejected) as caught:
        connect(way.target, replace(way.access, identities=Identities.load(keys)), deadline=soon())
    offered, others = (", ".join(map(str, some)) for some in (keys[:5], keys[5:]))
    assert f"refused {offered}; not offered: {others}: hosts hang up after too many keys" in caught.value.message
