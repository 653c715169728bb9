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
