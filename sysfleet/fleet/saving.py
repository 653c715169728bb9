"""From a survey to a plan on paper, and from such a plan to what may still be done. Reads and writes no file."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from sysfleet import __version__
from sysfleet.errors import UsageError
from sysfleet.fleet.project import Project
from sysfleet.outcome import ErrorRecord, HostOutcome, SettingOutcome, Status
from sysfleet.planning.saved import KIND, SCHEMA, SavedHost, SavedPlan, SavedSetting, changed_since, made_from
from sysfleet.tasks.flow import Finished
from sysfleet.tasks.job import Prepared


def saved_plan(project: Project, run: str, found: Mapping[str, Finished], names: list[str]) -> SavedPlan:
    """The plan of a survey: its hosts that would change, in the order of the names."""
    hosts = [_saved(project, name, found[name].outcome, ready) for name in names if (ready := found[name].prepared)]
    return SavedPlan(KIND, SCHEMA, run, __version__, tuple(hosts))


def check_project(project: Project, plan: SavedPlan) -> None:
    """UsageError where the plan is of another project: a host is not there, or elsewhere."""
    if not plan.hosts:
        raise UsageError("the plan has nothing to change", hint="there is nothing to apply")
    for host in plan.hosts:
        if host.host not in project.inventory.hosts:
            raise UsageError(f"the plan is of another project: there is no host {host.host} here", hint="plan again")
        here = _address(project, host.host)
        if here != host.address:
            raise UsageError(
                f"the plan is of another project: its {host.host} is at {host.address}, and ours at {here}",
                hint="plan again",
            )


def blocked(project: Project, plan: SavedPlan, found: Mapping[str, Finished]) -> dict[str, HostOutcome]:
    """The rows of hosts on which something has changed since the plan, with what."""
    rows: dict[str, HostOutcome] = {}
    for then in plan.hosts:
        each = found.get(then.host)
        if each is None or each.prepared is None:
            continue
        what = changed_since(then, _saved(project, then.host, each.outcome, each.prepared))
        if what is not None:
            error = ErrorRecord("Blocked", "plan", f"changed since the plan: {what}", "plan again")
            rows[then.host] = msgspec.structs.replace(each.outcome, status=Status.BLOCKED, error=error)
    return rows


def _saved(project: Project, name: str, row: HostOutcome, ready: Prepared) -> SavedHost:
    settings = tuple(map(_setting, row.settings))
    values = [] if ready.change is None else [(key, each.state, each.text) for key, each in ready.change.compare]
    asked = [(setting.key, setting.asked, setting.constraint) for setting in row.settings]
    sent = ready.persist
    number = made_from(asked, values, list(sent.settle), sent.files_token, sent.path, sent.content)
    diff = row.file.diff if row.file is not None else ""
    return SavedHost(name, _address(project, name), row.changes, number, settings, diff)


def _setting(row: SettingOutcome) -> SavedSetting:
    origin = None if row.origin is None else f"{row.origin.file}:{row.origin.line}"
    return SavedSetting(row.key, row.wanted, row.running, row.at_boot, row.asked, origin)


def _address(project: Project, name: str) -> str:
    way = project.way(name)
    return f"{way.address}:{way.port}"
