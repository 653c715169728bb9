"""`explain` on real hosts: who asks, who sets, who wins, what is in force, for keys with a story."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from sysfleet.errors import ExitCode, HostError, SelectionError
from sysfleet.explain import Explanation
from sysfleet.fleet import Fleet
from sysfleet.lab import HostSpec, Lab
from sysfleet.sample import sample_folder
from sysfleet.sysctl.key import Key
from tests.cli.conftest import Shell
from tests.support.lab import make_lab

REDIRECTS = Key("net.ipv4.conf.all.accept_redirects")
HOST = HostSpec(
    "web1",
    groups=("web",),
    interfaces=2,
    values={"net.ipv4.conf.eth1.accept_redirects": "1"},
    files={
        "/etc/sysctl.d/10-early.conf": b"net.ipv4.conf.all.accept_redirects = 0\n",
        "/etc/sysctl.d/50-glob.conf": b"net.ipv4.conf.*.accept_redirects = 0\n-net.ipv4.conf.eth1.accept_redirects\n",
        "/etc/sysctl.d/90-late.conf": b"net.ipv4.conf.all.accept_redirects = 1\nnet.ipv4.ip_forward = 1\n",
        "/run/sysctl.d/10-early.conf": b"net.ipv4.conf.all.accept_redirects = 1\n",
        "/etc/sysctl.conf": b"net.ipv4.conf.all.accept_redirects = 0\n",
    },
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    with make_lab(
        tmp_path_factory.mktemp("explain") / "lab",
        [HOST, HostSpec("gone", groups=("web",), refuse=True)],
        mode="namespaces",
        templates=sample_folder("templates"),
    ) as running:
        yield running


@pytest.fixture(scope="module")
def fleet(lab: Lab) -> Fleet:
    return Fleet(lab.folder, environ={"HOME": "/nonexistent", "USER": "nobody"})


@pytest.fixture(scope="module")
def story(fleet: Fleet) -> Explanation:
    return fleet.explain("web1", REDIRECTS)


def test_layers_say_who_asks(story: Explanation) -> None:
    assert (story.wanted, story.asked) == ("0", "= 0") or story.wanted == "0"
    assert [layer.file for layer in story.layers] == ["templates/base.conf.j2"]
    assert story.layers[0].line > 1
    assert story.meaning
    assert story.why_set
    assert story.source


def test_the_running_value_is_the_kernels(story: Explanation, lab: Lab) -> None:
    assert story.running == lab.hosts["web1"].read(REDIRECTS)


def test_every_line_that_mentions_the_key_is_there_in_load_order_with_the_winner_marked(story: Explanation) -> None:
    assert [(one.file, one.line) for one in story.mentions] == [
        ("/etc/sysctl.d/10-early.conf", 1),
        ("/etc/sysctl.d/50-glob.conf", 1),
        ("/etc/sysctl.d/90-late.conf", 1),
        ("/etc/sysctl.d/90-late.conf", 2),
        ("/run/sysctl.d/10-early.conf", 1),
        ("/etc/sysctl.conf", 1),
    ]
    notes = {(one.file, one.line): one.note for one in story.mentions}
    # Forwarding goes on behind it and sets it once more.
    assert [(one.file, one.line) for one in story.mentions if one.wins] == [("/etc/sysctl.d/90-late.conf", 2)]
    assert notes["/etc/sysctl.conf", 1].startswith("not read by the loader")
    assert notes["/run/sysctl.d/10-early.conf", 1] == "not read: /etc/sysctl.d/10-early.conf has the same name"


def test_each_loader_says_what_it_would_leave_the_hosts_own_first(story: Explanation) -> None:
    assert [(one.loader, one.of_host, one.value) for one in story.at_boot] == [
        ("systemd", True, "0"),
        ("procps", False, "0"),
        ("alpine", False, "1"),
        ("openrc", False, "0"),
    ]
    assert all(one.known_from for one in story.at_boot)


def test_interfaces_show_what_is_in_force(story: Explanation) -> None:
    found = {one.interface: (one.own, one.in_force) for one in story.interfaces}
    assert {"all", "default", "lo", "eth0", "eth1"} <= found.keys()
    assert found["eth1"][0] == "1"  # left out of the glob
    assert story.rule


def test_hazards_name_what_moves_it(story: Explanation) -> None:
    assert any("net.ipv4.ip_forward" in text for text in story.hazards)


def test_a_key_that_nobody_asks_for_has_a_story_too(fleet: Fleet) -> None:
    other = fleet.explain("web1", Key("net.ipv4.tcp_keepalive_time"))
    assert (other.layers, other.wanted, other.mentions) == ((), None, ())
    assert other.running == "7200"


def test_a_key_that_does_not_exist_says_what_was_meant(fleet: Fleet) -> None:
    other = fleet.explain("web1", Key("net.ipv4.tcp_syncookis"))
    assert other.running_state == "absent"
    assert "net.ipv4.tcp_syncookies" in other.facts[0]


def test_a_host_that_cannot_be_read_is_an_error(fleet: Fleet) -> None:
    with pytest.raises(HostError, match="gone"):
        fleet.explain("gone", REDIRECTS)
    with pytest.raises(SelectionError):
        fleet.explain("nobody", REDIRECTS)


def test_the_command_prints_the_page_and_the_json(lab: Lab, tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    page = shell("--project", lab.folder, "explain", "web1", "net/ipv4/conf/all/accept_redirects").gives(ExitCode.OK)
    assert page.out.startswith(f"{REDIRECTS} on web1\n")
    for heading in ("wanted", "running", "files, in load order", "at boot", "hazards"):
        assert f"\n\n{heading}\n" in page.out
    told = shell("--project", lab.folder, "explain", "--format", "json", "web1", REDIRECTS).gives(ExitCode.OK)
    found = json.loads(told.out)
    assert (found["schema"], found["command"], found["key"]) == (1, "explain", REDIRECTS)
    for part in ("meaning", "why_set", "source"):
        assert f"{found[part]}\n" in page.out


@pytest.mark.parametrize("key", ["net.ipv4.conf.*.forwarding", "..", "net.ipv4.a b"])
def test_what_is_no_key_is_a_usage_error(lab: Lab, tmp_path: Path, key: str) -> None:
    Shell(tmp_path)("--project", lab.folder, "explain", "web1", key).gives(ExitCode.USAGE)
