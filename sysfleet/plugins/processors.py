"""A Nornir processor that hands each host's finished result on, and never lets an exception end the run."""

from __future__ import annotations

from collections.abc import Callable

from nornir.core.inventory import Host
from nornir.core.task import AggregatedResult, MultiResult, Task


class OnResult:
    """Calls back once for every host that finishes, from the thread that worked on it."""

    def __init__(self, call: Callable[[str, object], None]) -> None:
        self._call = call

    def task_started(self, task: Task) -> None:
        """Nothing."""

    def task_completed(self, task: Task, result: AggregatedResult) -> None:
        """Nothing."""

    def task_instance_started(self, task: Task, host: Host) -> None:
        """Nothing."""

    def task_instance_completed(self, task: Task, host: Host, result: MultiResult) -> None:
        """Hand the result on."""
        del task
        self._call(host.name, result[0].result)

    def subtask_instance_started(self, task: Task, host: Host) -> None:
        """Nothing."""

    def subtask_instance_completed(self, task: Task, host: Host, result: MultiResult) -> None:
        """Nothing."""
