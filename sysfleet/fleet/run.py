"""One command over a selection, under way: its job, its rows as they finish, its journal, its interruption."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import msgspec
from nornir.core import Nornir
from nornir.core.configuration import Config
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.core.processor import Processors
from nornir.core.state import GlobalState

from sysfleet import __version__
from sysfleet.errors import CommandTimeout
from sysfleet.fleet.masking import masked, secrets_of
from sysfleet.fleet.project import Project
from sysfleet.outcome import FleetReport, HostOutcome, report
from sysfleet.planning.memo import Planner
from sysfleet.planning.records import Options
from sysfleet.plugins.connections import CONNECTIONS, SHARED
from sysfleet.plugins.inventory import SysfleetInventory
from sysfleet.plugins.processors import OnResult
from sysfleet.plugins.runners import ThreadedRunner
from sysfleet.reporter import Reporter
from sysfleet.rollout import Rollout
from sysfleet.selection import natural_key
from sysfleet.store.journal import Journal, header, run_id
from sysfleet.sysctl.key import Key
from sysfleet.tasks.flow import IN_CHANGE, Finished, run_host
from sysfleet.tasks.job import Command, Job, Prepared, Progress, Stopped
from sysfleet.tasks.tell import row_not_begun, row_of_error, timed

_GRACE_S = 2.0  # what hosts that are not in change get after an interrupt


class Run:
    """One command under way: its job, its rows as they finish, its journal."""

    def __init__(
        self,
        project: Project,
        reporter: Reporter,
        options: Options,
        command: Command,
        limit: str | None,
        names: list[str],
        *,
        also: tuple[Key, ...] = (),
    ) -> None:
        now = dt.datetime.now(dt.UTC)
        self.names = names
        self._project = project
        self._reporter = reporter
        self._command = command
        self._also = also
        self._connections = {name: project.plugin(name) for name in names}
        root = command is Command.APPLY or _reads_as_root(project)
        self._shared = project.shared(names, root=root)
        self._notes: list[str] = []
        self._finished: dict[str, Finished] = {}
        self._told: set[str] = set()
        self.interrupted = False
        self.id = run_id(now, secrets.token_bytes(4))
        self._planner = Planner(options)
        self._progress = Progress(reporter.phase)
        head = header(self.id, command.value, now, project.operator, limit, __version__)
        self._journal = Journal.open(project.folder, head, self._note)
        reporter.begin(self.id, command.value, self.names)

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._reporter.note(text)

    def go(
        self,
        names: Sequence[str],
        *,
        survey: bool = False,
        prepared: Mapping[str, Prepared] | None = None,
        rollout: Rollout | None = None,
    ) -> dict[str, Finished]:
        """Run the task on these hosts; every one of them has an entry, whatever happened to it.

        With a rollout a host begins when it is let; those that it leaves unproven, and no others, have no entry.
        """
        self._progress = Progress(self._reporter.phase)
        self._finished = {}
        job = self._job(prepared or {}, survey=survey)
        runner = ThreadedRunner(
            workers=self._project.settings.run.workers,
            deadline_s=job.deadline_s,
            interrupt=lambda under_way, waited_s: self._interrupted(nornir, under_way, waited_s),
            schedule=None if rollout is None else _Turns(rollout, self._progress, lambda name: self._row(name, job)),
        )
        nornir = self._nornir(names, runner, job)
        nornir.run(task=run_host, job=job, on_failed=True)
        self._shared.access.disconnect()  # a question may follow, and take its time
        why = self._why_not_begun(rollout)
        unproven = set(rollout.unproven) if rollout is not None and not self.interrupted else set()
        for name in names:
            if name in why:
                self._finish(name, Finished(_not_begun(name, job, why[name])), job)
            elif name not in self._finished and name not in unproven:
                self._finish(name, Finished(self._lost(name, job)), job)
        return dict(self._finished)

    def _why_not_begun(self, rollout: Rollout | None) -> dict[str, str]:
        """Of every host that a used-up budget has kept from its turn."""
        if rollout is None or rollout.reason is None or not rollout.left:
            return {}
        self._note(f"{rollout.reason}; {len(rollout.left)} not begun")
        return dict.fromkeys(rollout.left, rollout.reason)

    def _row(self, name: str, job: Job) -> HostOutcome:
        finished = self._finished.get(name)
        return self._lost(name, job) if finished is None else finished.outcome

    def _job(self, prepared: Mapping[str, Prepared], *, survey: bool) -> Job:
        settings = self._project.settings
        return Job(
            command=Command.APPLY if survey else self._command,  # a survey goes as far as the first write
            run=self.id,
            connections=self._connections,
            roles={name: self._project.inventory.hosts[name].roles for name in self.names},
            patterns=self._project.rendering.patterns,
            policy=self._project.rendering.policy,
            left_to_read=self._project.rendering.left_to_read,
            planner=self._planner,
            progress=self._progress,
            clock=time.monotonic,
            deadline_s=settings.run.deadline_s,
            confirm_timeout_s=settings.run.confirm_timeout_s,
            survey=survey,
            prepared=prepared,
            also=self._also,
            privileged_read=_reads_as_root(self._project),
            cannot_change=self._cannot_change(),
        )

    def _cannot_change(self) -> dict[str, str]:
        why = {plugin.name: plugin.cannot_change for plugin in CONNECTIONS.values()}
        return {host: text for host, plugin in self._connections.items() if (text := why[plugin]) is not None}

    def _nornir(self, names: Sequence[str], runner: ThreadedRunner, job: Job) -> Nornir:
        # Built here, with what the run uses: InitNornir would load every plugin that is installed.
        plugins = {name: self._connections[name] for name in names}
        for plugin in CONNECTIONS.values():
            if plugin.name in plugins.values():
                ConnectionPluginRegister.register(plugin.name, plugin)
        inventory = SysfleetInventory(self._project.inventory, plugins).load()
        return Nornir(
            inventory=inventory,
            data=GlobalState(),
            config=Config(user_defined={SHARED: self._shared}),
            processors=Processors([OnResult(lambda name, result: self._finish(name, result, job))]),
            runner=runner,
        )

    def _finish(self, name: str, result: object, job: Job) -> None:
        if not isinstance(result, Finished):
            error = TypeError("the task ended without a result")
            result = Finished(row_of_error(name, job, error, ""))
        row = masked(result.outcome, lambda: secrets_of(self._project, name))
        result = self._finished[name] = replace(result, outcome=row)
        if not (job.survey and result.prepared is not None):
            self._tell(result.outcome)

    def _tell(self, outcome: HostOutcome) -> None:
        if outcome.host not in self._told:
            self._told.add(outcome.host)
            self._journal.row(outcome)
            self._reporter.row(outcome)

    def _lost(self, name: str, job: Job) -> HostOutcome:
        phase = self._progress.phase(name)
        if self.interrupted and phase is None:
            return _not_begun(name, job, "interrupted before its turn")
        if self.interrupted:
            return row_of_error(name, job, Stopped(f"interrupted in {phase}", phase=phase or ""), "")
        limit = f"not done within its deadline of {job.deadline_s:g} s"
        return timed(row_of_error(name, job, CommandTimeout(limit, phase=phase or ""), ""), job.deadline_s)

    def _interrupted(self, nornir: Nornir, under_way: Sequence[str], waited_s: float) -> bool:
        """Whether to wait on: for hosts in change as long as they take, for others a moment, with their line cut."""
        if not self.interrupted:
            self.interrupted = True
            self._progress.stop.set()
            self._note("interrupted: nothing new is begun; once more leaves at once")
        changing = [name for name in under_way if self._progress.phase(name) in IN_CHANGE]
        for name in set(under_way) - set(changing):
            for connection in list(nornir.inventory.hosts[name].connections.values()):
                connection.close()
        return bool(changing) or waited_s < _GRACE_S

    def report(self, rows: Mapping[str, HostOutcome]) -> FleetReport:
        """The rows so far, in natural order."""
        ordered = sorted(rows.values(), key=lambda row: natural_key(row.host))
        notes = [*self._notes, *self._shared.access.identities.notes, *self._shared.access.bastions.notes]
        return report(self.id, self._command.value, ordered, notes, interrupted=self.interrupted)

    def end(self, rows: Mapping[str, HostOutcome]) -> FleetReport:
        """The report; rows that were not told yet are told, and the journal gets its last line."""
        for row in rows.values():
            self._tell(row)
        final = self.report(rows)
        self._journal.end(final)
        return final

    def close(self) -> None:
        """Whatever happened: connections that hosts shared end, the reporter hears the end, the journal is closed."""
        self._shared.access.close()
        self._reporter.end()
        self._journal.close()


class _Turns:
    """A rollout as the runner's schedule: hosts by name, rows from where they are kept."""

    def __init__(self, rollout: Rollout, progress: Progress, row_of: Callable[[str], HostOutcome]) -> None:
        self._rollout = rollout
        self._progress = progress
        self._row_of = row_of

    def next(self, now: float) -> str | None:
        """The rollout's next."""
        return self._rollout.next(now)

    def ended(self, host: str, now: float) -> None:
        """Its row goes to the rollout."""
        self._rollout.done(self._row_of(host), now, phase=self._progress.phase(host))

    @property
    def over(self) -> bool:
        """Whether the rollout is."""
        return self._rollout.over


def _not_begun(name: str, job: Job, why: str) -> HostOutcome:
    """The row of a host that had no turn, with its plan where it was read before."""
    row = row_not_begun(name, job, why)
    if name not in job.prepared:
        return row
    return msgspec.structs.replace(job.prepared[name].row, status=row.status, error=row.error)


def _reads_as_root(project: Project) -> bool:
    return project.settings.privilege.method in ("sudo", "doas")
