"""Whole runs over hosts behind bastions: real servers, of which only the bastion can be reached from here."""

from __future__ import annotations

import pytest

from sysfleet.errors import UsageError
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


def bastion(name: str = "bastion1", **fields: object) -> HostSpec:
    return HostSpec(name, groups=("bastion",), sshd=LIMITS, **fields)  # type: ignore[arg-type]


@pytest.mark.timeout(300)
def test_two_hundred_hosts_behind_one_bastion_with_limits_give_two_hundred_right_rows(make_lab: LabFactory) -> None:
    hosts = [behind("bastion1", f"web{number}") for number in range(200)]
    lab = make_lab(bastion(), *hosts, mode="namespaces", backend="openssh")
    report = fleet_of(lab, "ssh.connect_timeout_s=60").check("web*")
    assert {row.host: row.status for row in report.hosts} == dict.fromkeys(
        (host.name for host in hosts), Status.DRIFTED
    )


def test_hosts_behind_two_bastions_are_changed_and_confirmed(make_lab: LabFactory) -> None:
    inner = bastion("bastion2", behind="bastion1")
    lab = make_lab(bastion(), inner, behind("bastion2", "web1"), behind("bastion1", "web2"), mode="namespaces")
    report = fleet_of(lab).apply()
    assert {row.host: row.status for row in report.hosts} == dict.fromkeys(lab.hosts, Status.CHANGED)
    assert lab.hosts["web1"].read("net.ipv4.tcp_rfc1337") == "1"
    assert {row.status for row in fleet_of(lab).check().hosts} == {Status.OK}


def test_a_bastion_that_is_not_proven_is_named_in_the_row_of_every_host_behind_it(make_lab: LabFactory) -> None:
    lab = make_lab(bastion(), behind("bastion1", "web1"), behind("bastion1", "web2"), mode="namespaces")
    known = lab.known_hosts.read_text().splitlines(keepends=True)
    lab.known_hosts.write_text("".join(line for line in known if f":{lab.hosts['bastion1'].port} " not in line))
    rows = rows_of(fleet_of(lab).check("web*"))
    for row in rows.values():
        assert row.status is Status.REJECTED
        assert row.error is not None
        assert row.error.message.startswith("bastion bastion1: the host key of [127.0.0.1]")


def config_of(lab: Lab) -> str:
    blocks = [
        f"Host {name}\n  Port {host.port}\n" + ("  ProxyJump bastion1\n" if name != "bastion1" else "")
        for name, host in lab.hosts.items()
    ]
    everybody = f"  HostName 127.0.0.1\n  User root\n  IdentityFile {lab.client_key}\n"
    return "".join(blocks) + f"Match all\n{everybody}  UserKnownHostsFile {lab.known_hosts}\n"


def by_config(lab: Lab, config: str) -> Fleet:
    """The lab as a project that says nothing of the ways to its hosts, with an ssh_config that says it all."""
    (lab.folder / "inventory" / "hosts.yaml").write_text("".join(f"{name}:\n  groups: [web]\n" for name in lab.hosts))
    home = lab.folder / "home"
    (home / ".ssh").mkdir(parents=True)
    (home / ".ssh" / "config").write_text(config)
    return Fleet(lab.folder, parse(""), environ={"HOME": str(home), "USER": "nobody"})


def test_an_ssh_config_may_say_all_of_the_ways(make_lab: LabFactory) -> None:
    lab = make_lab(bastion(), behind("bastion1", "web1"), behind("bastion1", "web2"), mode="namespaces")
    report = by_config(lab, config_of(lab)).apply()
    assert {row.host: row.status for row in report.hosts} == dict.fromkeys(lab.hosts, Status.CHANGED)


def test_an_option_that_cannot_be_honoured_ends_the_run_before_it_begins(make_lab: LabFactory) -> None:
    lab = make_lab(bastion(), behind("bastion1", "web1"), behind("bastion1", "web2"), mode="namespaces")
    fleet = by_config(lab, config_of(lab) + "Host web*\n  StrictHostKeyChecking no\n")
    with pytest.raises(UsageError) as caught:
        fleet.check()
    (problem,) = caught.value.problems
    assert "StrictHostKeyChecking no cannot be honoured" in problem.what
    assert problem.what.endswith("; for web1, web2")
    assert problem.file.endswith(".ssh/config")
    assert not (lab.folder / ".sysfleet" / "runs").exists()
