"""Nornir runners. They know tasks as functions and hosts as names, nothing of what is done."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress

from nornir.core.inventory import Host
from nornir.core.task import AggregatedResult, MultiResult, Task

_POLL_S = 0.1  # how long the waiting thread is deaf to nothing but time


class ThreadedRunner:
    """`sysfleet.threaded`: a bounded number of daemon threads, a deadline a host, and an end that comes soon.

    A host that is not back `deadline_s` after it began (and a little grace) is given up: its thread is left to
    itself and a fresh one takes its place. When the run is interrupted no further host begins, and `interrupt` is
    asked again and again, with the names under way and the seconds since, whether to go on waiting for them.
    Results of hosts that were given up or never begun are absent from what `run` returns.
    """

    def __init__(
        self,
        workers: int = 50,
        deadline_s: float = 60.0,
        grace_s: float = 5.0,
        interrupt: Callable[[list[str], float], bool] | None = None,
    ) -> None:
        self._workers = workers
        self._deadline_s = deadline_s
        self._grace_s = grace_s
        self._interrupt = interrupt

    def run(self, task: Task, hosts: list[Host]) -> AggregatedResult:
        """Run the task on every host; returns when all are done, given up, or the run was interrupted."""
        crew = _Crew(task, hosts, self._workers)
        try:
            crew.hire()
            while crew.busy():
                crew.wait(_POLL_S)
                crew.give_up(self._deadline_s + self._grace_s)
        except KeyboardInterrupt:
            crew.stop()
            begun = time.monotonic()
            waits = self._interrupt or (lambda _names, waited_s: waited_s < self._grace_s)
            with suppress(KeyboardInterrupt):  # a second one: leave at once
                while waits(crew.under_way(), time.monotonic() - begun) and crew.busy():
                    crew.wait(_POLL_S)
        return crew.results()


class _Crew:
    """The threads of one run and what they are doing."""

    def __init__(self, task: Task, hosts: list[Host], workers: int) -> None:
        self._task = task
        self._todo: queue.SimpleQueue[Host] = queue.SimpleQueue()
        for host in hosts:
            self._todo.put(host)
        self._workers = min(workers, len(hosts))
        self._begun: dict[str, float] = {}
        self._given_up: set[str] = set()
        self._done: dict[str, MultiResult] = {}
        self._left = len(hosts)
        self._stopped = False
        self._changed = threading.Condition()

    def hire(self) -> None:
        for _ in range(self._workers):
            self._new_worker()

    def _new_worker(self) -> None:
        threading.Thread(target=self._work, name="sysfleet-worker", daemon=True).start()

    def _work(self) -> None:
        while True:
            with self._changed:
                if self._stopped or self._todo.empty():
                    return
                host = self._todo.get()
                self._begun[host.name] = time.monotonic()
            result = self._task.copy().start(host)
            with self._changed:
                self._begun.pop(host.name, None)
                if host.name in self._given_up:
                    return  # somebody else has this worker's place
                self._done[host.name] = result
                self._left -= 1
                self._changed.notify_all()

    def busy(self) -> bool:
        with self._changed:
            return bool(self._begun) if self._stopped else self._left > 0

    def wait(self, seconds: float) -> None:
        with self._changed:
            if self._left:
                self._changed.wait(seconds)

    def give_up(self, limit_s: float) -> None:
        now = time.monotonic()
        with self._changed:
            late = [name for name, begun in self._begun.items() if now - begun > limit_s]
            for name in late:
                del self._begun[name]
                self._given_up.add(name)
                self._left -= 1
        for _ in late:
            self._new_worker()

    def stop(self) -> None:
        with self._changed:
            self._stopped = True

    def under_way(self) -> list[str]:
        with self._changed:
            return list(self._begun)

    def results(self) -> AggregatedResult:
        with self._changed:
            result = AggregatedResult(self._task.name)
            result.update(self._done)
            return result
