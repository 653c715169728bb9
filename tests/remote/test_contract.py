"""What every kind of session owes whoever runs programs on hosts, against a real sshd."""

from __future__ import annotations

import os
import socket
import threading
import time
import tracemalloc
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from sysfleet.errors import (
    CommandFailed,
    CommandTimeout,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    HostKeyRejected,
    LoginRejected,
    PrivilegeDenied,
    Unreachable,
)
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.programs.reading import ReadRequest, parse_reading, read_program
from sysfleet.remote.session import Session
from sysfleet.sysctl.key import Key
from tests.remote.servers import make_key, public, silent_port
from tests.remote.ways import KINDS, LIMIT, Kind, Way, soon, way_in
from tests.support.needs import needs, needs_namespaces

EVERY_BYTE = bytes(range(256))


@pytest.fixture(scope="module", params=KINDS)
def kind(request: pytest.FixtureRequest) -> Kind:
    return KINDS[request.param]


@pytest.fixture(scope="module")
def way(kind: Kind, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    with way_in(tmp_path_factory.mktemp("sshd"), kind) as one:
        yield one


@pytest.fixture
def session(way: Way) -> Iterator[Session]:
    with way.opened() as one:
        yield one


def run(session: Session, program: bytes, *, seconds: float = 60, limit_bytes: int = LIMIT) -> tuple[int, bytes, bytes]:
    done = session.run(program, deadline=soon(seconds), limit_bytes=limit_bytes, privileged=False)
    return done.status, done.stdout, done.stderr


def fingerprint(key: Path) -> str:
    known = KnownHosts()
    known.add(f"h {public(key)}\n".encode(), "")
    return known.lookup("h")[0].fingerprint


# ---- what comes back ----


def test_output_errors_and_status_come_back_apart(session: Session) -> None:
    assert run(session, b"echo out; echo error >&2; exit 3") == (3, b"out\n", b"error\n")


@pytest.mark.parametrize("status", [0, 1, 96, 127, 255])
def test_every_status_is_the_program_s_own(session: Session, status: int) -> None:
    assert run(session, b"exit %d" % status)[0] == status


def test_one_session_runs_several_programs(session: Session) -> None:
    assert [run(session, b"echo %d" % number)[1] for number in range(3)] == [b"0\n", b"1\n", b"2\n"]


def test_bytes_of_every_value_come_back_as_they_are(session: Session) -> None:
    octal = "".join(f"\\{byte:03o}" for byte in EVERY_BYTE)
    assert run(session, f"printf '{octal}'".encode())[:2] == (0, EVERY_BYTE)


def test_a_program_of_every_byte_but_nul_arrives_as_it_is(session: Session) -> None:
    text = EVERY_BYTE[1:]
    assert run(session, b"printf '%s' '" + text.replace(b"'", b"'\\''") + b"'")[:2] == (0, text)


def test_a_big_program_and_big_output_and_big_errors_pass(session: Session) -> None:
    size = 1_000_000
    program = b"x='" + b"y" * size + b"'; printf '%s' \"$x\"; printf '%s' \"$x\" >&2"
    status, out, error = run(session, program)
    assert (status, len(out), len(error)) == (0, size, size)


def test_thirty_megabytes_come_whole(session: Session) -> None:
    size = 30_000_000
    status, out, _ = run(session, b"head -c %d /dev/zero" % size)
    assert (status, len(out)) == (0, size)


def test_a_host_is_read(session: Session) -> None:
    key = Key("net.ipv4.ip_forward")
    reading = parse_reading(run(session, read_program(ReadRequest((key,))))[1])
    assert reading.text(key) == Path("/proc/sys/net/ipv4/ip_forward").read_text().strip()
    assert reading.facts.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def test_sessions_of_several_threads_do_not_mix(way: Way) -> None:
    def work(number: int) -> list[bytes]:
        with way.opened() as session:
            return [run(session, b"echo %d of %d" % (turn, number))[1] for turn in range(2)]

    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(work, range(4)))
    assert found == [[b"%d of %d\n" % (turn, number) for turn in range(2)] for number in range(4)]


def test_start_files_that_talk_change_folder_and_set_e_are_not_heard(kind: Kind, tmp_path: Path) -> None:
    bash = needs("bash")
    start = tmp_path / "start"
    start.write_text("printf '\\033[31mWelcome'; echo '$ prompt'; echo careful >&2; cd /; set -e; false || :\n")
    forced = f"""ForceCommand {bash} -c '. {start}; eval "${{SSH_ORIGINAL_COMMAND:-sh -i}}"; echo bye'"""
    with way_in(tmp_path / "sshd", kind, forced) as way, way.opened() as session:
        assert run(session, b"false; echo hi")[:2] == (0, b"hi\n")


# ---- how a program may end ----


def test_a_program_beyond_its_deadline_is_a_timeout_and_ends_the_session(session: Session) -> None:
    with pytest.raises(CommandTimeout) as caught:
        run(session, b"exec sleep 20", seconds=0.7)
    assert isinstance(caught.value, TimeoutError)
    with pytest.raises(ConnectionLost):
        run(session, b"echo still there")


def test_output_beyond_the_limit_is_a_failure_and_ends_the_session(session: Session) -> None:
    with pytest.raises(CommandFailed, match="more than 100000 bytes"):
        run(session, b"while :; do echo flood; done", limit_bytes=100_000)
    with pytest.raises(ConnectionLost):
        run(session, b"echo still there")


def test_a_flood_takes_little_memory(session: Session) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(CommandFailed):
            run(session, b"exec cat /dev/zero", limit_bytes=1_000_000)
        peak_bytes = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak_bytes < 16_000_000


def test_a_program_that_kills_its_shell_says_so(session: Session) -> None:
    with pytest.raises(CommandFailed):
        run(session, b"echo half; kill -9 $$")


def test_a_process_left_behind_does_not_hold_the_answer_up(session: Session) -> None:
    assert run(session, b"sleep 20 & echo done", seconds=15)[:2] == (0, b"done\n")


def test_closing_from_another_thread_ends_a_running_program_at_once(way: Way, tmp_path: Path) -> None:
    started = tmp_path / "started"
    ended: list[BaseException] = []
    with way.opened() as session:

        def work() -> None:
            try:
                run(session, f"echo >{started}; exec sleep 100".encode(), seconds=300)
            except ConnectionLost as error:
                ended.append(error)

        worker = threading.Thread(target=work)
        worker.start()
        wait_for(started)
        session.close()
        worker.join(30)
        assert not worker.is_alive()
    assert len(ended) == 1


def test_a_server_that_dies_in_the_middle_is_a_lost_connection(kind: Kind, tmp_path: Path) -> None:
    started = tmp_path / "started"
    with way_in(tmp_path / "sshd", kind) as way, way.opened() as session:

        def kill() -> None:
            wait_for(started)
            way.server.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        with pytest.raises(ConnectionLost) as caught:
            run(session, f"echo >{started}; exec sleep 100".encode())
        killer.join()
    assert caught.value.phase == "run"


def wait_for(path: Path) -> None:
    end = time.monotonic() + 30
    while not path.exists() and time.monotonic() < end:
        threading.Event().wait(0.01)


def test_a_login_that_runs_no_programs_is_told_in_its_own_words(kind: Kind, tmp_path: Path) -> None:
    forced = "ForceCommand echo this account is not available; exit 1"
    with way_in(tmp_path, kind, forced) as way, way.opened() as session, pytest.raises(CommandFailed) as caught:
        run(session, b"echo hi")
    assert "this account is not available" in (caught.value.evidence or "")


# ---- which host it is ----


def test_an_unknown_host_key_is_rejected_with_its_fingerprint(way: Way) -> None:
    with pytest.raises(HostKeyRejected, match="unknown") as caught, way.knowing("").opened():
        pass
    assert fingerprint(way.server.host_key) in caught.value.message
    assert caught.value.phase == "connect"


def test_another_host_key_is_rejected_with_both_fingerprints_and_the_line(way: Way, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other")
    wrong = way.knowing(f"# first\n[127.0.0.1]:{way.server.port} {public(other)}\n")
    with pytest.raises(HostKeyRejected) as caught, wrong.opened():
        pass
    for text in (fingerprint(way.server.host_key), fingerprint(other), f"{wrong.known_hosts}:2"):
        assert text in caught.value.message


def test_a_revoked_host_key_is_rejected_with_its_line(way: Way) -> None:
    line = f"127.0.0.1 {public(way.server.host_key)}\n"
    revoked = way.knowing(way.server.known_hosts_line() + f"@revoked [127.0.0.1]:{way.server.port} {line[10:]}")
    with pytest.raises(HostKeyRejected, match="revoked") as caught, revoked.opened():
        pass
    for text in (fingerprint(way.server.host_key), f"{revoked.known_hosts}:2"):
        assert text in caught.value.message


def test_a_host_with_keys_of_other_types_than_the_known_one_is_rejected(way: Way, tmp_path: Path) -> None:
    other = make_key(tmp_path / "other", "rsa")
    with pytest.raises(HostKeyRejected), way.knowing(f"[127.0.0.1]:{way.server.port} {public(other)}\n").opened():
        pass


def test_no_login_is_offered_to_a_host_that_is_not_proven(kind: Kind, tmp_path: Path) -> None:
    with way_in(tmp_path, kind, "LogLevel DEBUG1") as way:
        with pytest.raises(HostKeyRejected), way.knowing("").opened():
            pass
        log = tmp_path / "log"
        assert "userauth-request" not in log.read_text(errors="replace")


# ---- who logs in ----


def test_a_refused_login_says_what_was_offered(way: Way, tmp_path: Path) -> None:
    stranger = make_key(tmp_path / "stranger")
    with pytest.raises(LoginRejected) as caught, replace(way, keys=(stranger,)).opened():
        pass
    assert str(stranger) in caught.value.message
    assert way.target.user in caught.value.message


def test_with_nothing_to_offer_the_login_is_refused_and_says_so(way: Way) -> None:
    with pytest.raises(LoginRejected, match=r"there is (neither|no) key"), replace(way, keys=()).opened():
        pass


# ---- ways that lead nowhere ----


def test_a_closed_port_is_unreachable(way: Way) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(Unreachable, match=r"refuses connections \(TCP connect"), way.with_target(port=port).opened():
        pass


def test_a_name_that_does_not_resolve_is_unreachable(way: Way) -> None:
    nowhere = way.with_target(address="no.such.host.invalid")
    with pytest.raises(Unreachable, match=r"name.*\(name lookup"), nowhere.opened():
        pass


def test_a_port_that_says_nothing_is_a_timeout_that_names_the_phase(way: Way) -> None:
    with silent_port() as port:
        silent = way.with_target(port=port).within(connect_timeout_s=0.5)
        with pytest.raises(ConnectTimeout, match="waiting for the banner") as caught, silent.opened():
            pass
    assert isinstance(caught.value, TimeoutError)


def test_the_deadline_of_the_host_ends_the_connecting_too(way: Way) -> None:
    with silent_port() as port, pytest.raises(ConnectTimeout), way.with_target(port=port).opened(seconds=0.5):
        pass


def test_what_is_no_ssh_server_is_a_connect_error(way: Way) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def answer() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.0 400 Bad Request\r\n\r\n" * 200)

        thread = threading.Thread(target=answer)
        thread.start()
        port = listener.getsockname()[1]
        with pytest.raises(ConnectError), way.with_target(port=port).opened():
            pass
        thread.join()


# ---- root rights ----


def test_the_real_sudo_gives_root_rights_or_says_why_not(way: Way) -> None:
    needs("sudo")
    with way.within(privilege="sudo").opened() as session:
        if os.geteuid() == 0:
            done = session.run(b"id -u; echo $SUDO_USER", deadline=soon(), limit_bytes=LIMIT, privileged=True)
            assert done.stdout == f"0\n{way.target.user}\n".encode()
            return
        with pytest.raises(PrivilegeDenied) as caught:
            session.run(b"id -u", deadline=soon(), limit_bytes=LIMIT, privileged=True)
        assert "sudo:" in (caught.value.evidence or "")


# A login in a namespace of its own, in which BusyBox is the only program.
_BARE = """#!/bin/sh
set -e
mount -t tmpfs none /mnt
cp {busybox} /mnt/busybox
for name in sh cat echo stty; do ln -s busybox /mnt/$name; done
for folder in /usr/local/bin /usr/local/sbin /usr/sbin /sbin /usr/bin /bin; do
    [ ! -d $folder ] || /mnt/busybox mount --bind /mnt $folder
done
exec /mnt/sh -c "${{SSH_ORIGINAL_COMMAND:-exec /mnt/sh -i}}"
"""


def test_without_sudo_root_rights_are_denied_in_words(kind: Kind, tmp_path: Path) -> None:
    unshare, busybox = needs_namespaces(), needs("busybox")
    bare = tmp_path / "bare"
    bare.write_text(_BARE.format(busybox=busybox))
    bare.chmod(0o755)
    forced = f"ForceCommand exec {unshare} -rm {bare}"
    with way_in(tmp_path / "sshd", kind, forced) as way, way.within(privilege="sudo").opened() as session:
        assert run(session, b"echo hi")[1] == b"hi\n"
        with pytest.raises(PrivilegeDenied) as caught:
            session.run(b"id -u", deadline=soon(), limit_bytes=LIMIT, privileged=True)
    assert "sudo: not found" in (caught.value.evidence or "")
