"""Whole runs over hosts behind bastions: real servers, of which only the bastion can be reached from here."""

from __future__ import annotations

import pytest

from sysfleet.fleet import Fleet
from sysfleet.lab import HostSpec, Lab
from sysfleet.outcome import FleetReport, HostOutcome, Status
from sysfleet.sample import sample_folder
from sysfleet.settings import override, parse
from tests.support.lab import LabFactory

LIMITS = ("MaxSessions 10", "MaxStartups 10:30:60")


def fleet_of(lab: Lab, *settings: str) -> Fleet:
    text = (lab.folder / "sysfleet.toml").read_text()
    return Fleet(lab.folder, override(parse(text), settings), environ={"HOME": "/nonexistent", "USER": "nobody"})


def rows_of(report: FleetReport) -> dict[str, HostOutcome]:
    return {row.host: row for row in report.hosts}


@pytest.fixture
def make_lab(lab_factory: LabFactory) -> LabFactory:
    def make(*hosts: HostSpec, **options: object) -> Lab:
        return lab_factory(*hosts, templates=sample_folder("templates"), **options)

    return make


def behind(bastion: str, name: str, **fields: object) -> HostSpec:
    return HostSpec(name, groups=("web",), behind=bastion, **fields)  # type: ignore[arg-type]


def logins(lab: Lab, host: str) -> int:
    log = lab.folder / "hosts" / host / "log"
    return log.read_text(errors="replace").count("Accepted publickey")


@pytest.mark.timeout(300)
def test_two_hundred_hosts_behind_one_bastion_with_limits_give_two_hundred_right_rows(make_lab: LabFactory) -> None:
    hosts = [behind("bastion1", f"web{number}") for number in range(200)]
    lab = make_lab(HostSpec("bastion1", groups=("bastion",), sshd=LIMITS), *hosts, mode="namespaces", backend="openssh")
    report = fleet_of(lab).check("web*")
    assert {row.status for row in report.hosts} == {Status.DRIFTED}
    assert len(report.hosts) == 200
