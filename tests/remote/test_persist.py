"""The persist program in throw-away namespaces, under every shell."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from sysfleet.remote.programs.persisting import PersistRecord, PersistRequest, parse_persist, persist_program
from sysfleet.remote.programs.reading import ReadRequest, parse_reading, read_program
from sysfleet.sysctl.key import Key
from tests.remote.boxes import Box, Shell
from tests.support.needs import needs

PATH = "/etc/sysctl.d/99-zz-sysfleet.conf"
HEADER = "# Written by sysfleet."
CONTENT = f"{HEADER}\nnet.ipv4.tcp_syncookies = 1\n".encode()
COOKIES = Key("net.ipv4.tcp_syncookies")


def token(host: Box, shell: Shell) -> str:
    return parse_reading(host.perform(shell, read_program(ReadRequest(()))).body).files_token


def persist(
    host: Box,
    shell: Shell,
    content: bytes | None,
    *,
    files_token: str | None = None,
    settle: Sequence[tuple[Key, str]] = (),
    allowance_s: float = 60,
    path: str = PATH,
) -> PersistRecord:
    request = PersistRequest(
        run_id="r1",
        not_after_s=host.uptime_s() + allowance_s,
        path=path,
        content=content,
        files_token=token(host, shell) if files_token is None else files_token,
        settle=settle,
        header=HEADER,
    )
    framed = host.perform(shell, persist_program(request))
    assert framed.status == 0
    return parse_persist(framed.body)


def ours(host: Box) -> Path:
    return host.etc / "sysctl.d/99-zz-sysfleet.conf"


def names(host: Box) -> set[str]:
    return {entry.name for entry in (host.etc / "sysctl.d").iterdir()}


def test_the_file_is_written_byte_for_byte_with_its_mode_and_nothing_beside_it(host: Box, shell: Shell) -> None:
    every_byte = bytes(number for number in range(1, 256))
    content = CONTENT + b"# " + every_byte + b"\n# '\"$(touch /tmp/x)`\\\n; no final newline"
    assert persist(host, shell, content) == PersistRecord("committed")
    assert ours(host).read_bytes() == content
    assert ours(host).stat().st_mode & 0o7777 == 0o644
    assert names(host) == {"99-zz-sysfleet.conf"}


def test_a_file_of_ours_is_replaced_and_taken_away(host: Box, shell: Shell) -> None:
    ours(host).write_bytes(CONTENT + b"# older\n")
    assert persist(host, shell, CONTENT).state == "committed"
    assert ours(host).read_bytes() == CONTENT
    assert persist(host, shell, None).state == "committed"
    assert names(host) == set()


def test_the_folder_is_made_where_there_is_none(host: Box, shell: Shell) -> None:
    (host.etc / "sysctl.d").rmdir()
    assert persist(host, shell, CONTENT).state == "committed"
    assert ours(host).read_bytes() == CONTENT


def test_a_file_that_is_not_ours_is_left_alone(host: Box, shell: Shell) -> None:
    for foreign in (b"net.ipv4.tcp_syncookies = 0\n", b"", HEADER.encode() + b" not\n"):
        ours(host).write_bytes(foreign)
        for content in (CONTENT, None):
            record = persist(host, shell, content)
            assert record.state == "blocked"
            assert "not ours" in record.why
        assert ours(host).read_bytes() == foreign


def test_a_link_is_left_alone(host: Box, shell: Shell) -> None:
    elsewhere = host.etc / "elsewhere.conf"
    elsewhere.write_bytes(CONTENT)
    ours(host).symlink_to("../elsewhere.conf")
    record = persist(host, shell, CONTENT + b"# new\n")
    assert (record.state, record.why) == ("blocked", "the file is a link")
    assert elsewhere.read_bytes() == CONTENT


def test_what_is_no_file_is_left_alone(host: Box, shell: Shell) -> None:
    ours(host).mkdir()
    record = persist(host, shell, CONTENT)
    assert (record.state, record.why) == ("blocked", "the file is not a regular file")


def test_an_immutable_file_is_blocked_and_nothing_is_left_behind(host: Box, shell: Shell) -> None:
    ours(host).write_bytes(CONTENT)
    done = subprocess.run([needs("chattr"), "+i", str(ours(host))], check=False, capture_output=True)
    if done.returncode != 0:
        pytest.skip("not on this kernel: no immutable files here")
    try:
        record = persist(host, shell, CONTENT + b"# new\n")
    finally:
        subprocess.run([needs("chattr"), "-i", str(ours(host))], check=True)
    assert record.state == "blocked"
    assert ours(host).read_bytes() == CONTENT
    assert names(host) == {"99-zz-sysfleet.conf"}


def test_a_read_only_file_system_is_blocked(host: Box, shell: Shell) -> None:
    files_token = token(host, shell)
    host.sh("mount --bind /etc/sysctl.d /etc/sysctl.d && mount -o remount,bind,ro /etc/sysctl.d")
    record = persist(host, shell, CONTENT, files_token=files_token)
    assert record.state == "blocked"
    assert record.why


def test_a_full_file_system_is_a_failure_that_leaves_nothing_behind(host: Box, shell: Shell) -> None:
    host.sh("mount -t tmpfs -o size=4k none /etc/sysctl.d && cat /dev/zero >/etc/sysctl.d/full 2>/dev/null || :")
    record = persist(host, shell, CONTENT + b"#" * 9000 + b"\n")
    assert record.state == "failed"
    assert host.sh("ls -A /etc/sysctl.d") == "full"


def test_files_that_changed_since_the_reading_stop_it(host: Box, shell: Shell) -> None:
    before = token(host, shell)
    (host.etc / "sysctl.conf").write_bytes(b"net.ipv4.tcp_syncookies = 0\n")
    assert persist(host, shell, CONTENT, files_token=before).state == "changed_since"
    assert names(host) == set()


def test_nothing_is_written_after_the_time_allowed(host: Box, shell: Shell) -> None:
    assert persist(host, shell, CONTENT, allowance_s=-2).state == "too_late"
    assert names(host) == set()


def test_a_key_that_moved_by_then_is_told_and_the_file_is_written_all_the_same(host: Box, shell: Shell) -> None:
    host.set("net/ipv4/tcp_syncookies", "2")
    record = persist(host, shell, CONTENT, settle=[(COOKIES, "1")])
    assert record.state == "committed"
    assert record.moved == ((COOKIES, "1", "2"),)
    assert ours(host).read_bytes() == CONTENT


def test_content_and_paths_that_cannot_be_sent_are_refused() -> None:
    def request(path: str = PATH, content: bytes | None = CONTENT) -> PersistRequest:
        return PersistRequest("r1", 10, path, content, "", (), HEADER)

    for wrong in (
        request(content=b"no header\n"),
        request(content=CONTENT + b"\0"),
        request(path="/etc/../etc/x.conf"),
        request(path="/etc/sysctl.d/x"),
        request(path="/etc/$(id).conf"),
    ):
        with pytest.raises(ValueError):
            persist_program(wrong)
