"""Rollouts over real SSH hosts: who begins when, what stops all others, and what their rows say."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest
from typing_extensions import override

from sysfleet.errors import ExitCode, UsageError
from sysfleet.fleet import Fleet
from sysfleet.lab import HostSpec, Lab
from sysfleet.outcome import FleetReport, HostOutcome, Status
from sysfleet.reporter import Silent
from sysfleet.settings import override as assigned
from sysfleet.settings import parse
from tests.support.lab import LabFactory

KEY = "net.ipv4.tcp_rfc1337"
IN_CHANGE = {"change", "confirm"}


class Told(Silent):
    """Keeps what it is told, in order: `web1 connect`, `web1 changed` …"""

    def __init__(self, at: Callable[[str], None] = lambda _event: None) -> None:
        self._at = at
        self._lock = threading.Lock()
        self.events: list[str] = []
        self.notes: list[str] = []

    @override
    def phase(self, host: str, phase: str) -> None:
        self._told(f"{host} {phase}")

    @override
    def row(self, outcome: HostOutcome) -> None:
        self._told(f"{outcome.host} {outcome.status.value}")

    @override
    def note(self, text: str) -> None:
        self.notes.append(text)
        self._at(text)

    def _told(self, event: str) -> None:
        with self._lock:
            self.events.append(event)
        self._at(event)

    def came(self, event: str) -> int:
        return self.events.index(event)

    def changed(self) -> list[str]:
        """The hosts that went into change, in order."""
        return [host for host, _, phase in (event.partition(" ") for event in self.events) if phase == "change"]


def fleet_of(lab: Lab, *settings: str, told: Told | None = None) -> Fleet:
    text = (lab.folder / "sysfleet.toml").read_text()
    environ = {"HOME": "/nonexistent", "USER": "nobody"}
    return Fleet(lab.folder, assigned(parse(text), settings), environ=environ, reporter=told)


def statuses(report: FleetReport) -> dict[str, Status]:
    return {row.host: row.status for row in report.hosts}


def said(report: FleetReport, host: str) -> str:
    (row,) = [row for row in report.hosts if row.host == host]
    assert row.error is not None
    return row.error.message


def web(number: int, **fields: object) -> HostSpec:
    return HostSpec(f"web{number}", groups=("web",), **fields)  # type: ignore[arg-type]


@pytest.fixture
def make_lab(lab_factory: LabFactory) -> LabFactory:
    def make(*hosts: HostSpec, **options: object) -> Lab:
        lab = lab_factory(*hosts, **options)
        (lab.folder / "templates").mkdir()
        for name in ("base", "web", "bastion"):
            (lab.folder / "templates" / f"{name}.conf.j2").write_text(f"{KEY} = 1\n" if name == "base" else "")
        return lab

    return make


def lets_in_once(lab: Lab, name: str) -> None:
    """From the second login on nobody is let in any more, so that a change there is put back."""
    if lab.backend != "openssh":
        pytest.skip("not on this kernel: only OpenSSH asks a command for keys")
    ssh = lab.hosts[name].etc / "ssh"
    (ssh / "keys").write_text(
        "#!/bin/sh\n[ -e /run/once ] && exit 1\n: >/run/once\ncat /etc/ssh/authorized_keys.d/root\n"
    )
    (ssh / "keys").chmod(0o755)
    asked = "AuthorizedKeysCommand /etc/ssh/keys\nAuthorizedKeysCommandUser root\nAuthorizedKeysFile none\n"
    (ssh / "sshd_config").write_text(asked + (ssh / "sshd_config").read_text())


def lets_in_again(lab: Lab, name: str) -> None:
    keys = lab.hosts[name].etc / "ssh" / "keys"
    keys.write_text("#!/bin/sh\ncat /etc/ssh/authorized_keys.d/root\n")


def test_twenty_hosts_go_one_then_a_tenth_then_all_and_a_lost_first_one_stops_them(make_lab: LabFactory) -> None:
    lab = make_lab(*map(web, range(1, 21)))
    lets_in_once(lab, "web1")
    told = Told()
    report = fleet_of(lab, told=told).apply()
    others = [f"web{number}" for number in range(2, 21)]
    assert statuses(report) == {"web1": Status.REVERTED} | dict.fromkeys(others, Status.SKIPPED)
    assert {said(report, name) for name in others} == {"budget used up: 1 lost: web1"}
    assert report.exit_code is ExitCode.HOST_FAILED
    assert report.notes == ("budget used up: 1 lost: web1; 19 not begun",)
    assert {event.partition(" ")[0] for event in told.events if event.endswith(" connect")} == {"web1"}
    assert {lab.hosts[name].read(KEY) for name in lab.hosts} == {"0"}

    lets_in_again(lab, "web1")
    told = Told()
    assert set(statuses(fleet_of(lab, "run.pause_s=0.2", told=told).apply()).values()) == {Status.CHANGED}
    assert told.came("web1 changed") < told.came("web2 connect")
    assert all(told.came("web2 changed") < told.came(f"web{number} connect") for number in range(3, 21))


def test_a_lost_host_in_the_middle_stops_new_starts_and_those_in_change_are_finished(make_lab: LabFactory) -> None:
    lab = make_lab(*map(web, range(1, 9)))
    lets_in_once(lab, "web3")
    report = fleet_of(lab, "run.batch=2,50%,100%").apply()
    expected = {f"web{number}": Status.CHANGED for number in (1, 2, 4)}
    expected |= {"web3": Status.REVERTED} | {f"web{number}": Status.SKIPPED for number in range(5, 9)}
    assert statuses(report) == expected


def test_hosts_that_fail_before_anything_is_written_have_a_budget_of_their_own(make_lab: LabFactory) -> None:
    lab = make_lab(web(1, refuse=True), web(2), web(3, refuse=True), web(4), web(5))
    stopped = fleet_of(lab, "run.max_failures=0").apply()
    assert statuses(stopped) == {"web1": Status.UNREACHABLE} | {f"web{n}": Status.SKIPPED for n in range(2, 6)}
    assert said(stopped, "web5") == "budget used up: 1 failed: web1"
    gone_on = fleet_of(lab, "run.max_failures=2").apply()
    down, up = dict.fromkeys(["web1", "web3"], Status.UNREACHABLE), ["web2", "web4", "web5"]
    assert statuses(gone_on) == down | dict.fromkeys(up, Status.CHANGED)


def test_failures_of_the_survey_count_and_then_nobody_is_asked(make_lab: LabFactory) -> None:
    lab = make_lab(web(1), web(2, refuse=True), web(3))
    report = fleet_of(lab, "run.max_failures=0").apply(approve=lambda _plan: pytest.fail("asked"))
    assert statuses(report) == {"web1": Status.SKIPPED, "web2": Status.UNREACHABLE, "web3": Status.SKIPPED}
    (row, *_) = report.hosts
    assert [setting.key for setting in row.settings] == [KEY], "what was read stays in the row"


@pytest.mark.parametrize("asks", [False, True], ids=["in one pass", "with a question"])
def test_the_first_to_be_changed_is_one_that_has_something_to_change(make_lab: LabFactory, asks: bool) -> None:
    lab = make_lab(*map(web, range(1, 7)))
    for name in ("web1", "web2"):
        assert statuses(fleet_of(lab).apply(name)) == {name: Status.CHANGED}
    told = Told()
    report = fleet_of(lab, "run.batch=1,100%", told=told).apply(approve=(lambda _plan: True) if asks else None)
    ok, changed = dict.fromkeys(["web1", "web2"], Status.OK), [f"web{number}" for number in range(3, 7)]
    assert statuses(report) == ok | dict.fromkeys(changed, Status.CHANGED)
    assert told.changed()[0] == "web3"
    assert all(told.came("web3 changed") < told.came(f"{name} change") for name in changed[1:])
    assert told.notes == []


def test_no_more_of_a_group_are_in_change_than_it_allows(make_lab: LabFactory) -> None:
    lab = make_lab(*map(web, range(1, 5)))
    told = Told()
    settings = ("run.batch=100%", "run.max_parallel_per=web=1")
    assert set(statuses(fleet_of(lab, *settings, told=told).apply()).values()) == {Status.CHANGED}
    order = [event.partition(" ")[0] for event in told.events]
    assert order == sorted(order), "each is done before the next begins"


def test_a_bastion_is_changed_when_the_hosts_behind_it_are(make_lab: LabFactory) -> None:
    lab = make_lab(
        HostSpec("bastion1", groups=("bastion",)), web(1, behind="bastion1"), web(2, behind="bastion1"), web(3)
    )
    told = Told()
    report = fleet_of(lab, "run.batch=100%", told=told).apply()
    assert set(statuses(report).values()) == {Status.CHANGED}
    assert all(told.came(f"web{number} changed") < told.came("bastion1 connect") for number in (1, 2, 3))


def interrupts(*events: str) -> Callable[[str], None]:
    """Sends the interrupt when one of these is told."""
    return lambda event: os.kill(os.getpid(), signal.SIGINT) if event in events else None


def test_an_interrupt_in_a_batch_begins_no_other_and_finishes_what_is_in_change(make_lab: LabFactory) -> None:
    lab = make_lab(*map(web, range(1, 5)))
    told = Told(interrupts("web1 change"))
    report = fleet_of(lab, told=told).apply()
    others = [f"web{number}" for number in range(2, 5)]
    assert statuses(report) == {"web1": Status.CHANGED} | dict.fromkeys(others, Status.SKIPPED)
    assert {said(report, name) for name in others} == {"interrupted before its turn"}
    assert report.exit_code is ExitCode.INTERRUPTED
    assert [lab.hosts[name].read(KEY) for name in lab.hosts] == ["1", "0", "0", "0"]


def test_an_interrupt_in_the_pause_between_batches_ends_the_run(make_lab: LabFactory) -> None:
    lab = make_lab(*map(web, range(1, 4)))
    report = fleet_of(lab, "run.pause_s=3600", told=Told(interrupts("web1 changed"))).apply()
    assert statuses(report) == {"web1": Status.CHANGED, "web2": Status.SKIPPED, "web3": Status.SKIPPED}
    assert report.exit_code is ExitCode.INTERRUPTED


def test_a_second_interrupt_leaves_at_once_with_a_row_for_every_host(make_lab: LabFactory) -> None:
    lab = make_lab(*map(web, range(1, 4)))
    told = Told(interrupts("web1 change", "interrupted: nothing new is begun; once more leaves at once"))
    report = fleet_of(lab, told=told).apply()
    assert statuses(report) == {"web1": Status.INTERRUPTED, "web2": Status.SKIPPED, "web3": Status.SKIPPED}
    assert said(report, "web1") == "interrupted in change"
    assert report.exit_code is ExitCode.INTERRUPTED


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("run.on_abort=revert", "run.on_abort: revert is not there yet"),
        ("run.max_parallel_per=wbe=1", "run.max_parallel_per: there is no group wbe"),
        ("run.batch=1,2", "run.batch: the last batch is 100%, so that every host has its turn"),
    ],
)
def test_what_cannot_be_meant_ends_the_run_before_it_begins(make_lab: LabFactory, setting: str, message: str) -> None:
    lab = make_lab(web(1))
    with pytest.raises(UsageError) as caught:
        fleet_of(lab, setting).apply()
    assert caught.value.message == message
    assert not (lab.folder / ".sysfleet").exists()
