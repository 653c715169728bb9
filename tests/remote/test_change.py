"""The change program in throw-away namespaces, under every shell."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from sysfleet.host import Reading, Running, RunningState
from sysfleet.remote.programs.changing import ChangeRecord, ChangeRequest, change_program, parse_change
from sysfleet.remote.programs.reading import ReadRequest, parse_reading, read_program
from sysfleet.sysctl.key import Key
from tests.remote.boxes import Box, Shell
from tests.support.needs import needs

FORWARD = Key("net.ipv4.ip_forward")
ALL = Key("net.ipv4.conf.all.accept_redirects")
EACH = Key("net.ipv4.conf.*.accept_redirects")
COOKIES = Key("net.ipv4.tcp_syncookies")
RMEM = Key("net.ipv4.tcp_rmem")
REUSE = Key("net.ipv4.tcp_tw_reuse")


def read(host: Box, shell: Shell, *patterns: Key) -> Reading:
    return parse_reading(host.perform(shell, read_program(ReadRequest(patterns))).body)


def change(
    host: Box,
    shell: Shell,
    reading: Reading,
    settle: Sequence[tuple[Key, str]],
    *,
    allowance_s: float = 60,
    read_back: tuple[Key, ...] = (),
    watch_s: int = 60,
) -> ChangeRecord:
    request = ChangeRequest(
        run_id="r1",
        not_after_s=reading.facts.uptime_s + allowance_s,
        compare=tuple(reading.values.items()),
        settle=settle,
        read_back=read_back or tuple(key for key, _ in settle),
        files_token=reading.files_token,
        watch_s=watch_s,
    )
    framed = host.perform(shell, change_program(request))
    assert framed.status == 0
    return parse_change(framed.body)


def test_one_change_reaches_the_wanted_state_although_forwarding_moves_redirects(host: Box, shell: Shell) -> None:
    host.set("net/ipv4/ip_forward", "1")
    host.set("net/ipv4/conf/all/accept_redirects", "0")
    reading = read(host, shell, FORWARD, ALL)

    record = change(host, shell, reading, [(FORWARD, "0"), (ALL, "0")], read_back=(FORWARD, EACH))

    assert record.state == "settled"
    assert record.written == ((FORWARD, "0"), (ALL, "0"))
    assert record.moved == ()
    assert record.values[ALL] == Running(RunningState.VALUE, "0")
    assert Key("net.ipv4.conf.lo.accept_redirects") in record.values
    assert (host.get("net/ipv4/ip_forward"), host.get("net/ipv4/conf/all/accept_redirects")) == ("0", "0")


def test_a_second_change_writes_nothing(host: Box, shell: Shell) -> None:
    change(host, shell, read(host, shell, COOKIES), [(COOKIES, "2")])
    record = change(host, shell, read(host, shell, COOKIES), [(COOKIES, "2")])
    assert (record.state, record.written) == ("settled", ())


def test_values_that_differ_in_white_space_alone_are_the_same(host: Box, shell: Shell) -> None:
    host.set("net/ipv4/tcp_rmem", "4096 131072 6291456")
    record = change(host, shell, read(host, shell, RMEM), [(RMEM, "4096  131072\t6291456")])
    assert (record.state, record.written) == ("settled", ())


def test_a_value_that_moved_since_the_reading_stops_everything(host: Box, shell: Shell) -> None:
    reading = read(host, shell, COOKIES, REUSE)
    host.set("net/ipv4/tcp_tw_reuse", "0")
    record = change(host, shell, reading, [(COOKIES, "2")])
    assert (record.state, record.why, record.written) == ("changed_since", "values", ())
    assert record.moved == ((REUSE, reading.text(REUSE), "0"),)
    assert host.get("net/ipv4/tcp_syncookies") == reading.text(COOKIES)


def test_a_file_that_changed_since_the_reading_stops_everything(host: Box, shell: Shell) -> None:
    reading = read(host, shell, COOKIES)
    (host.etc / "sysctl.d/10-new.conf").symlink_to("/dev/null")
    record = change(host, shell, reading, [(COOKIES, "2")])
    assert (record.state, record.why, record.written) == ("changed_since", "files", ())
    assert host.get("net/ipv4/tcp_syncookies") == reading.text(COOKIES)


def test_nothing_is_written_after_the_time_allowed(host: Box, shell: Shell) -> None:
    reading = read(host, shell, COOKIES)
    record = change(host, shell, reading, [(COOKIES, "2")], allowance_s=-1)
    assert (record.state, record.written) == ("too_late", ())
    assert host.get("net/ipv4/tcp_syncookies") == reading.text(COOKIES)


def test_a_refused_write_puts_back_what_was_written_before_it(host: Box, shell: Shell) -> None:
    reading = read(host, shell, COOKIES, REUSE)
    record = change(host, shell, reading, [(COOKIES, "2"), (REUSE, "99999")])
    assert record.state == "reverted"
    assert record.written == ((COOKIES, "2"),)
    assert record.refusals == ((REUSE, "Invalid argument"),)
    assert host.get("net/ipv4/tcp_syncookies") == reading.text(COOKIES)


def test_a_refusal_after_which_not_all_can_be_put_back_says_what_is_left(host: Box, shell: Shell) -> None:
    reading = read(host, shell, REUSE)
    record = change(host, shell, reading, [(COOKIES, "2"), (REUSE, "99999")])
    assert record.state == "reverted", "only what was compared is put back"
    assert host.get("net/ipv4/tcp_syncookies") == "2"


def test_what_the_kernel_keeps_in_another_form_is_written_twice_at_most_and_told(host: Box, shell: Shell) -> None:
    rate = Key("net.ipv4.icmp_ratelimit")
    record = change(host, shell, read(host, shell, rate), [(rate, "1001")])
    assert record.state == "settled"
    found = host.get("net/ipv4/icmp_ratelimit")
    if found != "1001":
        assert record.moved == ((rate, "1001", found),)
        assert 1 <= len(record.written) <= 2


def test_another_change_under_way_is_told_and_disturbed_by_nothing(host: Box, shell: Shell) -> None:
    reading = read(host, shell, COOKIES)
    host.sh("mkdir -m 0700 /run/sysfleet")
    with subprocess.Popen(
        [*host._enter(), "flock", "/run/sysfleet/lock", "sh", "-c", "echo held; exec cat"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdin is not None
        assert holder.stdout.readline() == b"held\n"
        assert change(host, shell, reading, [(COOKIES, "2")]).state == "locked"
        holder.stdin.close()
    assert change(host, shell, reading, [(COOKIES, "2")]).state == "settled"


def test_a_state_folder_that_is_a_link_is_refused(host: Box, shell: Shell) -> None:
    reading = read(host, shell, COOKIES)
    (host.run / "sysfleet").symlink_to("/tmp")
    record = change(host, shell, reading, [(COOKIES, "2")])
    assert record.state == "refused"
    assert "folder" in record.why


def test_an_interface_that_went_away_is_no_failure(host: Box, shell: Shell) -> None:
    host.sh("ip link add v0 type veth peer name v1")
    reading = read(host, shell, COOKIES, EACH)
    host.sh("ip link del v0")
    record = change(host, shell, reading, [(COOKIES, "2"), (Key("net.ipv4.conf.v0.accept_redirects"), "0")])
    assert record.state == "settled"
    assert record.written == ((COOKIES, "2"),)


def test_the_host_s_lock_is_root_s_alone(host: Box, shell: Shell) -> None:
    change(host, shell, read(host, shell, COOKIES), [(COOKIES, "2")])
    assert (host.run / "sysfleet").stat().st_mode & 0o777 == 0o700


def test_a_hang_up_once_writing_has_begun_stops_nothing(host: Box, shell: Shell, tmp_path: Path) -> None:
    # The second awk is the first after the comparison: it hangs up on the whole process group, as a dying sshd does.
    programs = tmp_path / "programs"
    programs.mkdir()
    awk = shutil.which("awk", path=shell.path)
    (programs / "awk").write_text(
        f'#!/bin/sh\nif [ -e {tmp_path}/first ]; then kill -HUP 0; fi\n>{tmp_path}/first\nexec {awk} "$@"\n'
    )
    (programs / "awk").chmod(0o755)
    reading = read(host, shell, COOKIES)
    request = ChangeRequest(
        "r1",
        reading.facts.uptime_s + 60,
        tuple(reading.values.items()),
        [(COOKIES, "2")],
        (COOKIES,),
        reading.files_token,
    )
    alone = Shell("alone", (needs("setsid"), "--wait", *shell.command), f"{programs}:{shell.path}")
    record = parse_change(host.perform(alone, change_program(request)).body)
    assert record.state == "settled"
    assert host.get("net/ipv4/tcp_syncookies") == "2"


def test_the_same_number_of_processes_whatever_is_changed(host: Box, shell: Shell) -> None:
    host.sh("for i in 1 2 3 4 5 6 7 8; do ip link add a$i type veth peer name b$i; done")
    change(host, shell, read(host, shell, COOKIES), [(COOKIES, "2")], watch_s=0)

    def started(settle: Sequence[tuple[Key, str]], *patterns: Key) -> int:
        reading = read(host, shell, *patterns)
        before = int(host.sh("echo $$"))
        # The watchdog's sleeps would be counted too.
        assert change(host, shell, reading, settle, watch_s=0).state == "settled"
        return int(host.sh("echo $$")) - before

    few = started([(COOKIES, "1")], COOKIES)
    keys = [Key(f"net.ipv4.conf.{side}{number}.rp_filter") for side in "ab" for number in range(1, 9)]
    many = started([(key, "2") for key in keys], Key("net.ipv4.conf.*.rp_filter"))
    assert many == few
