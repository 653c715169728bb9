"""What an unknown server shows, under which name it would be known, and the line that says so."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.errors import ConnectTimeout, HostKeyRejected, Unreachable
from sysfleet.remote.access import Access
from sysfleet.remote.known_hosts import HostKey, KnownHosts
from sysfleet.remote.learn import first_unknown, is_known, names_of, new_key, show
from sysfleet.remote.reach import known_name
from sysfleet.remote.target import Hop, Target
from tests.remote.boxes import MARK
from tests.remote.servers import make_key, public, server, silent_port

KEY = HostKey("ssh-ed25519", b"\0\0\0\x0bssh-ed25519" + bytes(36))


def known(*lines: str) -> KnownHosts:
    hosts = KnownHosts()
    hosts.add("".join(f"{line}\n" for line in lines).encode(), "known_hosts")
    return hosts


def to(port: int) -> Target:
    return Target(name="h1", address="127.0.0.1", port=port, mark=MARK)


def soon(seconds: float = 20.0) -> float:
    return time.monotonic() + seconds


@pytest.mark.parametrize(
    ("kind", "type_"), [("ed25519", "ssh-ed25519"), ("ecdsa", "ecdsa-sha2-nistp256"), ("rsa", "ssh-rsa")]
)
def test_a_key_of_each_type_is_shown_and_its_line_makes_the_server_known(tmp_path: Path, kind: str, type_: str) -> None:
    key = make_key(tmp_path / kind, kind)
    only = {"ssh-rsa": "rsa-sha2-512"}.get(type_, type_)
    with server(tmp_path / "sshd", f"HostKey {key}", f"HostKeyAlgorithms {only}") as one:
        shown = show(to(one.port), 0, Access(KnownHosts()), deadline=soon())
        assert shown.line == f"[127.0.0.1]:{one.port} {public(key)}"
        known(shown.line).check("127.0.0.1", one.port, shown.key)


def test_of_several_keys_the_best_is_shown(tmp_path: Path) -> None:
    key = make_key(tmp_path / "rsa", "rsa")
    with server(tmp_path / "sshd", f"HostKey {key}") as one:
        assert show(to(one.port), 0, Access(KnownHosts()), deadline=soon()).key.type == "ssh-ed25519"


def test_a_key_that_is_revoked_is_not_given_back(tmp_path: Path) -> None:
    with server(tmp_path / "sshd") as one:
        access = Access(known(f"@revoked * {public(one.host_key)}"))
        with pytest.raises(HostKeyRejected, match="revoked"):
            show(to(one.port), 0, access, deadline=soon())


def test_a_server_that_is_silent_or_away_ends_in_time() -> None:
    with silent_port() as port, pytest.raises(ConnectTimeout):
        show(to(port), 0, Access(KnownHosts(), connect_timeout_s=0.2), deadline=soon())
    with pytest.raises(Unreachable):
        show(to(port), 0, Access(KnownHosts()), deadline=soon())


def test_an_alias_is_the_only_name_and_has_no_port() -> None:
    hop = Hop(name="web1", address="10.0.0.1", port=2222)
    assert names_of(hop) == (("10.0.0.1", 2222), ("web1", 2222))
    assert new_key(hop, KEY).name == "[10.0.0.1]:2222"
    alias = Hop(name="web1", address="10.0.0.1", port=2222, known_as="web-one")
    assert names_of(alias) == (("web-one", 22),)
    assert new_key(alias, KEY).name == "web-one"
    # What is written is what a connection will look for.
    assert [known_name(one, KnownHosts()) for one in (hop, alias)] == [names_of(one)[0] for one in (hop, alias)]


def test_a_server_is_known_by_either_name_by_a_pattern_or_by_an_authority() -> None:
    hop = Hop(name="web1", address="10.0.0.1")
    key = new_key(hop, KEY).line.partition(" ")[2]
    for line in (f"10.0.0.1 {key}", f"WEB1 {key}", f"10.0.0.* {key}", f"@cert-authority web* {key}"):
        assert is_known(hop, known(line)), line
    for line in (f"10.0.0.2 {key}", f"[10.0.0.1]:2222 {key}", f"@revoked * {key}", f"*,!10.0.0.1,!web1 {key}"):
        assert not is_known(hop, known(line)), line


def test_a_server_with_host_keys_of_its_own_is_known_by_these_alone() -> None:
    line = new_key(Hop(name="web1", address="10.0.0.1"), KEY).line
    assert is_known(Hop(name="web1", address="10.0.0.1", known_hosts=known(line)), known())
    assert not is_known(Hop(name="web1", address="10.0.0.1", known_hosts=known()), known(line))


def test_the_first_unknown_server_of_a_way_is_the_one_to_ask() -> None:
    bastion = Hop(name="b1", address="10.0.0.9")
    target = Target(name="web1", address="10.0.0.1", mark=MARK, jumps=(bastion,))
    line, own = new_key(bastion, KEY).line, new_key(target, KEY).line
    assert first_unknown(target, known()) == 0
    assert first_unknown(target, known(own)) == 0
    assert first_unknown(target, known(line)) == 1
    assert first_unknown(target, known(line, own)) is None


@given(name=st.text(min_size=1), port=st.sampled_from([22, 2222]), alias=st.booleans())
def test_a_name_gives_one_line_that_means_it_and_nothing_else_or_none(name: str, port: int, alias: bool) -> None:
    hop = Hop(name="web1", address="10.0.0.1" if alias else name, port=port, known_as=name if alias else None)
    try:
        line = new_key(hop, KEY).line
    except HostKeyRejected:
        return
    assert len(line.splitlines()) == 1
    hosts = known(line)
    assert hosts.notes == []
    assert hosts.lookup(*names_of(hop)[0]) == (KEY,)
    assert not hosts.lookup("another", port)


@pytest.mark.parametrize("name", ["a b", "a,b", "*", "a?", "!a", "|1|a|b", "#a", "@revoked", "a\nb", "a\x85b", ""])
def test_a_name_that_means_something_else_in_a_line_is_refused(name: str) -> None:
    with pytest.raises(HostKeyRejected, match="cannot be written"):
        new_key(Hop(name="web1", address=name), KEY)


@pytest.mark.parametrize("type_", ["", "ssh rsa", "ssh-rsa\nx", "@revoked", "*"])
def test_a_type_of_key_that_would_break_the_line_is_refused(type_: str) -> None:
    with pytest.raises(HostKeyRejected, match="cannot be written"):
        new_key(Hop(name="web1", address="10.0.0.1"), HostKey(type_, b"blob"))
