"""What is special to sessions over the system's ssh: its configuration, its control connection, its processes."""

from __future__ import annotations

import os
import select
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import pytest

from sysfleet.errors import (
    CommandFailed,
    CommandTimeout,
    ConnectError,
    ConnectionLost,
    HostKeyRejected,
    LoginRejected,
    Unreachable,
    UsageError,
)
from sysfleet.remote.access import Access
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.openssh_bastion import passage
from sysfleet.remote.openssh_client import Client
from sysfleet.remote.openssh_command import Options, configuration, login, over, preferred_kex
from sysfleet.remote.openssh_session import OpensshSession, connect
from sysfleet.remote.runtime_folder import make_private_folder, runtime_folder
from sysfleet.remote.target import Hop, Target
from tests.remote.boxes import MARK
from tests.remote.servers import make_key, public
from tests.remote.ways import KINDS, LIMIT, Way, client, runtime, soon, way_in
from tests.support.lab import machine_processes
from tests.support.needs import needs


@pytest.fixture(scope="module")
def way(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    with way_in(tmp_path_factory.mktemp("sshd"), KINDS["openssh"]) as one:
        yield one


@pytest.fixture
def short() -> Iterator[Path]:
    with runtime() as folder:
        yield folder


@contextmanager
def opened(way: Way, ssh: Client, *, stays: bool = False) -> Iterator[OpensshSession]:
    access = Access(KnownHosts(), privilege="none")
    with closing(access), closing(connect(ssh, way.target, access, deadline=soon(), stays=stays)) as session:
        yield session


def run(session: OpensshSession, program: bytes) -> bytes:
    return session.run(program, deadline=soon(), limit_bytes=LIMIT, privileged=False).stdout


def ssh_of(way: Way, short: Path, **options: object) -> AbstractContextManager[Client]:
    return client(short, **{"known_hosts": (way.known_hosts,), "identities": way.keys, **options})


def connections(way: Way) -> int:
    """TCP connections that the server has taken so far."""
    return len(way.server._sessions)


# ---- connections and their sockets ----


def test_all_programs_of_a_session_that_stays_go_over_one_connection(way: Way, short: Path) -> None:
    before = connections(way)
    with ssh_of(way, short) as ssh, opened(way, ssh, stays=True) as session:
        assert [run(session, b"echo %d" % number) for number in range(3)] == [b"0\n", b"1\n", b"2\n"]
    assert connections(way) == before + 1


def test_a_second_session_is_a_new_connection_whatever_the_configuration_shares(way: Way, short: Path) -> None:
    config = short / "config"
    config.write_text(f"ControlMaster auto\nControlPath {short}/theirs\nControlPersist 60\n")
    config.chmod(0o600)
    before = connections(way)
    with ssh_of(way, short, config=config) as ssh, opened(way, ssh, stays=True), opened(way, ssh) as second:
        assert run(second, b"echo hi") == b"hi\n"
    assert connections(way) == before + 2
    assert not (short / "theirs").exists()


def test_the_socket_lies_in_a_private_folder_of_the_runtime_folder_and_goes(way: Way, short: Path) -> None:
    with ssh_of(way, short) as ssh:
        with opened(way, ssh, stays=True):
            (folder,) = short.glob("sysfleet-*")
            (socket,) = folder.iterdir()
            assert stat.S_ISSOCK(socket.stat().st_mode)
            assert (stat.S_IMODE(folder.stat().st_mode), folder.stat().st_uid) == (0o700, os.geteuid())
            assert len(machine_processes(str(socket))) == 1
        assert list(folder.iterdir()) == []
        assert machine_processes(str(folder)) == []
    assert list(short.glob("sysfleet-*")) == []


def test_a_session_for_one_program_leaves_no_file_even_while_it_is_open(way: Way, short: Path) -> None:
    with ssh_of(way, short) as ssh, opened(way, ssh):
        (folder,) = short.glob("sysfleet-*")
        assert list(folder.iterdir()) == []


def test_the_end_of_a_run_ends_what_nobody_closed(way: Way, short: Path) -> None:
    with ssh_of(way, short) as ssh:
        session = connect(ssh, way.target, Access(KnownHosts(), privilege="none"), deadline=soon(), stays=True)
    assert list(short.glob("sysfleet-*")) == []
    with pytest.raises(ConnectionLost):
        run(session, b"echo hi")
    session.close()
    assert machine_processes(str(short)) == []


_CRASHES = """
import os, sys
from pathlib import Path
from sysfleet.remote.access import Access
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.openssh_client import Client
from sysfleet.remote.openssh_command import Options
from sysfleet.remote.openssh_session import connect
from sysfleet.remote.target import Hop, Target
from tests.remote.ways import soon

short, port, user, known_hosts, key = sys.argv[1:]
own = Path(short, "no-config")
options = Options(config=own, known_hosts=(Path(known_hosts),), identities=(Path(key),), agent=False)
ssh = Client(options, runtime=Path(short), environ=os.environ)
here = {"address": "127.0.0.1", "port": int(port), "user": user}
target = Target(name="h1", mark="0123456789abcdef", jumps=(Hop(name="b", **here),), **here)
connect(ssh, target, Access(KnownHosts()), deadline=soon(), stays=True)
print("connected", flush=True)
sys.stdin.read()
"""


def test_no_process_outlives_a_controller_that_is_killed(way: Way, short: Path) -> None:
    (short / "no-config").touch(0o600)
    words = [str(short), str(way.server.port), way.target.user, str(way.known_hosts), str(way.keys[0])]
    with subprocess.Popen(
        [sys.executable, "-c", _CRASHES, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as controller:
        assert controller.stdout is not None
        assert controller.stdout.readline() == b"connected\n"
        left = machine_processes(f"ControlPath={short}")
        assert len(left) >= 3  # the host's, the bastion's and what is between them
        controller.kill()
    for process in left:
        with suppress(ProcessLookupError):  # gone already
            assert_ends(process)
    assert list(short.glob("sysfleet-*/*s")) == []


def assert_ends(process: int) -> None:
    handle = os.pidfd_open(process)
    try:
        assert select.select([handle], [], [], 30)[0]
    finally:
        os.close(handle)


def test_a_shared_connection_that_died_is_never_replaced_by_another(way: Way, short: Path) -> None:
    with ssh_of(way, short) as ssh, opened(way, ssh, stays=True) as session:
        before = connections(way)
        (holder,) = machine_processes(f"ControlPath={short}")
        os.kill(holder, signal.SIGKILL)
        with pytest.raises(ConnectionLost):
            run(session, b"echo hi")
        assert connections(way) == before


def test_what_goes_over_a_shared_connection_has_no_other_way_to_connect(way: Way, tmp_path: Path, short: Path) -> None:
    before = connections(way)
    options = Options(program=needs("ssh"))
    words = over(options, log=tmp_path / "log", socket=short / "gone", command="echo hi")
    # Where there is no socket, ssh would connect by itself: here to the server of this test, if it could.
    here = ["-p", str(way.server.port), "-l", way.target.user, "127.0.0.1", "true"]
    trusting = [
        *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes"),
        *("-o", f"UserKnownHostsFile={way.known_hosts}", "-i", str(way.keys[0])),
    ]
    done = subprocess.run([*words[: words.index("--")], *trusting, *here], capture_output=True, check=False)
    assert done.returncode == 255
    assert connections(way) == before


def test_an_interrupt_at_the_keyboard_does_not_reach_ssh(way: Way, short: Path) -> None:
    with ssh_of(way, short) as ssh, opened(way, ssh, stays=True):
        (holder,) = machine_processes(f"ControlPath={short}")
        assert os.getsid(holder) == holder


def test_neither_files_nor_processes_are_left_open(way: Way, tmp_path: Path, short: Path) -> None:
    def held() -> tuple[int, list[str]]:
        children = " ".join(one.read_text() for one in Path("/proc/self/task").glob("*/children")).split()
        # Zombies have a name too; the servers of the test are sshd.
        clients = [child for child in children if Path(f"/proc/{child}/comm").read_text() == "ssh\n"]
        return len(list(Path("/proc/self/fd").iterdir())), clients

    before = held()
    stranger = make_key(tmp_path / "stranger")
    with ssh_of(way, short) as ssh, ssh_of(way, short, identities=(stranger,)) as refused:
        for stays in (False, True):
            with opened(way, ssh, stays=stays) as session:
                run(session, b"echo hi")
                run(session, b"sleep 20 & echo hi")
                with pytest.raises(CommandTimeout):
                    session.run(b"exec sleep 20", deadline=soon(0.3), limit_bytes=LIMIT, privileged=False)
            with pytest.raises(LoginRejected), opened(way, refused, stays=stays):
                pass
        assert held() == before


def test_a_host_with_one_session_a_connection_is_told(tmp_path: Path, short: Path) -> None:
    with way_in(tmp_path, KINDS["openssh"], "MaxSessions 1") as way, ssh_of(way, short) as ssh:
        with opened(way, ssh) as session:
            assert run(session, b"echo hi") == b"hi\n"
        with opened(way, ssh, stays=True) as session, pytest.raises(CommandFailed, match="opens no session"):
            run(session, b"echo hi")


# ---- the person's own configuration ----


def config(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_host_name_user_and_port_are_the_configuration_s_where_nobody_else_names_them(way: Way, short: Path) -> None:
    user, port = way.target.user, way.target.port
    found = f"Match originalhost web1 user {user}\n  Port {port}\n  HostKeyAlias [127.0.0.1]:{port}\n"
    inner = config(short / "inner", found)
    own = config(short / "config", f"Host web1\n  HostName 127.0.0.1\n  User {user}\nInclude {inner}\n")
    target = {"address": "web1", "port": 1, "user": "nobody-at-all", "port_said": False, "user_said": False}
    with ssh_of(way, short, config=own) as ssh, opened(way.with_target(**target), ssh) as session:
        assert run(session, b"id -un") == f"{user}\n".encode()


def test_what_the_inventory_names_stands_above_the_configuration(way: Way, short: Path) -> None:
    text = "Host *\n  User nobody-at-all\n  Port 1\n  RemoteCommand false\n  RequestTTY force\n"
    own = config(short / "config", text)
    with ssh_of(way, short, config=own) as ssh, opened(way, ssh) as session:
        assert run(session, b"id -un") == f"{way.target.user}\n".encode()


def test_a_host_key_on_this_machine_is_proven_like_any_other(way: Way, tmp_path: Path, short: Path) -> None:
    own = config(short / "config", "NoHostAuthenticationForLocalhost yes\n")
    stranger = make_key(tmp_path / "stranger")
    wrong = way.knowing(f"[127.0.0.1]:{way.server.port} {public(stranger)}\n")
    with ssh_of(wrong, short, config=own) as ssh, pytest.raises(HostKeyRejected), opened(wrong, ssh):
        pass


def behind(bastion: Way, short: Path, lax: str = "") -> Path:
    """A configuration that has web1 behind a bastion."""
    jump = f"{bastion.target.user}@127.0.0.1:{bastion.server.port}"
    return config(short / "config", f"{lax}Host web1\n  HostName 127.0.0.1\n  ProxyJump {jump}\n")


def test_a_bastion_of_the_configuration_is_gone_through_by_one_login(way: Way, tmp_path: Path, short: Path) -> None:
    with way_in(tmp_path, KINDS["openssh"]) as bastion:
        known = way.knowing(way.server.known_hosts_line() + bastion.server.known_hosts_line())
        bastion.server.authorize(way.keys[0])
        own = behind(bastion, short)
        access, target = Access(KnownHosts(), privilege="none"), way.with_target(address="web1").target
        with ssh_of(known, short, config=own) as ssh, closing(access):
            for _ in range(3):
                with closing(connect(ssh, target, access, deadline=soon())) as session:
                    assert run(session, b"echo hi") == b"hi\n"
            assert connections(bastion) == 1


@pytest.mark.parametrize("lax", ["", "StrictHostKeyChecking no\n"])
def test_a_bastion_that_is_not_known_is_rejected_however_lax_the_configuration(
    way: Way, tmp_path: Path, short: Path, lax: str
) -> None:
    with way_in(tmp_path, KINDS["openssh"]) as bastion:
        with (
            ssh_of(way, short, config=behind(bastion, short, lax)) as ssh,
            pytest.raises(HostKeyRejected, match=r"bastion 127\.0\.0\.1: ") as caught,
            opened(way.with_target(address="web1"), ssh),
        ):
            pass
        assert f"[127.0.0.1]:{bastion.server.port}" in caught.value.message


def test_a_bastion_that_lets_nobody_in_is_told_as_such(way: Way, tmp_path: Path, short: Path) -> None:
    with way_in(tmp_path, KINDS["openssh"]) as bastion:
        known = way.knowing(way.server.known_hosts_line() + bastion.server.known_hosts_line())
        jump = Hop(name="b", address="127.0.0.1", port=bastion.server.port, user=bastion.target.user)
        refused = pytest.raises(LoginRejected, match=f"bastion b: {jump.user} may not log in: the host refused ")
        with ssh_of(known, short) as ssh, refused, opened(way.with_target(jumps=(jump,)), ssh):
            pass


@contextmanager
def before(way: Way, tmp_path: Path, *sshd: str) -> Iterator[tuple[Way, Way]]:
    """A bastion that takes the same key, and the way through it."""
    with way_in(tmp_path, KINDS["openssh"], *sshd) as bastion:
        bastion.server.authorize(way.keys[0])
        known = way.knowing(way.server.known_hosts_line() + bastion.server.known_hosts_line())
        jump = Hop(name="b", address="127.0.0.1", port=bastion.server.port, user=bastion.target.user)
        yield bastion, known.with_target(jumps=(jump,))


def closed_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port: int = one.getsockname()[1]
        return port


def test_many_at_once_share_one_login_to_a_bastion(way: Way, tmp_path: Path, short: Path) -> None:
    with before(way, tmp_path) as (bastion, through), ssh_of(through, short) as ssh:
        access = Access(KnownHosts(), privilege="none")

        def said(number: int) -> bytes:
            with closing(connect(ssh, through.target, access, deadline=soon(), stays=number % 2 == 0)) as session:
                return run(session, b"echo hi")

        with closing(access), ThreadPoolExecutor(6) as workers:
            assert set(workers.map(said, range(6))) == {b"hi\n"}
            assert connections(bastion) == 1
        assert machine_processes(str(short)) == []


def test_a_bastion_whose_connection_died_is_connected_to_anew(way: Way, tmp_path: Path, short: Path) -> None:
    with before(way, tmp_path) as (bastion, through), ssh_of(through, short) as ssh:
        access = Access(KnownHosts(), privilege="none")
        with closing(access):
            found = passage(ssh, through.target.jumps, access, until=soon())
            assert found is not None
            for process in machine_processes(f"ControlPath={found.socket}"):
                os.kill(process, signal.SIGKILL)
            assert found._ended.wait(30)
            with closing(connect(ssh, through.target, access, deadline=soon())) as session:
                assert run(session, b"echo hi") == b"hi\n"
            assert connections(bastion) == 2


def test_a_bastion_is_connected_to_anew_after_a_pause_of_the_run(way: Way, tmp_path: Path, short: Path) -> None:
    with before(way, tmp_path) as (bastion, through), ssh_of(through, short) as ssh:
        access = Access(KnownHosts(), privilege="none")
        with closing(access):
            for logins in (1, 2):
                with closing(connect(ssh, through.target, access, deadline=soon())) as session:
                    assert run(session, b"echo hi") == b"hi\n"
                assert connections(bastion) == logins
                access.disconnect()
                assert machine_processes(str(short)) == []


@pytest.mark.parametrize(
    ("sshd", "kind", "words"),
    [
        ((), Unreachable, "on the way: the host refuses connections"),
        (("AllowTcpForwarding no",), ConnectError, "on the way: the bastion forwards nobody to the host"),
    ],
)
def test_why_a_bastion_does_not_get_to_a_host_is_told(
    way: Way, tmp_path: Path, short: Path, sshd: tuple[str, ...], kind: type[ConnectError], words: str
) -> None:
    with before(way, tmp_path, *sshd) as (_, through), ssh_of(through, short) as ssh:
        closed = through.with_target(port=closed_port())
        with pytest.raises(kind, match=words), opened(closed, ssh):
            pass


def test_no_bastion_is_gone_through_where_the_inventory_says_none(way: Way, short: Path) -> None:
    own = config(short / "config", f"Host *\n  ProxyJump nobody@127.0.0.1:{closed_port()}\n")
    with ssh_of(way, short, config=own) as ssh:
        with opened(way.with_target(direct=True), ssh) as session:
            assert run(session, b"echo hi") == b"hi\n"
        with pytest.raises((ConnectError, ConnectionLost)), opened(way, ssh):
            pass


def test_an_option_that_ssh_does_not_know_is_named_with_its_line(way: Way, short: Path) -> None:
    own = config(short / "config", "\nFrobnicate yes\n")
    with ssh_of(way, short, config=own) as ssh, pytest.raises(ConnectError) as caught, opened(way, ssh):
        pass
    assert f"{own}: line 2: Bad configuration option: frobnicate" in (caught.value.evidence or "")


def test_a_key_that_nobody_can_open_here_is_told_apart_from_one_that_is_refused(
    way: Way, tmp_path: Path, short: Path
) -> None:
    locked = make_key(tmp_path / "locked", passphrase="secret")
    way.server.authorize(locked)
    refused = pytest.raises(LoginRejected, match="locked cannot be used here: it wants a passphrase")
    with ssh_of(way, short, identities=(locked,)) as ssh, refused, opened(way, ssh):
        pass


def test_the_authority_that_is_revoked_is_named_with_its_line(tmp_path: Path, short: Path) -> None:
    folder = tmp_path / "sshd"
    with way_in(folder, KINDS["openssh"], f"HostCertificate {folder}/host_key-cert.pub") as way:
        authority = make_key(tmp_path / "authority")
        sign = [needs("ssh-keygen"), "-q", "-s", str(authority), "-I", "h 1", "-h", f"{way.server.host_key}.pub"]
        subprocess.run(sign, check=True)
        lines = (f"@cert-authority * {public(authority)}", f"@revoked * {public(authority)}")
        revoked = way.knowing("\n".join(lines) + "\n")
        listed = subprocess.run([needs("ssh-keygen"), "-lf", str(authority)], capture_output=True, check=True)
        words = f"authority ssh-ed25519 {listed.stdout.decode().split()[1]}, {revoked.known_hosts}:2"
        with ssh_of(revoked, short) as ssh, pytest.raises(HostKeyRejected) as caught, opened(revoked, ssh):
            pass
        assert words in caught.value.message


@contextmanager
def agent_with(key: Path, folder: Path) -> Iterator[Path]:
    path = folder / "agent"
    with subprocess.Popen([needs("ssh-agent"), "-D", "-a", str(path)], stdout=subprocess.PIPE) as agent:
        try:
            assert agent.stdout is not None
            agent.stdout.readline()
            around = {**os.environ, "SSH_AUTH_SOCK": str(path)}
            subprocess.run([needs("ssh-add"), "-q", str(key)], env=around, check=True)
            yield path
        finally:
            agent.terminate()


def test_a_key_of_the_agent_that_is_refused_is_told_as_one(way: Way, tmp_path: Path, short: Path) -> None:
    stranger = make_key(tmp_path / "stranger")
    with agent_with(stranger, short) as agent:
        own = config(short / "config", f"IdentityAgent {agent}\n")
        refused = pytest.raises(LoginRejected, match=f"the host refused {stranger} of the agent")
        with ssh_of(way, short, config=own, identities=(stranger,), agent=True) as ssh, refused, opened(way, ssh):
            pass


def test_a_banner_is_nobody_s_error_output(tmp_path: Path, short: Path) -> None:
    banner = tmp_path / "banner"
    banner.write_text("Authorised use only\n")
    shown = way_in(tmp_path / "sshd", KINDS["openssh"], f"Banner {banner}")
    with shown as way, ssh_of(way, short) as ssh, opened(way, ssh) as session:
        done = session.run(b"echo hi", deadline=soon(), limit_bytes=LIMIT, privileged=False)
    assert (done.stdout, done.stderr) == (b"hi\n", b"")


# ---- what ssh is told ----


@pytest.mark.parametrize("field", ["address", "user"])
def test_a_name_that_looks_like_an_option_is_a_name(way: Way, tmp_path: Path, short: Path, field: str) -> None:
    made = tmp_path / "made"
    hostile = way.with_target(**{field: f"-oProxyCommand=touch {made}"})
    with ssh_of(way, short) as ssh, pytest.raises(ConnectError), opened(hostile, ssh):
        pass
    assert not made.exists()


@pytest.mark.parametrize("name", ["-oProxyCommand=x", "a b", "a;b", "$(x)", "a'b", ""])
def test_a_host_behind_a_bastion_whose_name_a_shell_would_obey_is_refused(name: str, tmp_path: Path) -> None:
    hop = Hop(name="h", address=name)
    with pytest.raises(UsageError, match="cannot be the name of a host behind a bastion"):
        login(Options(), hop, configuration=tmp_path, log=tmp_path, socket=None, command="true", through=tmp_path)


def test_the_first_option_makes_the_connection_a_new_one(tmp_path: Path) -> None:
    target = Target(name="h", address="h", mark=MARK)
    words = login(Options(), target, configuration=tmp_path, log=tmp_path, socket=None, command="true")
    assert words[:3] == ["ssh", "-o", "ControlPath=none"]
    assert words[-3:] == ["--", "h", "true"]


def test_strictness_comes_first_and_a_kex_of_our_choice_after_the_person_s_own(tmp_path: Path) -> None:
    own, key = tmp_path / "with space", tmp_path / "50%"
    options = Options(config=own, identities=(key,), preferred_kex="curve25519-sha256")
    lines = configuration(options, connect_timeout_s=0.5).splitlines()
    assert lines[:2] == ["BatchMode yes", "StrictHostKeyChecking yes"]
    assert "ConnectTimeout 1" in lines
    assert f'IdentityFile "{key}%"' in lines
    assert lines.index("StrictHostKeyChecking yes") < lines.index(f'Include "{own}"') < lines.index("Match all")


def test_a_path_that_the_configuration_cannot_hold_is_refused() -> None:
    for name in ('a"b', "a\nb", "a\\b", "${HOME}"):
        with pytest.raises(UsageError, match="cannot be written"):
            configuration(Options(identities=(Path(name),)), connect_timeout_s=1)


@pytest.mark.parametrize(
    ("version", "kex"),
    [
        ("OpenSSH_8.4p1 Debian", None),
        ("OpenSSH_9.2p1 Debian-2+deb12u10, OpenSSL 3.0.19", "curve25519-sha256"),
        ("OpenSSH_10.0p2, OpenSSL 3.5", None),
        ("something else", None),
    ],
)
def test_a_slow_first_choice_of_some_versions_is_put_behind(version: str, kex: str | None) -> None:
    assert preferred_kex(version) == kex


# ---- where sockets lie ----


def test_the_runtime_folder_is_the_user_s_own_and_private_or_another_one(tmp_path: Path, short: Path) -> None:
    uid = os.geteuid()
    mine, open_to_all, long = short / "mine", short / "open", short / ("l" * 60)
    for folder, mode in ((mine, 0o700), (open_to_all, 0o755), (long, 0o700)):
        folder.mkdir()
        folder.chmod(mode)
    (short / "link").symlink_to(mine)
    assert runtime_folder({"XDG_RUNTIME_DIR": str(mine)}, uid=uid) == mine
    usual = runtime_folder({}, uid=uid)
    for wrong in (open_to_all, long, short / "link", short / "missing", Path("relative")):
        assert runtime_folder({"XDG_RUNTIME_DIR": str(wrong)}, uid=uid) == usual
    assert runtime_folder({"XDG_RUNTIME_DIR": str(mine)}, uid=uid + 1) != mine


def test_a_folder_for_sockets_is_made_where_their_paths_fit(tmp_path: Path, short: Path) -> None:
    folder = make_private_folder(short)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    long = short / ("l" * 60)
    long.mkdir()
    with pytest.raises(UsageError, match="too long a path"):
        make_private_folder(long)
    assert list(long.iterdir()) == []
    with pytest.raises(UsageError, match="takes no folder"):
        make_private_folder(short / "missing")
