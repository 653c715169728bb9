"""What the steps on one host are given: everything about the run that is the same for all hosts."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from threading import Event

from sysfleet.errors import HostError
from sysfleet.host import Facts
from sysfleet.outcome import HostOutcome
from sysfleet.planning.memo import Planner
from sysfleet.policy.rule import Policy
from sysfleet.remote.programs.changing import ChangeRequest
from sysfleet.remote.programs.persisting import PersistRequest
from sysfleet.sysctl.key import Key


class Command(StrEnum):
    """How far the steps go."""

    CHECK = "check"
    PLAN = "plan"
    APPLY = "apply"
    RENDER = "render"
    EXPLAIN = "explain"


@dataclass(frozen=True, slots=True)
class Prepared:
    """What a host's change will send, and its row as the plan gives it.

    `change` is None where only the file differs. `uptime_s` is the host's, `read_at` the controller's monotonic
    clock, both at the reading.
    """

    row: HostOutcome
    change: ChangeRequest | None
    persist: PersistRequest
    uptime_s: float
    read_at: float


class Progress:
    """Where every host is: told by its steps, asked when the run is interrupted."""

    def __init__(self, tell: Callable[[str, str], None]) -> None:
        self._tell = tell
        self._phases: dict[str, str] = {}
        self.stop = Event()

    def enter(self, host: str, phase: str) -> None:
        """The host goes into a phase."""
        self._phases[host] = phase
        self._tell(host, phase)

    def phase(self, host: str) -> str | None:
        """The phase that a host is in; None before it begins."""
        return self._phases.get(host)


@dataclass(frozen=True, slots=True)
class Job:
    """One command over a selection, as each host's task sees it."""

    command: Command
    run: str
    connections: Mapping[str, str]  # the connection plugin of each host
    roles: Mapping[str, tuple[str, ...]]
    patterns: Callable[[str], tuple[Key, ...]]
    policy: Callable[[str, Facts], Policy]
    left_to_read: Callable[[str, Policy, bytes | None], tuple[Key, ...]]
    planner: Planner
    progress: Progress
    clock: Callable[[], float]
    deadline_s: float = 60.0
    confirm_timeout_s: float = 60.0  # 0: no watchdog on the host, and no second login
    limit_bytes: int = 16 << 20  # of one program's output; 2,000 interfaces give 3 MiB
    survey: bool = False  # apply that will ask first: stop before writing
    prepared: Mapping[str, Prepared] = field(default_factory=dict)
    privileged_read: bool = False
    also: tuple[Key, ...] = ()  # keys to read besides those of the policy
    cannot_change: Mapping[str, str] = field(default_factory=dict)  # why nothing may be changed on a host
    pause: Callable[[float], object] = time.sleep


class Stopped(HostError):
    """The run was interrupted before this host's next step."""
