"""The ssh_config reader, judged by `ssh -G` where that says anything, and what is refused by file and line."""

from __future__ import annotations

import os
import pwd
import subprocess
from pathlib import Path

import pytest

from sysfleet.errors import UsageError
from sysfleet.remote.ssh_config import SshConfig
from sysfleet.remote.ssh_options import HARMLESS, HONOURED, NAMES, ONLY, REFUSED
from sysfleet.remote.ssh_ways import KeyChoice, Said, Surroundings, TrustChoice, Ways
from tests.support.needs import needs


def ways(folder: Path, text: str, **environ: str) -> Ways:
    path = folder / "config"
    path.write_text(text)
    return Ways(SshConfig.load(path, home=folder), Surroundings(folder, "me", environ, "desk.example.net"))


def said(folder: Path, text: str, name: str = "web1", *, user: str | None = None, **environ: str) -> Said:
    return ways(folder, text, **environ).of(name, user=user, port=None, default_user="me")


def oracle(folder: Path, name: str, *options: str) -> dict[str, list[str]]:
    """What ssh itself makes of the file."""
    command = [needs("ssh"), "-G", "-F", str(folder / "config"), *options, name]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "HOME": str(folder)})
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        key, _, value = line.partition(" ")
        found.setdefault(key, []).append(value)
    return found


CONFIG = """
# before any block
Port=2200
IdentityFile ~/.ssh/first
Host web* !web9 "quoted name"
    HostName = %h.example.net
    User deploy # a comment
    IdentityFile "/keys/with space"
Host WEB1
    User never
Match host web1.example.net user deploy
    HostKeyAlias alias-1
Match !host *.example.net originalhost db*
    ProxyJump me@b1:2222,b2
Match user admin
    Port 99
    HostKeyAlias admins
Match all
    ConnectTimeout 7
    IdentityFile ~/.ssh/first
Host *
    port 23
    user last
    IdentitiesOnly yes
    ProxyCommand none
    UserKnownHostsFile ~/.ssh/a /b/c
"""


@pytest.mark.parametrize("name", ["web1", "web9", "db1", "WEB1", "quoted name", "web22"])
@pytest.mark.parametrize("user", [None, "admin"])
def test_ssh_finds_the_same(tmp_path: Path, name: str, user: str | None) -> None:
    found = said(tmp_path, CONFIG, name, user=user)
    assert found.problems == ()
    if " " in name:
        assert (found.address, found.user) == ("quoted name.example.net", "deploy")
        return  # ssh takes no such name on its command line
    theirs = oracle(tmp_path, name, *(["-l", user] if user else []))
    assert [found.address or name] == [value if found.address else name for value in theirs["hostname"]]
    assert [str(found.port)] == theirs["port"]
    assert [user or found.user] == theirs["user"]
    assert [found.known_as] == theirs.get("hostkeyalias", [None])
    assert [found.jump] == theirs.get("proxyjump", [None])
    assert [str(found.connect_timeout_s)] == theirs["connecttimeout"]
    assert found.keys is not None
    assert [str(path) for path in found.keys.files or ()] == list(
        dict.fromkeys(value.replace("~", str(tmp_path)) for value in theirs["identityfile"])
    )
    assert found.keys.only
    assert found.trust == TrustChoice((tmp_path / ".ssh/a", Path("/b/c")), None)


def test_includes_stand_in_the_block_that_they_are_in(tmp_path: Path) -> None:
    (tmp_path / ".ssh" / "more").mkdir(parents=True)
    (tmp_path / ".ssh" / "more" / "1").write_text("Port 1111\nHost db*\nUser inner\n")
    (tmp_path / ".ssh" / "more" / "2").write_text("HostKeyAlias second\n")
    text = "Host db* web1\n  Include more/* missing-*\n  User outer\nHost *\n  ConnectTimeout 5\n"
    for name in ("db1", "web1", "other"):
        found = said(tmp_path, text, name)
        theirs = oracle(tmp_path, name)
        expected = (theirs["port"][0], theirs["user"][0], theirs.get("hostkeyalias", [None])[0])
        assert (str(found.port or 22), found.user or theirs["user"][0], found.known_as) == expected
        assert found.connect_timeout_s == 5


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Host web1\n  Include loop\n", "circle"),
        ("Host\n", "names nothing"),
        ('User "half\n', "quote"),
        ("Match sometimes\n", "unknown"),
        ("Match host\n", "names nothing"),
    ],
)
def test_a_file_that_makes_no_sense_is_told_with_its_line(tmp_path: Path, text: str, words: str) -> None:
    (tmp_path / ".ssh").mkdir()
    (tmp_path / ".ssh" / "loop").write_text("\nInclude loop\n")
    with pytest.raises(UsageError) as caught:
        said(tmp_path, text)
    (problem,) = caught.value.problems
    assert words in problem.what
    assert problem.line in {1, 2}


def test_a_file_that_others_may_write_is_not_followed(tmp_path: Path) -> None:
    path = tmp_path / "config"
    path.write_text("User me\n")
    for mode, followed in ((0o600, True), (0o644, True), (0o664, False), (0o646, False)):
        path.chmod(mode)
        if followed:
            SshConfig.load(path, home=tmp_path, check_owner=os.getuid())
        else:
            with pytest.raises(UsageError):
                SshConfig.load(path, home=tmp_path, check_owner=os.getuid())


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("AddressFamily inet6", "AddressFamily inet6 cannot be honoured"),
        ("StrictHostKeyChecking no", "StrictHostKeyChecking no cannot be honoured"),
        ("StrictHostKeyChecking accept-new", "accept-new"),
        ("Ciphers aes256-ctr", "Ciphers cannot be honoured here"),
        ("GSSAPIAuthentication yes", "Kerberos"),
        ("PKCS11Provider /usr/lib/token.so", "PKCS11Provider"),
        ("NoSuchOption 1", "nosuchoption"),
        ("Port http", "Port http is no number"),
        ("IdentityFile ~other/key", "somebody else's home"),
        ("IdentityFile ${UNSET}/key", "UNSET is not set"),
        ("IdentityFile /keys/%C", "%C"),
        ("User", "User has no value"),
    ],
)
def test_what_cannot_be_honoured_is_refused_where_it_applies_and_only_there(
    tmp_path: Path, line: str, words: str
) -> None:
    text = f"Host db*\n  {line}\n"
    assert said(tmp_path, text, "web1").problems == ()
    (problem,) = said(tmp_path, text, "db1").problems
    assert words in problem.what
    assert (problem.file, problem.line) == (str(tmp_path / "config"), 2)


@pytest.mark.parametrize(
    "name", ["exec true", "canonical", "final", "tagged x", "localnetwork 10.0.0.0/8", "version 9"]
)
def test_a_condition_that_is_not_known_here_is_refused_where_it_could_apply(tmp_path: Path, name: str) -> None:
    text = f"Match host db* {name}\n  User other\n"
    assert said(tmp_path, text, "web1") == Said()
    (problem,) = said(tmp_path, text, "db1").problems
    assert name.partition(" ")[0] in problem.what


def test_options_of_no_bearing_are_let_be(tmp_path: Path) -> None:
    lines = [f"{name} yes" for name in HARMLESS] + [f"{name} {values[0][0]}" for name, values in ONLY.items()]
    assert said(tmp_path, "\n".join(lines)) == Said()


def test_unknown_options_may_be_named_as_such(tmp_path: Path) -> None:
    assert said(tmp_path, "IgnoreUnknown Use*,New\nUseMagic yes\nNew 1\n").problems == ()


def test_every_option_that_this_ssh_knows_is_in_one_table(tmp_path: Path) -> None:
    tables = [HONOURED, HARMLESS, ONLY, REFUSED]
    assert sum(map(len, tables)) == len(NAMES)
    (tmp_path / "config").touch()
    assert {name.lower() for name in oracle(tmp_path, "web1")} - NAMES.keys() - {"host"} == set()


def test_tokens_stand_for_what_ssh_makes_of_them(tmp_path: Path) -> None:
    text = "Host web1\n  HostName 10.0.0.1\n  Port 2200\n  User deploy\n  IdentityFile %d/%u-%r-%h-%n-%p-%L-%%\n"
    found = said(tmp_path, text)
    assert found.keys is not None
    assert found.keys.files == (tmp_path / "me-deploy-10.0.0.1-web1-2200-desk-%",)


def test_a_proxy_command_is_the_rest_of_its_line_with_its_tokens(tmp_path: Path) -> None:
    text = 'Host web1\n  HostName 10.0.0.1\n  ProxyCommand ssh -W "[%h]:%p" %r@b1 # not a comment\n'
    assert said(tmp_path, text).proxy_command == 'ssh -W "[10.0.0.1]:22" me@b1 # not a comment'
    assert oracle(tmp_path, "web1")["proxycommand"] == ['ssh -W "[%h]:%p" %r@b1 # not a comment']


@pytest.mark.parametrize("name", ["a;reboot", "$(reboot)", "-oProxyCommand=reboot", "a b"])
def test_no_name_can_say_anything_to_the_shell_of_a_proxy_command(tmp_path: Path, name: str) -> None:
    (problem,) = said(tmp_path, "ProxyCommand nc %h %p\n", name).problems
    assert "cannot stand in a command line" in problem.what


def test_of_jump_and_command_the_first_holds(tmp_path: Path) -> None:
    both = said(tmp_path, "Host web1\n  ProxyCommand nc %h %p\nHost *\n  ProxyJump b1\n")
    assert (both.jump, both.proxy_command) == (None, "nc web1 22")


@pytest.mark.parametrize(
    "text",
    [
        "ProxyJump none\nProxyCommand nc\n",
        "ProxyJump none\nProxyCommand nc\nProxyJump b1\n",
        "ProxyJump none\nProxyJump b1\n",
        "ProxyCommand none\nProxyJump b1\n",
        "ProxyJump b1\nProxyCommand nc\n",
    ],
)
def test_no_jump_leaves_room_for_a_command_as_in_ssh(tmp_path: Path, text: str) -> None:
    found, theirs = said(tmp_path, text), oracle(tmp_path, "web1")
    assert [found.jump if found.jump != "none" else None] == theirs.get("proxyjump", [None])
    assert [found.proxy_command if found.proxy_command != "none" else None] == theirs.get("proxycommand", [None])


def test_the_tokens_of_a_jump_are_those_of_the_host_behind_it(tmp_path: Path) -> None:
    text = "ProxyJump %r@gate-%n.%h,100%%\nUser u\nHostName x\nPort 2200\n"
    assert said(tmp_path, text).jump == "u@gate-web1.x,100%"
    (problem,) = said(tmp_path, "ProxyJump %u@gate\n").problems
    assert "%u cannot be expanded" in problem.what


@pytest.mark.parametrize("time", ["90", "1m", "1M30", "1h", "59m59s"])
def test_a_timeout_may_have_units_as_in_ssh(tmp_path: Path, time: str) -> None:
    found = said(tmp_path, f"ConnectTimeout {time}\n")
    assert [str(found.connect_timeout_s)] == oracle(tmp_path, "web1")["connecttimeout"]


@pytest.mark.parametrize("time", ["0", "-1", "1x", "2h", "m", "1.5"])
def test_a_timeout_that_is_none_or_endless_is_refused(tmp_path: Path, time: str) -> None:
    (problem,) = said(tmp_path, f"ConnectTimeout {time}\n").problems
    assert problem.what == f"ConnectTimeout {time} is no time from 1 to 3600 seconds"


@pytest.mark.parametrize("first", ["", "User other\n"])
def test_a_match_of_the_user_sees_who_logs_in(tmp_path: Path, first: str) -> None:
    text = (
        first + "Match user ops\n  Port 99\nMatch user me\n  Port 98\nMatch localuser me user ops\n  HostKeyAlias a\n"
    )
    found = ways(tmp_path, text).of("web1", user=None, port=None, default_user="ops")
    theirs = oracle(tmp_path, "web1", *([] if first else ["-l", "ops"]))
    assert [str(found.port or 22)] == theirs["port"]
    assert found.known_as == (None if first else "a")


@pytest.mark.parametrize("text", ["Match all host x\n", "Port 22 33\n", "User a b\n", "IdentityFile a b\n"])
def test_what_ssh_ends_over_is_an_error_here_too(tmp_path: Path, text: str) -> None:
    with pytest.raises(UsageError):
        said(tmp_path, text)
    with pytest.raises(subprocess.CalledProcessError):
        oracle(tmp_path, "web1")


def test_an_include_may_be_in_the_home_of_somebody_else(tmp_path: Path) -> None:
    me = pwd.getpwuid(os.getuid())
    loaded = tmp_path / "included"
    loaded.write_text("Port 77\n")
    way_there = os.path.relpath(loaded, me.pw_dir)
    text = f"Include ~{me.pw_name}/{way_there} ~nobody-of-this-name/x\n"
    assert [str(said(tmp_path, text).port)] == oracle(tmp_path, "web1")["port"] == ["77"]


@pytest.mark.parametrize(
    ("text", "agent"),
    [
        ("IdentityAgent none", None),
        ("IdentityAgent SSH_AUTH_SOCK", "/run/agent"),
        ("IdentityAgent $OTHER", "/run/other"),
        ("IdentityAgent ~/agent", "HOME/agent"),
    ],
)
def test_the_agent_may_be_another(tmp_path: Path, text: str, agent: str | None) -> None:
    found = said(tmp_path, text, SSH_AUTH_SOCK="/run/agent", OTHER="/run/other")
    assert found.keys == KeyChoice(None, agent and agent.replace("HOME", str(tmp_path)), only=False)


def test_no_identity_file_at_all_is_a_choice(tmp_path: Path) -> None:
    assert said(tmp_path, "IdentityFile none\n").keys == KeyChoice((), None, only=False)
