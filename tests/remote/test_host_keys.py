"""Host keys against a real sshd: under which names a server is known, and what a rejected key's row says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sysfleet.errors import HostKeyRejected
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.paramiko_session import connect
from tests.remote.servers import make_key, public
from tests.remote.test_session import Way, soon, way_in


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    with way_in(tmp_path_factory.mktemp("sshd")) as one:
        yield one


def go(way: Way, lines: str, known_as: str | None = None) -> None:
    known = KnownHosts()
    known.add(lines.encode(), "trusted")
    target = replace(way.target, known_as=known_as)
    connect(target, replace(way.access, known_hosts=known), deadline=soon()).close()


@pytest.mark.parametrize("name", ["127.0.0.1", "h1"])
def test_a_line_without_a_port_will_do_for_the_same_key_on_another_port(shared: Way, name: str) -> None:
    go(shared, f"{name} {public(shared.server.host_key)}\n")


def test_what_is_known_of_port_22_makes_a_server_on_another_port_unknown_and_not_changed(
    shared: Way, tmp_path: Path
) -> None:
    with pytest.raises(HostKeyRejected, match=r"is unknown: .* in none of: trusted"):
        go(shared, f"127.0.0.1 {public(make_key(tmp_path / 'other'))}\n")


def test_a_key_of_another_type_than_the_known_one_is_rejected_with_the_line(shared: Way, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other", "rsa")
    with pytest.raises(HostKeyRejected, match="no key of the types") as caught:
        go(shared, f"[127.0.0.1]:{shared.server.port} {public(other)}\n")
    assert caught.value.evidence == "known are ssh-rsa (trusted:1)"


def test_an_alias_is_the_only_name_that_is_asked_for(shared: Way) -> None:
    go(shared, f"alias {public(shared.server.host_key)}\n", known_as="alias")
    with pytest.raises(HostKeyRejected, match="host key of another is unknown"):
        go(shared, shared.server.known_hosts_line(), known_as="another")


@pytest.mark.parametrize("name", ["*", "h1", "127.0.0.1", "[127.0.0.1]:*", "h?,!h2"])
def test_a_key_that_is_revoked_under_any_of_its_names_is_rejected(shared: Way, name: str) -> None:
    revoked = f"@revoked {name} {public(shared.server.host_key)}\n"
    with pytest.raises(HostKeyRejected, match=r"is revoked: .*trusted:2"):
        go(shared, shared.server.known_hosts_line() + revoked)
