"""Lab hosts that are reached through other lab hosts, and bastions whose sshd counts what it is asked for."""

import asyncio
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest
import yaml

from sysfleet.errors import UsageError
from sysfleet.lab import HostSpec, Lab
from sysfleet.lab.bastion import check
from tests.support.lab import LAB_KINDS, connect, make_lab

_MANY = 60


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    hosts = [
        # Before the hosts that it is behind: the order is the lab's business.
        HostSpec("far", behind="inner", data={"site": "ams"}),
        HostSpec("inner", behind="outer"),
        HostSpec("outer"),
        HostSpec("shut", behind="outer", refuse=True),
        HostSpec("few", sshd=("MaxStartups 2:100:2", "MaxSessions 2")),
        HostSpec("counting", behind="outer", sshd=("MaxStartups 200",)),
    ]
    with make_lab(tmp_path_factory.mktemp("bastion") / "lab", hosts, **LAB_KINDS["openssh"]) as running:
        yield running


async def _through(lab: Lab, *names: str, command: str = "hostname", stdin: bytes | None = None) -> bytes:
    """What a command on the last host gives, each being reached through the one before it."""
    first, *others = names
    async with connect(lab, first) as connection:
        if others:
            return await _beyond(lab, connection, others, command)
        return bytes((await connection.run(command, input=stdin, encoding=None)).stdout)


async def _beyond(lab: Lab, tunnel: asyncssh.SSHClientConnection, names: list[str], command: str) -> bytes:
    async with connect(lab, names[0], tunnel=tunnel) as connection:
        if names[1:]:
            return await _beyond(lab, connection, names[1:], command)
        return bytes((await connection.run(command, encoding=None)).stdout)


def through(lab: Lab, *names: str, **options: Any) -> bytes:
    return asyncio.run(_through(lab, *names, **options))


def _banner(lab: Lab, name: str) -> socket.socket | None:
    """A connection that has been greeted, or None where it was closed instead."""
    connection = socket.create_connection(("127.0.0.1", lab.hosts[name].port), 10)
    try:
        if connection.recv(4) == b"SSH-":
            return connection
    except ConnectionResetError:
        pass
    connection.close()
    return None


def _when_let_in(lab: Lab, name: str) -> bytes:
    """What `hostname` gives once the host's sshd has noticed who has gone."""
    while True:
        try:
            return through(lab, name)
        except asyncssh.ConnectionLost:
            continue


def test_a_host_behind_a_bastion_is_reached_through_it_alone(lab: Lab) -> None:
    assert through(lab, "outer", "inner") == b"inner\n"
    with pytest.raises(ConnectionRefusedError):
        through(lab, "inner")
    with pytest.raises(asyncssh.ChannelOpenError):
        through(lab, "few", "inner")


def test_bastions_make_chains(lab: Lab) -> None:
    assert through(lab, "outer", "inner", "far") == b"far\n"
    with pytest.raises(asyncssh.ChannelOpenError):
        through(lab, "outer", "far")


def test_a_host_behind_a_bastion_can_refuse(lab: Lab) -> None:
    with pytest.raises(asyncssh.ChannelOpenError):
        through(lab, "outer", "shut")


def test_the_inventory_says_which_host_to_jump_through(lab: Lab) -> None:
    hosts = yaml.safe_load((lab.folder / "inventory/hosts.yaml").read_text(encoding="utf-8"))
    assert {name: fields.get("data") for name, fields in hosts.items()} == {
        "far": {"site": "ams", "proxy_jump": "inner"},
        "inner": {"proxy_jump": "outer"},
        "outer": None,
        "shut": {"proxy_jump": "outer"},
        "few": None,
        "counting": {"proxy_jump": "outer"},
    }
    assert len({fields["port"] for fields in hosts.values()}) == len(hosts)


@pytest.mark.parametrize("behind", [["inner"], ["counting"], ["inner", "far"]])
def test_hosts_are_reached_again_when_their_bastion_has_restarted(lab: Lab, behind: list[str]) -> None:
    before = {host.name: host.pid for host in lab.status()}
    lab.restart("outer")
    after = {host.name: host.pid for host in lab.status()}
    assert {name for name in before if before[name] != after[name]} == {"outer"}
    assert through(lab, "outer", *behind) == f"{behind[-1]}\n".encode()


def test_a_host_comes_back_behind_its_bastion(lab: Lab) -> None:
    lab.restart("inner")
    assert through(lab, "outer", "inner", "far") == b"far\n"


def test_a_host_that_restarts_while_its_bastion_is_down_is_there_when_that_is_back(lab: Lab) -> None:
    lab.hosts["outer"].kill()
    lab.restart("inner")
    with pytest.raises(ConnectionRefusedError):
        through(lab, "outer", "inner")
    lab.restart("outer")
    assert through(lab, "outer", "inner") == b"inner\n"


def test_connections_beyond_max_startups_are_turned_away(lab: Lab) -> None:
    greeted = [_banner(lab, "few") for _ in range(3)]
    assert [connection is not None for connection in greeted] == [True, True, False]
    for connection in greeted:
        if connection is not None:
            connection.close()
    assert _when_let_in(lab, "few") == b"few\n"


def test_sessions_beyond_max_sessions_are_turned_away(lab: Lab) -> None:
    async def run() -> None:
        async with connect(lab, "few") as connection:
            open_ones = [await connection.create_process("cat") for _ in range(2)]
            with pytest.raises(asyncssh.ChannelOpenError):
                await connection.create_process("cat")
            for process in open_ones:
                process.stdin.write_eof()
                await process.wait()
            assert (await connection.run("hostname")).stdout == "few\n"

    asyncio.run(run())


def test_a_listening_sshd_passes_much_both_ways(lab: Lab) -> None:
    data = bytes(range(256)) * 40_000
    assert through(lab, "few", command="cat", stdin=data) == data


def test_many_connections_at_once_pass_a_bastion_and_a_relay(lab: Lab) -> None:
    async def run() -> list[bytes]:
        async with connect(lab, "outer") as bastion:
            return await asyncio.gather(*(_beyond(lab, bastion, ["counting"], f"echo {n}") for n in range(_MANY)))

    assert asyncio.run(run()) == [f"{n}\n".encode() for n in range(_MANY)]


@pytest.mark.parametrize(
    ("behind", "said"),
    [
        ({"a": "b"}, "no host of this lab"),
        ({"a": "a"}, "behind itself"),
        ({"a": "b", "b": "c", "c": "a"}, "behind itself: a, b, c, a"),
    ],
)
def test_a_way_that_leads_nowhere_is_refused(tmp_path: Path, behind: dict[str, str], said: str) -> None:
    specs = [HostSpec(name, behind=bastion) for name, bastion in behind.items()]
    with pytest.raises(UsageError, match=said):
        check(specs)
    with pytest.raises(UsageError, match=said):
        Lab.up(tmp_path / "lab", specs)
