"""The way to a host: what inventory and ssh_config say, whose word holds, and bastions behind bastions."""

from __future__ import annotations

from pathlib import Path

import pytest

from sysfleet.errors import UsageError
from sysfleet.remote.route import Asked, Rules, route
from sysfleet.remote.ssh_config import SshConfig
from sysfleet.remote.ssh_ways import Surroundings, Ways
from sysfleet.remote.target import Target
from tests.remote.boxes import MARK


def way(folder: Path, asked: Asked, config: str = "", *others: Asked, user: str = "me") -> Target:
    path = folder / "config"
    path.write_text(config)
    ways = Ways(SshConfig.load(path, home=folder), Surroundings(folder, "me", {}))
    inventory = {one.name: one for one in (asked, *others)}
    return route(asked, mark=MARK, rules=Rules(inventory.get, user, config=ways))


def hops(target: Target) -> list[str]:
    return [f"{hop.user}@{hop.address}:{hop.port}" for hop in (*target.jumps, target)]


def test_the_inventory_stands_above_the_config_and_the_config_above_the_rest(tmp_path: Path) -> None:
    config = "Host web1\n  Port 2200\n  User deploy\n  HostName 10.0.0.1\n  HostKeyAlias w1\n  ConnectTimeout 3\n"
    found = way(tmp_path, Asked("web1", "web1"), config)
    assert hops(found) == ["deploy@10.0.0.1:2200"]
    assert (found.known_as, found.connect_timeout_s) == ("w1", 3)
    assert hops(way(tmp_path, Asked("web1", "web1", 22, "root"), config)) == ["root@10.0.0.1:22"]
    assert hops(way(tmp_path, Asked("web1", "elsewhere"), config)) == ["me@elsewhere:22"]


def test_a_chain_of_bastions_is_gone_through_in_its_order(tmp_path: Path) -> None:
    config = "Host web1\n  ProxyJump b1,ops@b2:2222\nHost b1\n  ProxyJump b0\n  User one\nHost b2\n  ProxyJump b9\n"
    assert hops(way(tmp_path, Asked("web1", "web1"), config)) == ["me@b0:22", "one@b1:22", "ops@b2:2222", "me@web1:22"]


def test_a_bastion_of_the_inventory_brings_its_own_way(tmp_path: Path) -> None:
    bastion = Asked("b1", "192.0.2.1", 2200, "ops")
    assert hops(way(tmp_path, Asked("web1", "web1", jump="b1"), "", bastion)) == ["ops@192.0.2.1:2200", "me@web1:22"]


@pytest.mark.parametrize("jump", ["b1", "none"])
def test_the_inventorys_word_on_bastions_stands_above_any_of_the_config(tmp_path: Path, jump: str) -> None:
    for config in ("Host web1\n ProxyJump b2\n", "Host web1\n ProxyCommand nc %h %p\n"):
        found = way(tmp_path, Asked("web1", "web1", jump=jump), config)
        assert found.proxy_command is None
        assert [hop.name for hop in found.jumps] == ([] if jump == "none" else ["b1"])


def test_the_first_bastion_may_be_reached_by_a_command(tmp_path: Path) -> None:
    config = "Host web1\n  ProxyJump b1,b2\nHost b?\n  ProxyCommand nc %h %p\n"
    found = way(tmp_path, Asked("web1", "web1"), config)
    assert [hop.proxy_command for hop in found.jumps] == ["nc b1 22", None]


@pytest.mark.parametrize(
    ("jump", "hop"),
    [("ssh://ops@b1:2222", "ops@b1:2222"), ("[2001:db8::1]:2222", "me@2001:db8::1:2222"), ("b1", "me@b1:22")],
)
def test_a_hop_may_be_spelled_as_ssh_takes_it(tmp_path: Path, jump: str, hop: str) -> None:
    assert hops(way(tmp_path, Asked("web1", "web1", jump=jump)))[0] == hop


@pytest.mark.parametrize("jump", ["b1:0", "b1:99999", "a b@", "b1,,b2"])
def test_what_is_no_hop_is_an_error(tmp_path: Path, jump: str) -> None:
    with pytest.raises(UsageError, match="is no bastion"):
        way(tmp_path, Asked("web1", "web1", jump=jump))


def test_a_circle_of_bastions_is_an_error_that_shows_it(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="web1 by b1 by b2 by b1"):
        way(
            tmp_path,
            Asked("web1", "web1"),
            "Host web1\n ProxyJump b1\nHost b1\n ProxyJump b2\nHost b2\n ProxyJump b1\n",
        )


def test_what_cannot_be_honoured_for_a_bastion_is_an_error_of_the_host(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        way(tmp_path, Asked("web1", "web1", jump="b1"), "Host b1\n  Ciphers aes128-cbc\n")
    assert [problem.line for problem in caught.value.problems] == [2]
