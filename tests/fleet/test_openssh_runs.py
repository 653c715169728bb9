"""Whole runs over the system's ssh: real servers, the rows, and what is left behind."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from sysfleet.errors import UsageError
from sysfleet.fleet import Fleet
from sysfleet.lab import HostSpec, Lab, Login
from sysfleet.outcome import FleetReport, HostOutcome, Status
from sysfleet.sample import sample_folder
from sysfleet.settings import override, parse
from tests.remote.ways import runtime
from tests.support.lab import LabFactory, machine_processes
from tests.support.needs import needs

OPENSSH = "ssh.connection=openssh"
PASSWORD = "correct horse"


@pytest.fixture
def make_lab(lab_factory: LabFactory) -> LabFactory:
    needs("ssh")

    def make(*hosts: HostSpec | int, **options: object) -> Lab:
        lab = lab_factory(*hosts, templates=sample_folder("templates"), **options)
        (lab.folder / "no-config").touch(0o600)  # nor that of the person who runs the tests
        return lab

    return make


def fleet_of(lab: Lab, *settings: str, **environ: str) -> Fleet:
    text = (lab.folder / "sysfleet.toml").read_text()
    around = {"HOME": "/nonexistent", "USER": "nobody", "PATH": os.environ["PATH"], **environ}
    return Fleet(lab.folder, override(parse(text), ("ssh.config=no-config", *settings)), environ=around)


def rows_of(report: FleetReport) -> dict[str, HostOutcome]:
    return {row.host: row for row in report.hosts}


def statuses(report: FleetReport) -> set[Status]:
    return {row.status for row in report.hosts}


def test_check_apply_check_over_the_system_s_ssh_leaves_nothing_behind(make_lab: LabFactory) -> None:
    lab = make_lab(4)
    with runtime() as folder:
        folder.chmod(0o700)
        fleet = fleet_of(lab, OPENSSH, XDG_RUNTIME_DIR=str(folder))
        assert statuses(fleet.check()) == {Status.DRIFTED}
        assert statuses(fleet.apply()) == {Status.CHANGED}
        assert statuses(fleet.check()) == {Status.OK}
        assert list(folder.iterdir()) == []
        assert machine_processes(str(folder)) == []
    assert lab.hosts["router1"].read("net.ipv4.ip_forward") == "1"


def test_hosts_of_one_run_may_be_gone_to_in_different_ways(make_lab: LabFactory) -> None:
    over_ssh = HostSpec("web1", groups=("web",), data={"connection": "openssh"})
    lab = make_lab(over_ssh, HostSpec("web2", groups=("web",)))
    rows = rows_of(fleet_of(lab).check())
    assert rows["web1"].settings == rows["web2"].settings


def test_root_rights_are_had_through_the_system_s_ssh_in_every_way(make_lab: LabFactory) -> None:
    needs("sudo")
    logins = {
        "nopasswd": Login("ops", sudo=("nopasswd",)),
        "password": Login("ops", sudo=("password",), password=PASSWORD),
        "requiretty": Login("ops", sudo=("nopasswd", "requiretty")),
        "none": Login("ops", sudo=("none",), password=PASSWORD),
    }
    hosts = [HostSpec(name, groups=("web",), logins=(login,), user="ops") for name, login in logins.items()]
    lab = make_lab(*hosts, mode="namespaces", backend="openssh")
    settings = (OPENSSH, "privilege.method=sudo", "privilege.password_env=ROOT_PASSWORD", "run.workers=1")
    rows = rows_of(fleet_of(lab, *settings, ROOT_PASSWORD=PASSWORD).apply())
    assert {name: row.status for name, row in rows.items()} == {
        "nopasswd": Status.CHANGED,
        "password": Status.CHANGED,
        "requiretty": Status.CHANGED,
        "none": Status.DENIED,
    }


def test_a_bastion_of_the_inventory_is_gone_through_with_the_same_strictness(make_lab: LabFactory) -> None:
    bastion = HostSpec("bastion1", groups=("web",))
    lab = make_lab(
        bastion, HostSpec("inner1", groups=("web",), behind="bastion1"), mode="namespaces", backend="openssh"
    )
    assert statuses(fleet_of(lab, OPENSSH).check()) == {Status.DRIFTED}
    known = lab.folder / "known_hosts"
    port = f"[127.0.0.1]:{lab.hosts['bastion1'].port} "
    known.write_text("".join(line for line in known.read_text().splitlines(keepends=True) if not line.startswith(port)))
    row = rows_of(fleet_of(lab, OPENSSH).check("inner1"))["inner1"]
    assert row.status is Status.REJECTED
    assert row.error is not None
    assert port.strip() in row.error.message


LIMITS = ("MaxSessions 10", "MaxStartups 10:30:60", "LogLevel VERBOSE")


def logins_to(lab: Lab, host: str) -> int:
    """How many connections a host's server has let in, by its log."""
    return lab.hosts[host].log.read_text(errors="replace").count("Accepted publickey for ")


@pytest.mark.timeout(300)
def test_one_login_to_a_bastion_serves_every_host_behind_it(make_lab: LabFactory) -> None:
    hosts = [HostSpec(f"web{number}", groups=("web",), behind="bastion1") for number in range(30)]
    bastion = HostSpec("bastion1", groups=("bastion",), sshd=LIMITS)
    lab = make_lab(bastion, *hosts, mode="namespaces", backend="openssh")
    before = logins_to(lab, "bastion1")
    with runtime() as folder:
        folder.chmod(0o700)
        report = fleet_of(lab, OPENSSH, "ssh.connect_timeout_s=60", XDG_RUNTIME_DIR=str(folder)).check("web*")
        assert list(folder.iterdir()) == []
        assert machine_processes(str(folder)) == []
    assert {row.host: row.status for row in report.hosts} == {host.name: Status.DRIFTED for host in hosts}
    assert logins_to(lab, "bastion1") == before + 1


def test_hosts_behind_two_bastions_are_changed_and_confirmed_over_the_system_s_ssh(make_lab: LabFactory) -> None:
    outer = HostSpec("bastion1", groups=("bastion",), sshd=LIMITS)
    inner = HostSpec("bastion2", groups=("bastion",), sshd=LIMITS, behind="bastion1")
    hosts = [HostSpec(f"web{number}", groups=("web",), behind="bastion2") for number in range(3)]
    lab = make_lab(outer, inner, *hosts, mode="namespaces", backend="openssh")
    before = [logins_to(lab, name) for name in ("bastion1", "bastion2")]
    report = fleet_of(lab, OPENSSH).apply("web*")
    assert {row.host: row.status for row in report.hosts} == {host.name: Status.CHANGED for host in hosts}
    assert [logins_to(lab, name) for name in ("bastion1", "bastion2")] == [number + 1 for number in before]


def test_none_in_the_inventory_stands_above_a_bastion_of_the_configuration(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",), data={"proxy_jump": "none"}))
    (lab.folder / "no-config").write_text("Host *\n  ProxyJump nobody@127.0.0.1:1\n")
    assert statuses(fleet_of(lab, OPENSSH).check()) == {Status.DRIFTED}


def test_a_login_password_that_ssh_could_not_send_is_refused_before_contact(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1"))
    with pytest.raises(UsageError, match="web1: connection openssh cannot log in with a password"):
        fleet_of(lab, OPENSSH, "ssh.password_env=LOGIN_PASSWORD", LOGIN_PASSWORD=PASSWORD).check()


def test_without_the_program_ssh_nothing_is_contacted(make_lab: LabFactory, tmp_path: Path) -> None:
    lab = make_lab(HostSpec("web1"))
    with pytest.raises(UsageError, match="the program ssh, which is not on PATH"):
        fleet_of(lab, OPENSSH, PATH=str(tmp_path)).check()
