"""One host's way from connecting to its row: the Nornir task. It never raises and always closes its connections."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec
from nornir.core.task import Result, Task

from sysfleet.errors import HostError
from sysfleet.host import Reading
from sysfleet.outcome import HostOutcome, Status
from sysfleet.planning.content import own_content
from sysfleet.planning.records import Plan
from sysfleet.remote.session import Session
from sysfleet.tasks.change import change, prepare, put_back
from sysfleet.tasks.confirm import confirm
from sysfleet.tasks.job import Command, Job, Prepared, Stopped
from sysfleet.tasks.read import read, read_more
from sysfleet.tasks.tell import row_of_error, row_of_plan, timed

# Phases in which a host is not to be left alone: its change is under way.
IN_CHANGE = frozenset({"change", "confirm", "put back"})


@dataclass(frozen=True, slots=True)
class Finished:
    """What one host's task gives back."""

    outcome: HostOutcome
    prepared: Prepared | None = None
    rendered: bytes | None = None
    seen: tuple[Reading, Plan] | None = None  # kept for `explain` alone: readings are large


def run_host(task: Task, job: Job) -> Result:
    """The Nornir task; its result is a `Finished`."""
    way = _Way(task, job)
    try:
        finished = way.go()
    except Exception as error:  # noqa: BLE001 — the boundary of one host
        stopped = job.progress.stop.is_set() and way.phase not in IN_CHANGE
        why = Stopped(f"interrupted in {way.phase}", phase=way.phase) if stopped else error
        finished = Finished(row_of_error(way.name, job, why, way.phase))
    finally:
        way.close()
    outcome = timed(finished.outcome, job.clock() - way.begun)
    changed = outcome.status is Status.CHANGED
    return Result(task.host, replace(finished, outcome=outcome), changed=changed)


class _Way:
    """One host on its way: its open sessions, its phase and its deadline."""

    def __init__(self, task: Task, job: Job) -> None:
        self._task = task
        self._job = job
        self._opened: list[Session] = []
        self.begun = job.clock()
        self._deadline = self.begun + job.deadline_s
        self.name: str = task.host.name
        self.phase = "connect"

    def go(self) -> Finished:
        waiting = self._job.prepared.get(self.name)
        session = self._connect("connect", by=self._deadline)
        if waiting is not None:
            return Finished(self._apply(session, waiting))
        self._enter("read")
        patterns = (*self._job.patterns(self.name), *self._job.also)
        reading = read(session, self._job, patterns, deadline=self._deadline)
        policy = self._job.policy(self.name, reading.facts)
        own = own_content(reading, self._job.planner.options.path)
        left = self._job.left_to_read(self.name, policy, own)
        if left:
            reading = read_more(session, self._job, reading, left, deadline=self._deadline)
        read_at = self._job.clock()
        plan = self._allowed(self._job.planner.plan(policy, reading))
        status = self._status(plan)
        row = row_of_plan(self.name, self._job, plan, reading.facts, status, read_twice=left)
        if status is not Status.DRIFTED or self._job.command is not Command.APPLY or plan.empty:
            seen = (reading, plan) if self._job.command is Command.EXPLAIN else None
            return Finished(row, rendered=plan.file.after, seen=seen)
        prepared = prepare(self._job, plan, reading, row, read_at)
        return Finished(row, prepared) if self._job.survey else Finished(self._apply(session, prepared))

    def _allowed(self, plan: Plan) -> Plan:
        why = self._job.cannot_change.get(self.name)
        return plan if why is None or plan.empty else replace(plan, refusals=(why, *plan.refusals))

    def _status(self, plan: Plan) -> Status:
        if plan.unreadable:
            return Status.DENIED
        if plan.conflicts or (self._job.command is Command.APPLY and plan.refusals):
            return Status.BLOCKED
        return Status.DRIFTED if plan.drifted else Status.OK

    def _apply(self, session: Session, prepared: Prepared) -> HostOutcome:
        row, proof = prepared.row, session
        if prepared.change is not None:
            self._enter("change")
            row = change(session, self._job, prepared, deadline=self._deadline)
            if row.status is not Status.CHANGED:
                return row
            # A new login proves that the change has not cut the way in; the first stays open as the way back.
            try:
                proof = self._connect("confirm", by=self._confirmed_by())
            except HostError as error:
                lost = row_of_error(self.name, self._job, error, "confirm", put_back=True)
                row = msgspec.structs.replace(row, error=lost.error, changes=0)
                self._enter("put back")
                return put_back(session, self._job, prepared, row, deadline=self._deadline)
        self._enter("confirm")
        confirmed = confirm(proof, self._job, prepared, row, deadline=self._deadline)
        if prepared.change is None or confirmed.status in (Status.CHANGED, Status.UNVERIFIED):
            return confirmed
        self._enter("put back")
        return put_back(session, self._job, prepared, confirmed, deadline=self._deadline)

    def _confirmed_by(self) -> float:
        """When the second login must have worked: early enough to put everything back if it does not."""
        now = self._job.clock()
        return now + min(self._job.confirm_timeout_s, 0.75 * (self._deadline - now))

    def _connect(self, phase: str, *, by: float) -> Session:
        self._enter(phase)
        host, plugin = self._task.host, self._job.connections[self.name]
        host.connections.pop(plugin, None)
        said = host.get_connection_parameters(plugin).extras or {}
        # Whatever is changed over a connection is put back over the same one, should no new one come about.
        stays = phase == "connect" and self._job.command is Command.APPLY and not self._job.survey
        extras = {**said, "deadline": by, "new": phase == "confirm", "stays": stays}
        host.open_connection(plugin, self._task.nornir.config, extras=extras)
        session: Session = host.connections[plugin].connection
        self._opened.append(session)
        return session

    def _enter(self, phase: str) -> None:
        if self._job.progress.stop.is_set() and self.phase not in IN_CHANGE:
            raise Stopped("the run was interrupted", phase=self.phase)
        self.phase = phase
        self._job.progress.enter(self.name, phase)

    def close(self) -> None:
        self._task.host.connections.pop(self._job.connections[self.name], None)
        for session in self._opened:
            session.close()
