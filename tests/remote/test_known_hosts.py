"""known_hosts files: which keys are trusted for which host, and what the check says."""

from __future__ import annotations

import base64
import hashlib
import hmac
import subprocess
from pathlib import Path

import pytest

from sysfleet.errors import HostKeyRejected, SetupError
from sysfleet.remote.known_hosts import HostKey, KnownHosts
from tests.support.needs import needs


def key(number: int, kind: str = "ssh-ed25519") -> HostKey:
    head = kind.encode()
    return HostKey(kind, len(head).to_bytes(4, "big") + head + number.to_bytes(36, "big"))


def text(of: HostKey) -> str:
    return f"{of.type} {base64.b64encode(of.blob).decode()}"


def known(*lines: str) -> KnownHosts:
    hosts = KnownHosts()
    hosts.add("\n".join(lines).encode(), "known_hosts")
    return hosts


def hashed(name: str, salt: bytes = b"0123456789abcdefghij") -> str:
    digest = hmac.digest(salt, name.encode(), hashlib.sha1)
    return f"|1|{base64.b64encode(salt).decode()}|{base64.b64encode(digest).decode()}"


A, B, C = key(1), key(2), key(3)


def trusts(hosts: KnownHosts, name: str, of: HostKey, port: int = 22) -> bool:
    try:
        hosts.check(name, port, of)
    except HostKeyRejected:
        return False
    return True


def test_plain_names_trust_their_keys_and_no_others() -> None:
    hosts = known(f"web1,10.0.0.1 {text(A)} a comment here", f"web2 {text(B)}")
    assert trusts(hosts, "web1", A)
    assert trusts(hosts, "10.0.0.1", A)
    assert trusts(hosts, "WEB1", A)
    assert not trusts(hosts, "web1", B)
    assert not trusts(hosts, "web3", A)


def test_a_port_is_part_of_the_name() -> None:
    hosts = known(f"[web1]:2222 {text(A)}", f"web1 {text(B)}")
    assert hosts.lookup("web1", 2222) == (A,)
    assert hosts.lookup("web1") == (B,)
    assert hosts.lookup("web1", 2200) == ()


def test_several_keys_of_one_host_are_all_trusted() -> None:
    rsa = key(9, "ssh-rsa")
    hosts = known(f"web1 {text(A)}", f"web1 {text(rsa)}")
    assert hosts.lookup("web1") == (A, rsa)
    assert hosts.algorithms("web1") == ("ssh-ed25519", "rsa-sha2-512", "rsa-sha2-256")


def test_hashed_names_are_found() -> None:
    hosts = known(f"{hashed('web1')} {text(A)}", f"{hashed('[web2]:2222')} {text(B)}")
    assert hosts.lookup("web1") == (A,)
    assert hosts.lookup("web2", 2222) == (B,)
    assert hosts.lookup("web2") == ()


def test_a_hashed_line_is_trusted_beside_a_plain_one() -> None:
    hosts = known(f"web1 {text(A)}", f"{hashed('web1')} {text(B)}")
    assert trusts(hosts, "web1", A)
    assert trusts(hosts, "web1", B)


def test_patterns_match_and_a_negation_settles_it() -> None:
    hosts = known(f"web*,!web9,db? {text(A)}")
    assert trusts(hosts, "web1", A)
    assert not trusts(hosts, "web9", A)
    assert trusts(hosts, "db1", A)
    assert not trusts(hosts, "db10", A)
    assert trusts(known(f"* {text(A)}"), "any", A, 2222)
    assert trusts(known(f"[10.0.0.*]:2222 {text(A)}"), "10.0.0.7", A, 2222)
    assert not trusts(known(f"[10.0.0.*]:2222 {text(A)}"), "10.0.0.7", A)


def test_a_bracket_is_no_pattern() -> None:
    assert not trusts(known(f"[ab]*:22 {text(A)}"), "a", A)


def test_a_revoked_key_is_rejected_wherever_else_it_stands() -> None:
    hosts = known(f"* {text(A)}", f"@revoked * {text(A)}")
    with pytest.raises(HostKeyRejected, match=r"revoked.*known_hosts:2"):
        hosts.check("web1", 22, A)
    elsewhere = known(f"* {text(A)}", f"@revoked db* {text(A)}", f"@revoked {hashed('mail')} {text(A)}")
    assert trusts(elsewhere, "web1", A)
    assert not trusts(elsewhere, "db1", A)
    assert not trusts(elsewhere, "mail", A)


def test_an_authority_is_kept_and_is_no_host_key() -> None:
    hosts = known(f"@cert-authority *.example {text(A)}")
    assert hosts.authorities("web1.example") == (A,)
    assert hosts.authorities("web1.test") == ()
    assert not trusts(hosts, "web1.example", A)


def test_comments_and_blank_lines_are_nothing_and_bad_lines_are_noted() -> None:
    hosts = known(
        "# comment",
        "",
        "   ",
        "web1",
        "web1 ssh-ed25519 !!!",
        f"web1 ssh-rsa {text(A).split()[1]}",
        f"@new web1 {text(A)}",
        f"|2|x|y {text(A)}",
        f"web2 {text(B)}",
    )
    assert [note.split(": ")[0] for note in hosts.notes] == [f"known_hosts:{line}" for line in (4, 5, 6, 7, 8)]
    assert hosts.lookup("web2") == (B,)


def test_bytes_that_are_no_text_harm_only_their_line() -> None:
    hosts = KnownHosts()
    hosts.add(b"\xff\xfe web\r\n" + f"web1 {text(A)}\r\n".encode(), "known_hosts")
    assert hosts.lookup("web1") == (A,)
    assert len(hosts.notes) == 1


def test_a_different_key_is_told_with_both_fingerprints_and_the_line() -> None:
    hosts = known(f"web1 {text(key(7, 'ssh-rsa'))}", f"web1 {text(A)}")
    with pytest.raises(HostKeyRejected) as caught:
        hosts.check("web1", 22, B)
    assert caught.value.message == (
        f"the host key of web1 is not the known one: it shows ssh-ed25519 {B.fingerprint}, "
        f"known_hosts:2 says ssh-ed25519 {A.fingerprint}"
    )
    assert caught.value.hint


def test_fingerprints_are_those_of_ssh_keygen(tmp_path: Path) -> None:
    file = tmp_path / "key"
    subprocess.run([needs("ssh-keygen"), "-q", "-t", "ed25519", "-N", "", "-f", str(file)], check=True)
    shown = subprocess.run([needs("ssh-keygen"), "-l", "-f", str(file)], check=True, capture_output=True, text=True)
    type_, blob = file.with_suffix(".pub").read_text().split()[:2]
    assert HostKey(type_, base64.b64decode(blob)).fingerprint in shown.stdout


def test_what_ssh_keygen_hashed_is_found(tmp_path: Path) -> None:
    file = tmp_path / "known"
    file.write_text(f"web1 {text(A)}\n[web2]:2222 {text(A)}\n")
    subprocess.run([needs("ssh-keygen"), "-q", "-H", "-f", str(file)], check=True, capture_output=True)
    hosts = KnownHosts.load([file])
    assert "web1" not in file.read_text()
    assert hosts.lookup("web1") == (A,)
    assert hosts.lookup("web2", 2222) == (A,)


def test_a_file_that_cannot_be_read_is_a_setup_error(tmp_path: Path) -> None:
    with pytest.raises(SetupError, match="No such file") as caught:
        KnownHosts.load([tmp_path / "missing"])
    assert caught.value.hint


def test_ten_thousand_lines_are_looked_up_without_walking_them() -> None:
    lines = [f"host{number},10.0.{number // 256}.{number % 256} {text(key(number))}" for number in range(10_000)]
    hosts = known(*lines)
    assert hosts.lookup("host9999") == (key(9999),)
    assert hosts.lookup("10.0.39.15") == (key(9999),)
    assert len(hosts._plain) == 20_000
    assert not hosts._patterns
