"""Nornir runners. They know tasks as functions and hosts as names, nothing of what is done."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Protocol

from nornir.core.inventory import Host
from nornir.core.task import AggregatedResult, MultiResult, Task

_POLL_S = 0.1  # how long the waiting thread is deaf to nothing but time


class Schedule(Protocol):
    """Says which host may begin; asked by one thread at a time, with monotonic seconds, and never waits."""

    def next(self, now: float) -> str | None:
        """A host that begins now, if one may; each once."""

    def ended(self, host: str, now: float) -> None:
        """A host that had begun is done, or was given up."""

    @property
    def over(self) -> bool:
        """Whether no further host will begin, whatever comes."""


class AllAtOnce:
    """Every host may begin, in the order given."""

    def __init__(self, hosts: Iterable[str]) -> None:
        self._left = deque(hosts)

    def next(self, now: float) -> str | None:
        """The next in the order."""
        del now
        return self._left.popleft() if self._left else None

    def ended(self, host: str, now: float) -> None:
        """Nothing."""

    @property
    def over(self) -> bool:
        """Whether all have begun."""
        return not self._left


class ThreadedRunner:
    """`sysfleet.threaded`: a bounded number of daemon threads, a deadline a host, and an end that comes soon.

    A host begins when a thread is free and the schedule lets it, all at once where there is none. One that is not
    back `deadline_s` after it began (and a little grace) is given up: its thread is left to itself and a fresh one
    takes its place. When the run is interrupted no further host begins, and `interrupt` is asked again and again,
    with the names under way and the seconds since, whether to go on waiting for them.
    Results of hosts that were given up or never begun are absent from what `run` returns.
    """

    def __init__(
        self,
        workers: int = 50,
        deadline_s: float = 60.0,
        grace_s: float = 5.0,
        interrupt: Callable[[list[str], float], bool] | None = None,
        schedule: Schedule | None = None,
    ) -> None:
        self._workers = workers
        self._deadline_s = deadline_s
        self._grace_s = grace_s
        self._interrupt = interrupt
        self._schedule = schedule

    def run(self, task: Task, hosts: list[Host]) -> AggregatedResult:
        """Run the task on every host; returns when all are done, given up, or the run was interrupted."""
        schedule = self._schedule or AllAtOnce([host.name for host in hosts])
        crew = _Crew(task, hosts, self._workers, schedule)
        try:
            crew.hire()
            while crew.busy():
                crew.wait(_POLL_S)
                crew.give_up(self._deadline_s + self._grace_s)
                crew.hire()
        except KeyboardInterrupt:
            crew.stop()
            begun = time.monotonic()
            waits = self._interrupt or (lambda _names, waited_s: waited_s < self._grace_s)
            with suppress(KeyboardInterrupt):  # a second one: leave at once
                while waits(crew.under_way(), time.monotonic() - begun) and crew.busy():
                    crew.wait(_POLL_S)
        return crew.results()


class _Crew:
    """The threads of one run and what they are doing; a thread lives while there is a host for it."""

    def __init__(self, task: Task, hosts: list[Host], workers: int, schedule: Schedule) -> None:
        self._task = task
        self._hosts = {host.name: host for host in hosts}
        self._workers = workers
        self._schedule = schedule
        self._begun: dict[str, float] = {}
        self._given_up: set[str] = set()
        self._done: dict[str, MultiResult] = {}
        self._stopped = False
        self._changed = threading.Condition()

    def hire(self) -> None:
        """A thread for every host that may begin, as far as there are places."""
        with self._changed:
            while len(self._begun) < self._workers and (host := self._next()) is not None:
                threading.Thread(target=self._work, args=(host,), name="sysfleet-worker", daemon=True).start()

    def _next(self) -> Host | None:
        now = time.monotonic()
        name = None if self._stopped else self._schedule.next(now)
        if name is None:
            return None
        self._begun[name] = now
        return self._hosts[name]

    def _work(self, host: Host | None) -> None:
        while host is not None:
            result = self._task.copy().start(host)
            with self._changed:
                if host.name in self._given_up:
                    return  # somebody else has this worker's place
                self._done[host.name] = result
                self._end(host.name)
                host = self._next()
                self._changed.notify_all()  # one end may be the beginning of many: the waiting thread hires

    def _end(self, name: str) -> None:
        del self._begun[name]
        self._schedule.ended(name, time.monotonic())

    def busy(self) -> bool:
        """Whether a host is under way, or will be."""
        with self._changed:
            return bool(self._begun) or not (self._stopped or self._schedule.over)

    def wait(self, seconds: float) -> None:
        """Until something has changed, but no longer than this."""
        with self._changed:
            if self._begun or not self._schedule.over:
                self._changed.wait(seconds)

    def give_up(self, limit_s: float) -> None:
        """Wait no longer for hosts that are overdue."""
        now = time.monotonic()
        with self._changed:
            for name in [name for name, begun in self._begun.items() if now - begun > limit_s]:
                self._given_up.add(name)
                self._end(name)

    def stop(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self._stopped = True

    def under_way(self) -> list[str]:
        """The hosts that have begun and are not done."""
        with self._changed:
            return list(self._begun)

    def results(self) -> AggregatedResult:
        """What the hosts that are done gave."""
        with self._changed:
            result = AggregatedResult(self._task.name)
            result.update(self._done)
            return result
