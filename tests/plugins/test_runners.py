"""The threaded runner: every host once, bounded at the same time, given up when overdue, stopped when interrupted."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable

import pytest
from nornir.core import Nornir
from nornir.core.configuration import Config
from nornir.core.inventory import Defaults, Groups, Host, Hosts, Inventory
from nornir.core.processor import Processors
from nornir.core.state import GlobalState
from nornir.core.task import AggregatedResult, Result, Task

from sysfleet.plugins.runners import ThreadedRunner

Work = Callable[[str], object]


def run(runner: ThreadedRunner, work: Work, hosts: int = 6) -> AggregatedResult:
    names = [f"host{number}" for number in range(hosts)]
    inventory = Inventory(Hosts({name: Host(name) for name in names}), Groups(), Defaults())
    nornir = Nornir(inventory, Config(), GlobalState(), Processors(), runner)

    def task(task: Task) -> Result:
        return Result(task.host, work(task.host.name))

    return nornir.run(task=task)


def test_every_host_has_its_own_result() -> None:
    found = run(ThreadedRunner(workers=3), str.upper, hosts=20)
    assert {name: result[0].result for name, result in found.items()} == {
        f"host{number}": f"HOST{number}" for number in range(20)
    }


def test_no_more_than_the_workers_are_under_way() -> None:
    lock, here, most = threading.Lock(), 0, 0
    all_in = threading.Barrier(2)

    def work(_name: str) -> None:
        nonlocal here, most
        with lock:
            here += 1
            most = max(most, here)
        all_in.wait(timeout=30)
        with lock:
            here -= 1

    run(ThreadedRunner(workers=2), work, hosts=8)
    assert most == 2


def test_a_task_that_raises_is_a_failed_result_and_the_others_go_on() -> None:
    def work(name: str) -> str:
        if name == "host2":
            raise ValueError("broken")
        return name

    found = run(ThreadedRunner(workers=2), work)
    assert [name for name, result in found.items() if result.failed] == ["host2"]
    assert len(found) == 6


def test_a_host_that_hangs_is_given_up_and_its_place_is_taken() -> None:
    release = threading.Event()

    def work(name: str) -> str:
        if name == "host0":
            release.wait(timeout=60)
        return name

    try:
        found = run(ThreadedRunner(workers=1, deadline_s=0.2, grace_s=0.1), work)
        assert set(found) == {f"host{number}" for number in range(1, 6)}
    finally:
        release.set()


def test_an_interrupt_begins_nothing_new_and_lets_those_under_way_end() -> None:
    release = threading.Event()
    asked: list[list[str]] = []

    def work(name: str) -> str:
        if name == "host1":
            os.kill(os.getpid(), signal.SIGINT)
            release.wait(timeout=60)
        return name

    def interrupt(under_way: list[str], waited_s: float) -> bool:
        asked.append(under_way)
        release.set()
        return waited_s < 30

    found = run(ThreadedRunner(workers=1, interrupt=interrupt), work)
    assert asked[0] == ["host1"]
    assert set(found) == {"host0", "host1"}


def test_a_second_interrupt_leaves_at_once() -> None:
    release = threading.Event()

    def work(name: str) -> str:
        os.kill(os.getpid(), signal.SIGINT)
        release.wait(timeout=60)
        return name

    asked = 0

    def interrupt(_under_way: list[str], waited_s: float) -> bool:
        nonlocal asked
        asked += 1
        if asked == 2:
            os.kill(os.getpid(), signal.SIGINT)
        return waited_s < 60

    try:
        assert run(ThreadedRunner(workers=1, interrupt=interrupt), work) == {}
    finally:
        release.set()


@pytest.mark.parametrize("hosts", [1, 3])
def test_fewer_hosts_than_workers_is_fine(hosts: int) -> None:
    assert len(run(ThreadedRunner(workers=50), str.upper, hosts=hosts)) == hosts


class Batches:
    """A schedule made by hand: the hosts of a batch begin when all of the one before it have ended."""

    def __init__(self, *batches: list[str], stop_after: str = "") -> None:
        self._batches = [list(batch) for batch in batches]
        self._under_way: set[str] = set()
        self._stop_after = stop_after
        self._stopped = False
        self.ends: list[str] = []

    def next(self, now: float) -> str | None:
        del now
        if self.over:
            return None
        if not self._batches[0] and not self._under_way:
            self._batches.pop(0)
        if not self._batches[0]:
            return None
        self._under_way.add(self._batches[0][0])
        return self._batches[0].pop(0)

    def ended(self, host: str, now: float) -> None:
        del now
        self._under_way.remove(host)
        self.ends.append(host)
        self._stopped |= host == self._stop_after

    @property
    def over(self) -> bool:
        return self._stopped or not any(self._batches)


def test_a_host_begins_when_the_schedule_lets_it() -> None:
    begun: list[str] = []
    ended_before: dict[str, list[str]] = {}
    schedule = Batches(["host3"], ["host0", "host1"], ["host2", "host4", "host5"])

    def work(name: str) -> None:
        begun.append(name)
        ended_before[name] = list(schedule.ends)

    found = run(ThreadedRunner(workers=4, schedule=schedule), work)
    assert begun[0] == "host3"
    assert set(begun[1:3]) == {"host0", "host1"}
    assert all(set(ended_before[name]) >= {"host3", "host0", "host1"} for name in ("host2", "host4", "host5"))
    assert len(found) == 6


def test_the_end_of_one_host_lets_as_many_begin_as_there_are_workers() -> None:
    all_in = threading.Barrier(5)
    schedule = Batches(["host0"], ["host1", "host2", "host3", "host4", "host5"])

    def work(name: str) -> None:
        if name != "host0":
            all_in.wait(timeout=30)

    assert len(run(ThreadedRunner(workers=5, schedule=schedule), work)) == 6


def test_a_schedule_that_stops_ends_the_run_without_the_rest() -> None:
    schedule = Batches(["host0"], ["host1"], ["host2", "host3", "host4", "host5"], stop_after="host1")
    found = run(ThreadedRunner(workers=3, schedule=schedule), str.upper)
    assert set(found) == {"host0", "host1"}


def test_a_batch_does_not_wait_for_a_host_that_was_given_up() -> None:
    release = threading.Event()
    schedule = Batches(["host0", "host1"], ["host2", "host3"], ["host4", "host5"])

    def work(name: str) -> None:
        if name == "host0":
            release.wait(timeout=60)

    try:
        found = run(ThreadedRunner(workers=2, deadline_s=0.2, grace_s=0.1, schedule=schedule), work)
        assert set(found) == {f"host{number}" for number in range(1, 6)}
        assert "host0" in schedule.ends
    finally:
        release.set()


def test_an_interrupt_ends_a_schedule_between_two_batches() -> None:
    schedule = Batches(["host0", "host1"], ["host2", "host3", "host4", "host5"])
    both, release = threading.Barrier(2), threading.Event()

    def work(name: str) -> None:
        both.wait(timeout=30)
        if name == "host0":
            os.kill(os.getpid(), signal.SIGINT)
        release.wait(timeout=60)

    def interrupt(under_way: list[str], waited_s: float) -> bool:
        release.set()
        return waited_s < 30

    found = run(ThreadedRunner(workers=6, interrupt=interrupt, schedule=schedule), work)
    assert set(found) == {"host0", "host1"}
