"""What a project says of how an apply goes over its hosts. Decides nothing: that is the rollout's."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

from sysfleet.errors import UsageError
from sysfleet.fleet.project import Project
from sysfleet.rollout import Pace, Site


def pace_of(project: Project) -> Pace:
    """How an apply goes, by the settings; UsageError for what cannot be meant or is not there."""
    said = project.settings.run
    if said.on_abort != "keep":
        raise UsageError(
            f"run.on_abort: {said.on_abort} is not there yet", hint="keep leaves changed hosts as they are"
        )
    pace = Pace.parse(
        map(str, said.batch),
        max_failures=str(said.max_failures),
        max_lost=str(said.max_lost),
        max_parallel_per=said.max_parallel_per,
        pause_s=said.pause_s,
    )
    for group in pace.max_parallel_per:
        if group not in project.inventory.groups:
            near = get_close_matches(group, project.inventory.groups, n=1)
            hint = f"did you mean {near[0]}?" if near else None
            raise UsageError(f"run.max_parallel_per: there is no group {group}", hint=hint)
    return pace


def site_of(project: Project, hosts: Iterable[str]) -> Site:
    """The groups of these hosts, inherited ones too, and the bastions on the way to each."""
    names = list(hosts)
    return Site(
        groups={name: project.inventory.hosts[name].ancestors for name in names},
        bastions={name: [hop.name for hop in project.way(name).jumps] for name in names},
    )
