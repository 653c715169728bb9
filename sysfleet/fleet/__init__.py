"""The public Python interface: `Fleet(folder).check(limit="role=web") -> FleetReport`."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec

from sysfleet.errors import HostError, SelectionError
from sysfleet.explain import Explanation, explain, story_patterns
from sysfleet.fleet.learning import Agree, Learning
from sysfleet.fleet.passwords import Ask
from sysfleet.fleet.project import Project
from sysfleet.fleet.rolling import pace_of, site_of
from sysfleet.fleet.run import Run
from sysfleet.fleet.saving import blocked, check_project, saved_plan
from sysfleet.outcome import FleetReport, HostOutcome, Status
from sysfleet.planning.missing import Reason, Treatment
from sysfleet.planning.records import Options
from sysfleet.planning.saved import SavedPlan
from sysfleet.remote.learn import NewKey
from sysfleet.reporter import Reporter, Silent
from sysfleet.rollout import Rollout
from sysfleet.settings import Settings
from sysfleet.sysctl.key import Key
from sysfleet.tasks.flow import Finished
from sysfleet.tasks.job import Command, Prepared

Approve = Callable[[FleetReport], bool]


@dataclass(frozen=True, slots=True)
class Risks:
    """What a person allows for one run.

    Keys that cannot be put back, keys whose old number does not suffice, and keys that another file wins at boot.
    """

    one_way: bool = False
    destructive: bool = False
    shadowed: bool = False


class Fleet:
    """What can be done with the hosts of a project folder; nothing is contacted before a verb is called."""

    def __init__(
        self,
        folder: Path | str,
        settings: Settings | None = None,
        *,
        environ: Mapping[str, str] | None = None,
        reporter: Reporter | None = None,
        risks: Risks = Risks(),
        ask: Ask | None = None,
    ) -> None:
        """Read a project folder; SetupError with every problem in it. Settings are those of its sysfleet.toml.

        `ask` shows a person some words and gives back the password they type; without it there is nobody to ask.
        """
        environ = os.environ if environ is None else environ
        self.project = Project.read(Path(folder), settings, environ=environ, ask=ask)
        self._reporter = reporter or Silent()
        self._risks = risks

    def check(self, limit: str | None = None) -> FleetReport:
        """Read and compare."""
        return self._one_pass(Command.CHECK, limit)

    def plan(self, limit: str | None = None) -> FleetReport:
        """Read, compare, and work out every change."""
        return self._one_pass(Command.PLAN, limit)

    def plan_to_save(self, limit: str | None = None) -> tuple[FleetReport, SavedPlan]:
        """As `plan`, and the same on paper, for `apply`; hosts that it would refuse are `blocked` here already."""
        run = self._begin(Command.PLAN, limit)
        try:
            found = run.go(run.names, survey=True)
            return run.end(_rows(found)), saved_plan(self.project, run.id, found, run.names)
        finally:
            run.close()

    def learn_host_keys(self, limit: str | None = None, agree: Agree | None = None) -> tuple[NewKey, ...]:
        """Ask hosts that are unknown for their keys and write these to the project's `known_hosts`; gives what was new.

        `agree` sees the keys and may say no; without it, calling this is the consent. A key that is another than the
        known one is never learned. Hosts behind a bastion are asked once that is known.
        """
        names = [entry.name for entry in self.project.selected(limit)]
        self.project.rendering.preflight(names)
        learning = Learning(self.project, agree or (lambda _keys: True), self._reporter.note)
        learning.learn(names)
        return tuple(learning.learned)

    def apply(
        self, limit: str | None = None, approve: Approve | None = None, plan: SavedPlan | None = None
    ) -> FleetReport:
        """Change what differs, in batches. With `approve`, read first, ask with the plan, then change what differs.

        Without, a host is read and changed in one pass; if the first batch has nothing to change, and so shows
        nothing, all others are read before any of them is changed. With a `plan`, hosts are those of the plan, and
        one on which anything that it was made from has changed is `blocked`.
        """
        pace = pace_of(self.project)
        run = self._begin(Command.APPLY, limit, None if plan is None else self._planned(plan, limit))
        try:
            site = site_of(self.project, run.names)
            rows: dict[str, HostOutcome] = {}
            unseen: Sequence[str] = run.names
            if approve is None and plan is None:
                first = Rollout(unseen, pace, site, proving=True)
                rows.update(_rows(run.go(unseen, rollout=first)))
                unseen = [] if run.interrupted else first.unproven
            surveyed = run.go(unseen, survey=True) if unseen else {}
            rows.update(_rows(surveyed))
            rows.update({} if plan is None else blocked(self.project, plan, surveyed))
            # In the order of the selection, not in the one in which hosts were read.
            ready = {name: surveyed[name].prepared for name in unseen if rows[name].status is not Status.BLOCKED}
            waiting = {name: prepared for name, prepared in ready.items() if prepared is not None}
            if waiting and not run.interrupted:
                rollout = Rollout(list(waiting), pace, site, selected=len(run.names), before=rows.values())
                if rollout.over or approve is None or self._asked(run, approve, rows):
                    rows.update(_rows(run.go(list(waiting), prepared=waiting, rollout=rollout)))
            return run.end(rows)
        finally:
            run.close()

    def prepared(self, limit: str | None = None) -> Mapping[str, Prepared]:
        """What `apply` would send to each host that differs; reads the hosts, writes nothing."""
        run = self._begin(Command.APPLY, limit)
        try:
            found = run.go(run.names, survey=True)
            run.end({name: each.outcome for name, each in found.items()})
        finally:
            run.close()
        return {name: each.prepared for name, each in found.items() if each.prepared is not None}

    def render(self, host: str) -> bytes:
        """The file as it would be pushed to a host; HostError where it cannot be read."""
        found = self._one(Command.RENDER, host)
        if found.outcome.error is not None and found.rendered is None:
            raise _host_failed(host, found.outcome)
        return found.rendered or b""

    def explain(self, host: str, key: Key) -> Explanation:
        """One key's whole story on one host, whether or not the policy names it; HostError where it cannot be read."""
        found = self._one(Command.EXPLAIN, host, also=story_patterns(key))
        if found.seen is None:
            raise _host_failed(host, found.outcome)
        reading, plan = found.seen
        return explain(host, key, reading, plan)

    def _one(self, command: Command, host: str, *, also: tuple[Key, ...] = ()) -> Finished:
        if host not in self.project.inventory.hosts:
            raise SelectionError(f"there is no host {host}", hint="sysfleet inventory lists them")
        run = self._begin(command, host, [host], also=also)
        try:
            found = run.go([host])[host]
            run.end({host: found.outcome})
        finally:
            run.close()
        if found.outcome.stand_in:
            self._reporter.note(f"a folder stands in for the kernel of {host}")
        return found

    def _planned(self, plan: SavedPlan, limit: str | None) -> list[str]:
        check_project(self.project, plan)
        hosts = {host.host for host in plan.hosts}
        names = [entry.name for entry in self.project.selected(limit) if entry.name in hosts]
        if not names:
            raise SelectionError(f"no host of the plan matches {limit!r}")
        return names

    def _asked(self, run: Run, approve: Approve, rows: Mapping[str, HostOutcome]) -> bool:
        """Whether to go on with these rows; an interrupt at the question is a no, and the run says so."""
        try:
            return approve(run.report(rows))
        except KeyboardInterrupt:
            run.interrupted = True
            return False

    def _one_pass(self, command: Command, limit: str | None) -> FleetReport:
        run = self._begin(command, limit)
        try:
            return run.end({name: found.outcome for name, found in run.go(run.names).items()})
        finally:
            run.close()

    def _begin(
        self, command: Command, limit: str | None, names: list[str] | None = None, *, also: tuple[Key, ...] = ()
    ) -> Run:
        if names is None:
            names = [entry.name for entry in self.project.selected(limit)]
        self.project.rendering.preflight(names)
        options = options_of(self.project.settings, self._risks)
        return Run(self.project, self._reporter, options, command, limit, names, also=also)


def _rows(found: Mapping[str, Finished]) -> dict[str, HostOutcome]:
    return {name: each.outcome for name, each in found.items()}


def _host_failed(host: str, outcome: HostOutcome) -> HostError:
    error = outcome.error
    if error is None:
        return HostError(f"{host}: {outcome.status.value}")
    return HostError(f"{host}: {error.message}", phase=error.phase, hint=error.hint)


def options_of(settings: Settings, risks: Risks = Risks()) -> Options:
    """What planning needs to know of the settings and of what is allowed."""
    return Options(
        path=settings.file.path,
        comments=settings.file.comments,
        foreign=settings.file.foreign_interfaces,
        accept_unknown_boot=settings.boot.unknown == "accept",
        accept_shadowed=risks.shadowed,
        missing={Reason(name): Treatment(value) for name, value in msgspec.structs.asdict(settings.missing).items()},
        allow_one_way=risks.one_way,
        allow_destructive=risks.destructive,
    )
