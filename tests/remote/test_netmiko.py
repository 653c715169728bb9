"""Hosts that give an interactive shell only: real servers that refuse commands, and what stands in the way there."""

from __future__ import annotations

import logging
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sysfleet.errors import (
    CommandFailed,
    CommandTimeout,
    ConnectError,
    ConnectionLost,
    HostKeyRejected,
    LoginRejected,
)
from sysfleet.plugins.connections import NetmikoConnection
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.paramiko_session import connect as connect_with_paramiko
from sysfleet.remote.programs.reading import ReadRequest, parse_reading, read_program
from sysfleet.remote.session import Session
from sysfleet.sysctl.key import Key
from tests.remote.appliances import PLAIN, Appliance, appliance
from tests.remote.servers import make_key, public
from tests.support.needs import needs

LIMIT = 50_000_000


def run(session: Session, program: bytes, *, seconds: float = 60, limit_bytes: int = LIMIT) -> tuple[int, bytes, bytes]:
    done = session.run(program, deadline=time.monotonic() + seconds, limit_bytes=limit_bytes, privileged=False)
    return done.status, done.stdout, done.stderr


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    needs("bash")
    with appliance(tmp_path_factory.mktemp("appliance")) as one:
        yield one


@pytest.fixture
def session(shared: Appliance) -> Iterator[Session]:
    with closing(shared.connect()) as one:
        yield one


def test_where_commands_are_refused_another_session_does_not_get_in(shared: Appliance) -> None:
    other = connect_with_paramiko(shared.target, shared.access, deadline=time.monotonic() + 30)
    with closing(other) as one, pytest.raises(CommandFailed) as caught:
        run(one, b"echo hi")
    assert "this appliance runs no commands" in str(caught.value.evidence)


def test_one_login_runs_several_programs_each_where_the_login_began(session: Session) -> None:
    first = run(session, b"pwd")
    assert run(session, b"cd /tmp; PS1='other> '; stty sane 2>/dev/null; pwd; exit 3") == (3, b"/tmp\n", b"")
    assert run(session, b"pwd; echo error >&2") == (*first[:2], b"error\n")


def test_a_host_is_read_in_a_terminal(session: Session) -> None:
    key = Key("net.ipv4.ip_forward")
    reading = parse_reading(run(session, read_program(ReadRequest((key,))))[1])
    assert reading.text(key) == Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    assert reading.facts.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_long_lines_a_large_program_and_every_byte_pass(session: Session) -> None:
    every = bytes(range(256))
    octal = b"".join(b"\\%03o" % byte for byte in every)
    line = b"y" * 5000
    program = b"cat <<'END'\n" + (line + b"\n") * 20 + b"END\nprintf '" + octal + b"'; head -c 10000000 /dev/zero"
    assert run(session, program)[:2] == (0, (line + b"\n") * 20 + every + b"\0" * 10_000_000)


def test_output_that_looks_like_what_the_shell_says_is_output(session: Session) -> None:
    body = b"sysfleet-here\nsysfleet-over\nsysfleet-ready\nbash-5.2# "
    assert run(session, b"printf '" + body.replace(b"\n", b"\\n") + b"'; sync")[1] == body


def test_output_beyond_the_limit_is_a_failure_and_ends_the_connection(session: Session) -> None:
    with pytest.raises(CommandFailed, match="more than"):
        run(session, b"while :; do echo flood; done", limit_bytes=100_000)
    with pytest.raises(ConnectionLost):
        run(session, b"echo still there")


def test_a_program_beyond_its_deadline_is_a_timeout_and_ends_the_connection(session: Session) -> None:
    assert run(session, b"echo hi")[1] == b"hi\n"
    with pytest.raises(CommandTimeout):
        run(session, b"exec sleep 30", seconds=0.7)
    with pytest.raises(ConnectionLost):
        run(session, b"echo still there")


def test_closing_from_another_thread_ends_a_running_program_at_once(shared: Appliance, tmp_path: Path) -> None:
    one, started = shared.connect(), tmp_path / "started"
    ended: list[BaseException] = []

    def work() -> None:
        try:
            run(one, f"echo >{started}; exec sleep 60".encode(), seconds=300)
        except ConnectionLost as error:
            ended.append(error)

    worker = threading.Thread(target=work)
    worker.start()
    _wait_for(started)
    one.close()
    worker.join(30)
    assert not worker.is_alive()
    assert len(ended) == 1


def test_a_server_that_dies_in_the_middle_is_a_lost_connection(tmp_path: Path) -> None:
    started = tmp_path / "started"
    with appliance(tmp_path / "host") as way, closing(way.connect()) as one:

        def kill() -> None:
            _wait_for(started)
            way.server.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(ConnectionLost):
            run(one, f"echo >{started}; exec sleep 60".encode())
        killer.join()


def _wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists() and time.monotonic() < end:
        threading.Event().wait(0.01)


def test_a_program_that_kills_its_shell_is_told_and_the_next_one_needs_a_new_login(session: Session) -> None:
    with pytest.raises(CommandFailed):
        run(session, b"echo half; kill -9 $$")
    with pytest.raises(ConnectionLost):
        run(session, b"echo hi")


ESCAPES = r"PS1='\[\e]0;\u@\h: \w\a\e[1;32m\]\u@\h\[\e[0m\]:\w\$ '; export PS1; " + PLAIN
NOISY = "printf '\\033[2J\\033[31mWelcome\\n\\n0123456789abcdef begin\\nsysfleet-ready\\n'; seq 1 5000; " + PLAIN
IN_THE_WAY = {
    "a prompt with escape sequences": ESCAPES,
    "a motd that looks like an answer": NOISY,
    "a page that wants a key": (
        "printf 'Licensed to nobody\\nPress any key to continue'; "
        "stty raw -echo; dd bs=1 count=1 >/dev/null 2>&1; stty sane; " + PLAIN
    ),
    "a pager": "seq 1 3000 >$HOME/motd; more $HOME/motd; " + PLAIN,
    "a profile that reads a line": "read -r name; " + PLAIN,
    "a login that is slow": "sleep 1; " + PLAIN,
    "a terminal of 20 columns that wraps": "stty cols 20; " + PLAIN,
    "options that end a shell": "exec bash --norc -i -e -u",
}


@pytest.mark.parametrize("login", IN_THE_WAY.values(), ids=IN_THE_WAY)
def test_what_stands_before_the_shell_is_skipped(tmp_path: Path, login: str) -> None:
    with appliance(tmp_path / "host", login) as way, closing(way.connect()) as one:
        assert run(one, b"echo hi; echo error >&2; cd /tmp; exit 3") == (3, b"hi\n", b"error\n")
        assert run(one, b"echo again") == (0, b"again\n", b"")


@pytest.mark.parametrize(
    "shell", ["dash -i", "busybox ash", "zsh -f", "fish --no-config", "tcsh -f", "mksh", "ksh"], ids=str.split
)
def test_every_login_shell_will_do(tmp_path: Path, shell: str) -> None:
    if shutil.which(shell.partition(" ")[0]) is None:
        pytest.skip(f"not on this kernel: {shell} is not installed")
    with appliance(tmp_path / "host", f"exec {shell}") as way, closing(way.connect()) as one:
        assert run(one, b"echo hi; cd /tmp; exit 3") == (3, b"hi\n", b"")
        assert run(one, b"echo again") == (0, b"again\n", b"")


def test_a_shell_of_its_own_kind_is_told_with_what_it_printed(tmp_path: Path) -> None:
    login = "while printf '\\033[1mrouter\\033[0m> '; read -r line; do echo '% Invalid input'; done"
    with (
        appliance(tmp_path / "host", login) as way,
        closing(way.patient_for(3).connect()) as one,
        pytest.raises(CommandFailed, match="does not answer as a shell does") as caught,
    ):
        run(one, b"echo hi")
    assert caught.value.evidence is not None
    assert "router>" in caught.value.evidence
    assert "% Invalid input" in caught.value.evidence
    assert caught.value.evidence.isprintable()


def test_a_shell_that_ends_at_once_is_told_in_its_words(tmp_path: Path) -> None:
    with (
        appliance(tmp_path / "host", "echo This account is currently not available.; exit 1") as way,
        closing(way.connect()) as one,
        pytest.raises(CommandFailed) as caught,
    ):
        run(one, b"echo hi")
    assert caught.value.evidence == "This account is currently not available."


def test_a_host_that_floods_instead_of_a_shell_is_told_within_the_time(tmp_path: Path) -> None:
    with (
        appliance(tmp_path / "host", "exec yes") as way,
        closing(way.patient_for(2).connect()) as one,
        pytest.raises(CommandFailed, match="does not answer"),
    ):
        run(one, b"echo hi")


def test_a_server_without_terminals_is_told(tmp_path: Path) -> None:
    with appliance(tmp_path / "host", PLAIN, "PermitTTY no") as way, pytest.raises(CommandFailed, match="interactive"):
        way.connect()


def test_another_host_key_is_rejected(shared: Appliance, tmp_path: Path) -> None:
    known = KnownHosts()
    line = f"[127.0.0.1]:{shared.target.port} {public(make_key(tmp_path / 'other'))}\n"
    known.add(line.encode(), "known_hosts")
    with pytest.raises(HostKeyRejected) as caught:
        replace(shared, access=replace(shared.access, known_hosts=known)).connect()
    assert "known_hosts:1" in str(caught.value) + str(caught.value.evidence)
    assert "SHA256:" in str(caught.value) + str(caught.value.evidence)


def test_an_unknown_host_key_is_rejected(shared: Appliance) -> None:
    with pytest.raises(HostKeyRejected):
        replace(shared, access=replace(shared.access, known_hosts=KnownHosts())).connect()


def test_a_login_that_is_refused_is_rejected(shared: Appliance, tmp_path: Path) -> None:
    stranger = Identities.load([make_key(tmp_path / "stranger")])
    with pytest.raises(LoginRejected):
        replace(shared, access=replace(shared.access, identities=stranger)).connect()


UNSAFE: dict[str, Any] = {
    "ssh_strict": False,
    "system_host_keys": True,
    "alt_key_file": "keys",
    "key_file": "id",
    "password": "hunter2",
    "secret": "hunter2",
    "session_log": "log",
    "ssh_config_file": "config",
    "sock": None,
    "conn_timeout": 1000,
    "no_such_option": 1,
}


@pytest.mark.parametrize("option", UNSAFE)
def test_an_option_that_netmiko_must_not_be_given_is_named(shared: Appliance, option: str) -> None:
    problem = NetmikoConnection.problem("linux", {option: UNSAFE[option]})
    assert problem is not None
    assert f" {option} " in problem
    assert "hunter2" not in problem
    with pytest.raises(ConnectError, match=f" {option} "):
        shared.connect(**{option: UNSAFE[option]})


def test_a_platform_without_ssh_or_that_nobody_knows_is_named(shared: Appliance) -> None:
    assert NetmikoConnection.problem("linux", {"keepalive": 30}) is None
    assert "cisco_ios_telnet" in str(NetmikoConnection.problem("cisco_ios_telnet", {}))
    with pytest.raises(ConnectError, match="no platform debian"):
        shared.connect(device_type="debian")


def test_connections_leave_nothing_behind_in_the_library(shared: Appliance) -> None:
    shared.connect().close()
    assert logging.getLogger("netmiko").filters == []


def test_who_has_no_such_host_does_not_load_netmiko() -> None:
    script = "import sys, sysfleet.fleet, sysfleet.plugins.connections; print('netmiko' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_safe_options_reach_netmiko(shared: Appliance) -> None:
    with closing(shared.connect(device_type="generic", keepalive=30, default_enter="\r", fast_cli=False)) as one:
        assert run(one, b"echo hi")[1] == b"hi\n"
