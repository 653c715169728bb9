"""The watchdog on a host, in throw-away namespaces: it puts everything back by itself, or is told not to."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pytest

from sysfleet.host import Reading
from sysfleet.remote.programs.changing import ChangeRecord, ChangeRequest, change_program, parse_change
from sysfleet.remote.programs.persisting import PersistRecord, PersistRequest, parse_persist, persist_program
from sysfleet.remote.programs.placing import OurFile
from sysfleet.remote.programs.reading import ReadRequest, parse_reading, read_program
from sysfleet.remote.programs.reverting import RevertRecord, look_program, parse_revert, revert_program
from sysfleet.sysctl.key import Key
from tests.remote.boxes import Box, Shell
from tests.support.needs import needs

PATH = "/etc/sysctl.d/99-zz-sysfleet.conf"
HEADER = "# Written by sysfleet."
CONTENT = f"{HEADER}\nnet.ipv4.tcp_syncookies = 2\n".encode()
OLD = f"{HEADER}\n# older\n".encode()
COOKIES = Key("net.ipv4.tcp_syncookies")
FORWARD = Key("net.ipv4.ip_forward")
EACH = Key("net.ipv4.conf.*.*")
IPV6 = Key("net.ipv6.conf.*.*")
KILLABLE = ["dash", "bash"]  # BusyBox has programs of its own, which nobody can replace
LATE = "nobody confirmed the change in time"


class Seen(NamedTuple):
    """All that a change may move, seen from inside without the programs under test."""

    values: str
    addresses: str
    routes: str
    files: str


def seen(host: Box) -> Seen:
    # Of addresses and routes, not how long they still hold, nor their order.
    return Seen(
        host.sh("grep -rs . /proc/sys/net/ipv4 /proc/sys/net/ipv6 | grep -v -e stable_secret -e fastopen_key | sort"),
        host.sh("ip -o addr | sed 's/ scope.*//' | sort"),
        host.sh("ip -4 route show default; ip -6 route show default"),
        host.sh("cd /etc/sysctl.d && grep -r . . || :"),
    )


def settle_down(host: Box) -> None:
    """Wait until no IPv6 address is tentative any more."""
    host.sh("while ip -6 addr | grep -q tentative; do sleep 0.1; done")


def change(
    host: Box,
    shell: Shell,
    settle: Sequence[tuple[Key, str]] = ((COOKIES, "2"),),
    *,
    patterns: tuple[Key, ...] = (COOKIES,),
    watch_s: int = 60,
    run: str = "r1",
    keeps_addresses: bool = False,
    reading: Reading | None = None,
) -> ChangeRecord:
    reading = reading or read(host, shell, *patterns)
    request = ChangeRequest(
        run,
        host.uptime_s() + 60,
        tuple(reading.values.items()),
        settle,
        tuple(key for key, _ in settle),
        reading.files_token,
        file=OurFile(PATH, CONTENT, HEADER),
        watch_s=watch_s,
        keeps_addresses=keeps_addresses,
    )
    return parse_change(host.perform(shell, change_program(request)).body)


def read(host: Box, shell: Shell, *patterns: Key) -> Reading:
    return parse_reading(host.perform(shell, read_program(ReadRequest(patterns))).body)


def persisting(host: Box, shell: Shell, run: str = "r1", content: bytes | None = CONTENT) -> bytes:
    token = read(host, shell).files_token
    return persist_program(PersistRequest(run, host.uptime_s() + 60, PATH, content, token, (), HEADER, armed=True))


def persist(host: Box, shell: Shell, run: str = "r1") -> PersistRecord:
    return parse_persist(host.perform(shell, persisting(host, shell, run)).body)


def look(host: Box, shell: Shell, run: str = "r1") -> RevertRecord:
    return parse_revert(host.perform(shell, look_program(run)).body)


def watchdog(host: Box) -> int:
    """The number of the process, as the box has it."""
    return int(next(line for line in record(host) if line.startswith("watched")).split()[2])


def record(host: Box) -> list[str]:
    return (host.run / "sysfleet/change").read_text().splitlines()


def wait_for_end(host: Box, pid: int) -> None:
    # Nobody reaps in a box, so a process that has ended stays as a zombie.
    host.sh(f"while grep -qs '^State:.[^Z]' /proc/{pid}/status; do sleep 0.1; done")


def processes(host: Box) -> set[str]:
    """What runs in the box besides what every look at it starts."""
    listed = host.sh("cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '")
    return {word for word in ("undo-", "sleep") if word in listed}


def left(host: Box) -> list[str]:
    return sorted(path.name for path in (host.run / "sysfleet").iterdir())


def test_what_nobody_confirms_is_put_back_and_nothing_is_left(host: Box, shell: Shell) -> None:
    host.sh("ip link add v0 type veth peer name v1; ip link set v0 up; ip link set v1 up")
    host.set("net/ipv4/conf/v0/accept_redirects", "0")
    host.set("net/ipv4/ip_forward", "1")
    (host.etc / "sysctl.d/99-zz-sysfleet.conf").write_bytes(OLD)
    before = seen(host)
    done = change(host, shell, [(FORWARD, "0"), (COOKIES, "2")], patterns=(FORWARD, COOKIES, EACH), watch_s=1)
    pid = watchdog(host)
    assert done.state == "settled"
    wait_for_end(host, pid)
    assert seen(host) == before
    assert processes(host) == set()
    assert left(host) == ["change", "lock"]
    assert look(host, shell) == RevertRecord("reverted", LATE)
    assert (host.run / "sysfleet/change").stat().st_mode & 0o077 == 0


def test_the_watchdog_outlives_the_login_that_started_it_and_holds_nothing_of_it(host: Box, shell: Shell) -> None:
    # perform() returns once every end of the output is closed: with the watchdog still there, it has none.
    alone = replace(shell, command=(needs("setsid"), "--wait", *shell.command))
    assert change(host, alone).state == "settled"
    pid = watchdog(host)
    listed = host.sh(f"readlink /proc/{pid}/fd/* /proc/{pid}/cwd").split()
    assert {name for name in listed if not name.endswith("/undo-r1")} == {"/dev/null", "/"}
    assert host.sh(f"cut -d' ' -f6 /proc/{pid}/stat") == str(pid), "it has a session of its own"
    assert (host.run / "sysfleet/undo-r1").stat().st_mode & 0o077 == 0


def test_a_commit_ends_the_watchdog_with_all_it_started(host: Box, shell: Shell) -> None:
    (host.etc / "sysctl.d/99-zz-sysfleet.conf").write_bytes(OLD)
    change(host, shell)
    pid = watchdog(host)
    assert persist(host, shell) == PersistRecord("committed")
    wait_for_end(host, pid)
    assert processes(host) == set()
    assert left(host) == ["change", "lock"]
    assert [path.name for path in (host.etc / "sysctl.d").iterdir()] == ["99-zz-sysfleet.conf"]
    assert look(host, shell).state == "committed"
    assert host.get("net/ipv4/tcp_syncookies") == "2"


def test_nothing_is_persisted_of_a_change_that_was_put_back(host: Box, shell: Shell) -> None:
    change(host, shell, watch_s=1)
    wait_for_end(host, watchdog(host))
    assert persist(host, shell) == PersistRecord("reverted", LATE)
    assert seen(host).files == ""


def test_a_change_is_put_back_at_once_when_the_controller_says_so_and_only_once(host: Box, shell: Shell) -> None:
    before = seen(host)
    change(host, shell)
    pid = watchdog(host)
    undo = revert_program("r1", "it's lost")
    assert parse_revert(host.perform(shell, undo).body) == RevertRecord("reverted", "it's lost")
    host.set("net/ipv4/tcp_syncookies", "0")
    assert parse_revert(host.perform(shell, undo).body) == RevertRecord("reverted", "it's lost")
    assert host.get("net/ipv4/tcp_syncookies") == "0"
    host.set("net/ipv4/tcp_syncookies", "1")
    wait_for_end(host, pid)
    assert seen(host) == before
    assert (processes(host), left(host)) == (set(), ["change", "lock"])


def test_addresses_and_default_routes_that_went_with_a_number_come_back(host: Box, shell: Shell) -> None:
    if not Path("/proc/sys/net/ipv6").exists():
        pytest.skip("not on this kernel: no IPv6")
    host.sh("ip link add v0 type veth peer name v1; ip link set v1 up; ip link set v0 up")
    host.sh("ip -6 addr add fd00::2/64 dev v0 && ip -6 route add default via fd00::1 dev v0 metric 77")
    settle_down(host)
    before = seen(host)
    off = Key("net.ipv6.conf.all.disable_ipv6")
    assert change(host, shell, [(off, "1")], patterns=(IPV6,), watch_s=1, keeps_addresses=True).state == "settled"
    assert "fd00" not in host.sh("ip -6 addr; ip -6 route")
    wait_for_end(host, watchdog(host))
    settle_down(host)
    assert seen(host) == before


def test_another_run_waits_while_a_watchdog_is_armed(host: Box, shell: Shell) -> None:
    change(host, shell)
    assert change(host, shell, [(COOKIES, "0")], run="r2").state == "locked"
    assert persist(host, shell, "r2").state == "locked"
    assert persist(host, shell).state == "committed"
    assert change(host, shell, [(COOKIES, "0")], run="r2").state == "settled"


def test_a_record_of_another_boot_is_never_replayed(host: Box, shell: Shell) -> None:
    change(host, shell)
    path = host.run / "sysfleet/change"
    path.write_text(path.read_text().replace(host.sh("cat /proc/sys/kernel/random/boot_id"), "another"))
    assert look(host, shell).state == "restarted"
    host.sh("sh /run/sysfleet/undo-r1 now test")
    assert host.get("net/ipv4/tcp_syncookies") == "2"
    assert persist(host, shell).state == "failed"
    assert change(host, shell, [(COOKIES, "0")], run="r2").state == "settled"


def test_nothing_is_written_where_a_session_ends_what_it_started(host: Box, shell: Shell) -> None:
    host.sh("mkdir -p /run/systemd/system /run/systemd/logind.conf.d")
    (host.run / "systemd/logind.conf.d/50.conf").write_text("[Login]\nKillUserProcesses = yes\n")
    done = change(host, shell)
    assert done.state == "refused"
    assert "KillUserProcesses" in done.why
    assert (host.get("net/ipv4/tcp_syncookies"), left(host), seen(host).files) == ("1", ["lock"], "")
    (host.run / "systemd/logind.conf.d/60.conf").write_text("[Login]\nKillUserProcesses=no\n")
    assert change(host, shell).state == "settled"


def killed_by(folder: Path, shell: Shell, program: str, call: int = 1) -> Shell:
    """The shell, killed with all of its session as soon as this program has done its work so many times."""
    folder.mkdir()
    real = host_program(shell, program)
    (folder / program).write_text(
        f'#!/bin/sh\n{real} "$@"\necho >>{folder}/calls\n[ "$(grep -c "" {folder}/calls)" != {call} ] || kill -KILL 0\n'
    )
    (folder / program).chmod(0o755)
    return replace(shell, command=(needs("setsid"), "--wait", *shell.command), path=f"{folder}:{shell.path}")


def host_program(shell: Shell, name: str) -> str:
    return next(path for path in (f"{folder}/{name}" for folder in shell.path.split(":")) if Path(path).exists())


@pytest.mark.parametrize("shell", KILLABLE, indirect=True)
@pytest.mark.parametrize(("step", "had"), [("ln", OLD), ("mv", OLD), ("sync", OLD), ("mv", None), ("sync", None)])
def test_a_persist_that_is_killed_leaves_all_as_it_was(
    host: Box, shell: Shell, tmp_path: Path, step: str, had: bytes | None
) -> None:
    ours = host.etc / "sysctl.d/99-zz-sysfleet.conf"
    if had is not None:
        ours.write_bytes(had)
    before = seen(host)
    change(host, shell, watch_s=2)
    pid = watchdog(host)
    program = persisting(host, shell)
    with pytest.raises(Exception, match="did not come to its end"):
        host.perform(killed_by(tmp_path / "programs", shell, step), program)
    wait_for_end(host, pid)
    assert seen(host) == before
    assert (processes(host), left(host)) == (set(), ["change", "lock"])


# Compared; looked what to write; written and looked again; told everything.
@pytest.mark.parametrize("shell", KILLABLE, indirect=True)
@pytest.mark.parametrize("call", [1, 2, 3, 4])
def test_a_change_that_is_killed_leaves_all_as_it_was(host: Box, shell: Shell, tmp_path: Path, call: int) -> None:
    before = seen(host)
    with pytest.raises(Exception, match="did not come to its end"):
        change(
            host, killed_by(tmp_path / "programs", shell, "awk", call), watch_s=1, reading=read(host, shell, COOKIES)
        )
    if call > 1:
        wait_for_end(host, watchdog(host))
        assert look(host, shell) == RevertRecord("reverted", LATE)
    assert seen(host) == before
    assert (processes(host), left(host)) == (set(), ["change", "lock"] if call > 1 else ["lock"])


def test_a_killed_watchdog_stops_neither_a_commit_nor_a_later_put_back(host: Box, shell: Shell) -> None:
    for undone in (False, True):
        change(host, shell, [(COOKIES, "2")])
        host.sh(f"kill -{signal.SIGKILL.value} {watchdog(host)}")
        if undone:
            assert parse_revert(host.perform(shell, revert_program("r1", "test")).body).state == "reverted"
            assert host.get("net/ipv4/tcp_syncookies") == "1"
        else:
            assert persist(host, shell).state == "committed"
            host.set("net/ipv4/tcp_syncookies", "1")
