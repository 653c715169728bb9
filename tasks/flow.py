"""One host's way from connecting to its row: the Nornir task. It never raises and always closes its connections."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import msgspec
from nornir.core.task import Result, Task

from sysfleet.errors import HostError, PrivilegeDenied
from sysfleet.host import Reading
from sysfleet.outcome import HostOutcome, Status
from sysfleet.planning.content import own_content
from sysfleet.planning.records import Plan
from sysfleet.remote.session import Session
from sysfleet.tasks.change import change, look_up, prepare, put_back
from sysfleet.tasks.confirm import confirm
from sysfleet.tasks.job import Command, Job, Prepared, Stopped
from sysfleet.tasks.read import read, read_more
from sysfleet.tasks.tell import row_of_error, row_of_plan, timed

# Phases in which a host is not to be left alone: its change is under way.
IN_CHANGE = frozenset({"change", "confirm", "put back", "look up"})
_FIRST_LOOK_S = 3.0  # how long the first connection is waited for, once something went wrong
_PROGRAMS_S = 5  # what the watchdog gives the programs beyond the time for the new login
_UNWATCHED = "run.confirm_timeout_s is 0: no watchdog on the host, and no new login proved that it lets one in"


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
        self._put_back_at = self.begun  # when the host puts its change back by itself

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
        try:
            return self._change(session, prepared)
        except HostError as error:
            begun = self.phase in IN_CHANGE and not (self.phase == "change" and isinstance(error, PrivilegeDenied))
            if prepared.change is None or not begun:
                raise
            return self._look_up(session, prepared, row_of_error(self.name, self._job, error, self.phase))

    def _change(self, session: Session, prepared: Prepared) -> HostOutcome:
        row, proof = prepared.row, session
        watched = bool(self._job.confirm_timeout_s)
        if prepared.change is not None:
            self._enter("change")
            watch_s = self._watch_s()
            self._put_back_at = self._job.clock() + watch_s
            row = change(session, self._job, prepared, deadline=self._deadline, watch_s=watch_s)
            if row.status is not Status.CHANGED:
                return row
        if prepared.change is not None and not watched:
            row = msgspec.structs.replace(row, notes=(*row.notes, _UNWATCHED))
        elif prepared.change is not None:
            # A new login proves that the change has not cut the way in; the first stays open as the way back.
            try:
                proof = self._connect("confirm", by=self._confirmed_by())
            except HostError as error:
                lost = row_of_error(self.name, self._job, error, "confirm", put_back=True)
                row = msgspec.structs.replace(row, error=lost.error, changes=0)
                self._enter("put back")
                return put_back(session, self._job, prepared, row, deadline=self._deadline)
        self._enter("confirm")
        # Later than that the host has begun to put its change back.
        by = self._deadline if prepared.change is None else min(self._deadline, self._put_back_at)
        confirmed = confirm(proof, self._job, prepared, row, deadline=by if watched else self._deadline)
        if prepared.change is None or confirmed.status in (Status.CHANGED, Status.UNVERIFIED, Status.REVERTED):
            return confirmed
        self._enter("put back")
        return put_back(session, self._job, prepared, confirmed, deadline=self._deadline)

    def _look_up(self, first: Session, prepared: Prepared, lost: HostOutcome) -> HostOutcome:
        """Ask the host itself: over the first connection, over a new one, and once its watchdog has done its work."""
        last = self._deadline - 1.0
        session: Session | None = first
        self._enter("look up")
        while True:
            try:
                if session is not None:
                    soon = min(last, self._job.clock() + _FIRST_LOOK_S)
                    return look_up(session, self._job, prepared.row, lost, deadline=soon)
                session = self._connect("look up", by=last)
                return look_up(session, self._job, prepared.row, lost, deadline=last)
            except HostError:
                now = self._job.clock()
                if session is first:
                    session = None
                    continue
                session = None
                again = max(now, self._put_back_at) + 1.0
                if again >= last or self._job.progress.stop.is_set():
                    return lost
                self._job.pause(again - now)

    def _watch_s(self) -> int:
        """How long the host waits before it puts its change back: so that the run can still ask it whether it did."""
        window_s = min(self._job.confirm_timeout_s, 0.6 * (self._deadline - self._job.clock()))
        return math.ceil(window_s) + _PROGRAMS_S if window_s > 0 else 0

    def _confirmed_by(self) -> float:
        """When the second login must have worked: early enough to put everything back if it does not."""
        now = self._job.clock()
        window_s = min(self._job.confirm_timeout_s, 0.75 * (self._deadline - now))
        return min(now + window_s, self._put_back_at)

    def _connect(self, phase: str, *, by: float) -> Session:
        self._enter(phase)
        host, plugin = self._task.host, self._job.connections[self.name]
        host.connections.pop(plugin, None)
        said = host.get_connection_parameters(plugin).extras or {}
        # Whatever is changed over a connection is put back over the same one, should no new one come about.
        stays = phase == "connect" and self._job.command is Command.APPLY and not self._job.survey
        extras = {**said, "deadline": by, "new": phase in ("confirm", "look up"), "stays": stays}
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
