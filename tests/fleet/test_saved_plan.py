"""A plan that is kept and applied later, on real hosts: as it was, or not at all."""

from __future__ import annotations

import msgspec
import pytest

from sysfleet.errors import SelectionError, UsageError
from sysfleet.fleet import Fleet, Risks
from sysfleet.lab import HostSpec, Lab
from sysfleet.outcome import FleetReport, Status
from sysfleet.planning.saved import SavedPlan, from_json, to_json
from sysfleet.settings import parse
from tests.support.lab import LabFactory

KEY, OTHER = "net.ipv4.tcp_rfc1337", "net.ipv4.tcp_fin_timeout"


@pytest.fixture
def lab(lab_factory: LabFactory) -> Lab:
    lab = lab_factory(*(HostSpec(f"web{number}", groups=("web",)) for number in range(1, 5)))
    (lab.folder / "templates").mkdir()
    (lab.folder / "templates" / "base.conf.j2").write_text(f"{KEY} = 1\n")
    (lab.folder / "templates" / "web.conf.j2").write_text("")
    return lab


def fleet_of(lab: Lab) -> Fleet:
    settings = parse((lab.folder / "sysfleet.toml").read_text())
    return Fleet(lab.folder, settings, environ={"HOME": "/nonexistent", "USER": "nobody"})


def planned(lab: Lab, limit: str | None = None) -> SavedPlan:
    """A plan that has been on paper."""
    return from_json(to_json(fleet_of(lab).plan_to_save(limit)[1]), "plan.json")


def statuses(report: FleetReport) -> dict[str, Status]:
    return {row.host: row.status for row in report.hosts}


def test_a_plan_is_applied_as_it_was_saved(lab: Lab) -> None:
    report, plan = fleet_of(lab).plan_to_save()
    assert (report.command, statuses(report)) == ("plan", dict.fromkeys(lab.hosts, Status.DRIFTED))
    assert lab.hosts["web1"].read(KEY) == "0", "a plan writes nothing"
    assert [host.host for host in plan.hosts] == list(lab.hosts)
    assert set(statuses(fleet_of(lab).apply(plan=plan)).values()) == {Status.CHANGED}
    assert {host.read(KEY) for host in lab.hosts.values()} == {"1"}


def test_only_hosts_of_the_plan_are_gone_to_and_of_these_those_of_the_limit(lab: Lab) -> None:
    plan = planned(lab, "web1 | web2")
    assert statuses(fleet_of(lab).apply("web2 | web3", plan=plan)) == {"web2": Status.CHANGED}
    assert statuses(fleet_of(lab).apply(plan=plan)) == {"web1": Status.CHANGED, "web2": Status.OK}
    with pytest.raises(SelectionError, match="no host of the plan matches 'web3'"):
        fleet_of(lab).apply("web3", plan=plan)


def test_a_host_whose_values_or_files_have_changed_is_blocked_with_what_changed(lab: Lab) -> None:
    (lab.folder / "templates" / "base.conf.j2").write_text(f"{KEY} = 1\n{OTHER} = 30\n")
    plan = planned(lab)
    lab.hosts["web1"].write(OTHER, "45")
    (lab.hosts["web2"].etc / "sysctl.d" / "10-local.conf").write_text(f"{OTHER} = 50\n")
    (lab.hosts["web3"].etc / "sysctl.d" / "10-local.conf").write_text("kernel.sysrq = 0\n")
    report = fleet_of(lab).apply(plan=plan)
    said = {row.host: row.error.message for row in report.hosts if row.error is not None}
    assert statuses(report) == dict.fromkeys(["web1", "web2", "web3"], Status.BLOCKED) | {"web4": Status.CHANGED}
    assert said["web1"] == f"changed since the plan: {OTHER} was 60 and is 45"
    assert said["web2"].startswith(f"changed since the plan: {OTHER} was ")
    assert said["web2"].endswith(" at boot and is 50")
    assert said["web3"] == "changed since the plan: other values or files of the host"
    assert [lab.hosts[name].read(KEY) for name in lab.hosts] == ["0", "0", "0", "1"]


def test_a_host_whose_policy_has_changed_is_blocked_and_nobody_is_asked(lab: Lab) -> None:
    plan = planned(lab)
    (lab.folder / "templates" / "base.conf.j2").write_text(f"{KEY} = 1\n{OTHER} = 30\n")
    report = fleet_of(lab).apply(plan=plan, approve=lambda _plan: pytest.fail("asked"))
    assert set(statuses(report).values()) == {Status.BLOCKED}
    (said,) = {row.error.message for row in report.hosts if row.error is not None}
    assert said == f"changed since the plan: {OTHER} was not asked for"


def test_a_plan_of_another_project_is_a_usage_error_before_anything_is_contacted(lab: Lab) -> None:
    plan = planned(lab, "web1")
    elsewhere = msgspec.structs.replace(plan.hosts[0], address="192.0.2.1:22")
    unknown = msgspec.structs.replace(plan.hosts[0], host="db7")
    for host, said in ((elsewhere, "its web1 is at 192.0.2.1:22, and ours at 127"), (unknown, "there is no host db7")):
        with pytest.raises(UsageError, match=f"the plan is of another project: {said}"):
            fleet_of(lab).apply(plan=msgspec.structs.replace(plan, hosts=(host,)))
    with pytest.raises(UsageError, match="nothing to change"):
        fleet_of(lab).apply(plan=msgspec.structs.replace(plan, hosts=()))


def test_no_secret_is_in_a_plan(lab: Lab) -> None:
    secret = "12345678-90abcdef-12345678-90abcdef"
    (lab.folder / "templates" / "base.conf.j2").write_text(f"net.ipv4.tcp_fastopen_key = {secret}\n{KEY} = 1\n")
    settings = parse((lab.folder / "sysfleet.toml").read_text())
    fleet = Fleet(lab.folder, settings, environ={"HOME": "/nonexistent"}, risks=Risks(destructive=True))
    report, plan = fleet.plan_to_save()
    assert set(statuses(report).values()) == {Status.DRIFTED}
    assert [setting.wanted for setting in plan.hosts[0].settings if "fastopen" in setting.key] == ["***"]
    assert secret not in to_json(plan).decode()
