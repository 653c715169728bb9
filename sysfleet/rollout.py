"""Which host of a rollout may begin, and when none may any more: finished rows in, next hosts or a reason out.

Pure: time comes in, and nothing here knows threads, connections or how a host is changed.
"""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Self

from typing_extensions import override

from sysfleet.errors import UsageError
from sysfleet.outcome import HostOutcome, Status
from sysfleet.selection import natural_key

_NAMED = 5  # hosts that a reason names
_LOST = frozenset({Status.REVERTED, Status.UNVERIFIED})
_FAILED = frozenset({Status.UNREACHABLE, Status.REJECTED, Status.DENIED, Status.FAILED})
_IN_CHANGE = frozenset({"change", "confirm", "put back", "look up"})
_BEFORE_ROOT = frozenset({Status.DENIED, Status.REJECTED})  # in the first step: its program never ran

_Limits = tuple[str, ...]  # the groups of a host of which so many at once may be under way


@dataclass(frozen=True, slots=True)
class Share:
    """A number of hosts, or a percentage of them; a part of a host counts as a whole one."""

    number: int
    percent: bool = False

    @classmethod
    def parse(cls, text: str, name: str) -> Self:
        """`3` or `10%`; UsageError, with the setting's name, for anything else."""
        found = re.fullmatch(r"([0-9]{1,9})(%?)", text.strip())
        if found is None or (found[2] and int(found[1]) > 100):
            raise UsageError(f"{name}: {text} is neither a number of hosts nor a percentage", hint="such as 3 or 10%")
        return cls(int(found[1]), bool(found[2]))

    def of(self, hosts: int) -> int:
        """How many of so many hosts."""
        return -(-self.number * hosts // 100) if self.percent else self.number

    @override
    def __str__(self) -> str:
        return f"{self.number}{'%' if self.percent else ''}"


@dataclass(frozen=True, slots=True)
class Pace:
    """How a rollout goes: sizes of its batches, each with those before it, budgets, and what must not be at once."""

    batches: tuple[Share, ...] = (Share(1), Share(10, percent=True), Share(100, percent=True))
    max_failures: Share = Share(10, percent=True)
    max_lost: Share = Share(0)
    max_parallel_per: Mapping[str, int] = field(default_factory=dict)
    pause_s: float = 0.0

    @classmethod
    def parse(
        cls,
        batches: Iterable[str],
        *,
        max_failures: str,
        max_lost: str,
        max_parallel_per: Iterable[str] = (),
        pause_s: float = 0.0,
    ) -> Self:
        """From settings as they are written; UsageError for what cannot be meant."""
        return cls(
            _sizes([Share.parse(text, "run.batch") for text in batches]),
            Share.parse(max_failures, "run.max_failures"),
            Share.parse(max_lost, "run.max_lost"),
            dict(_group_limit(text) for text in max_parallel_per),
            pause_s,
        )


def _sizes(batches: Sequence[Share]) -> tuple[Share, ...]:
    name = "run.batch"
    if not batches or batches[-1] != Share(100, percent=True):
        raise UsageError(
            f"{name}: the last batch is 100%, so that every host has its turn",
            hint="sizes count from the beginning: 1,10%,100% is one host, then up to a tenth of them, then the rest",
        )
    if any(size.number == 0 for size in batches):
        raise UsageError(f"{name}: a batch has at least one host")
    for former, size in pairwise(batches):
        if former.percent == size.percent and former.number >= size.number:
            raise UsageError(
                f"{name}: {size} comes after {former} and is not more", hint="sizes count from the beginning"
            )
    return tuple(batches)


def _group_limit(text: str) -> tuple[str, int]:
    group, equals, number = (part.strip() for part in text.rpartition("="))
    if not (group and equals and re.fullmatch(r"[1-9][0-9]{0,8}", number)):
        raise UsageError(f"run.max_parallel_per: {text} is not GROUP=N", hint="such as rack1=2; N is at least 1")
    return group, int(number)


@dataclass(frozen=True, slots=True)
class Site:
    """What a rollout knows of where hosts are: the groups of each, and the bastions on the way to each."""

    groups: Mapping[str, Collection[str]] = field(default_factory=dict)
    bastions: Mapping[str, Collection[str]] = field(default_factory=dict)


def batched(hosts: Sequence[str], sizes: Iterable[Share], site: Site = Site()) -> list[list[str]]:
    """The batches in which these hosts have their turn: in the order given, bastions after the hosts behind them.

    A bastion is never in one batch with a host behind it; what has no place for that has it in the next one.
    """
    behind = Counter(bastion for host in hosts for bastion in site.bastions.get(host, ()))
    left = sorted(hosts, key=lambda host: behind[host])
    limits = [size.of(len(hosts)) for size in sizes]
    found: list[list[str]] = []
    begun = 0
    while left:
        room = max((limits.pop(0) if limits else len(hosts)) - begun, 0)
        batch, left = _batch(left, room, site)
        begun += len(batch)
        if batch:
            found.append(batch)
    return found


def _batch(hosts: Sequence[str], room: int, site: Site) -> tuple[list[str], list[str]]:
    taken: list[str] = []
    left: list[str] = []
    here: set[str] = set()
    ways: set[str] = set()  # bastions that the hosts of this batch are behind
    for host in hosts:
        way = set(site.bastions.get(host, ())) - {host}
        if len(taken) < room and host not in ways and not way & here:
            taken.append(host)
            here.add(host)
            ways |= way
        else:
            left.append(host)
    return taken, left


def lost(row: HostOutcome, phase: str | None = None) -> bool:
    """Whether a host may be worse off than before: put back, moved by somebody, or gone once its change had begun.

    `phase` is the last one that the host was in; without it the error says in which phase it ended.
    """
    if phase not in _IN_CHANGE:
        phase = row.error.phase if row.error is not None else None
    never_ran = phase == "change" and row.status in _BEFORE_ROOT
    return row.status in _LOST or (row.status in _FAILED and phase in _IN_CHANGE and not never_ran)


def failed(row: HostOutcome, phase: str | None = None) -> bool:
    """Whether a host could not be worked on and was never written to; one that is `blocked` has not failed."""
    return row.status in _FAILED and not lost(row, phase)


class Rollout:
    """One rollout under way. Its hosts begin in batches, each when the one before it is done and budgets are left.

    `selected` is how many hosts the budgets count of, `before` the rows that were finished before this rollout.
    With `proving`, it ends after a first batch in which nothing was changed, since that has shown nothing.
    """

    def __init__(
        self,
        hosts: Sequence[str],
        pace: Pace,
        site: Site = Site(),
        *,
        selected: int | None = None,
        before: Iterable[HostOutcome] = (),
        proving: bool = False,
    ) -> None:
        self._pace = pace
        self._site = site
        self._selected = len(hosts) if selected is None else selected
        self._proving = proving
        self._batches = deque(batched(hosts, pace.batches, site))
        self._turns: dict[_Limits, deque[tuple[int, str]]] = {}  # of this batch, by what holds a host back
        self._under_way: dict[str, _Limits] = {}
        self._busy: Counter[str] = Counter()
        self._resume_at: float | None = None  # set when a batch is done
        self._failed: list[str] = []
        self._lost: list[str] = []
        self._changed = False
        self._open()
        for row in before:
            self._count(row)

    def next(self, now: float) -> str | None:
        """A host that may begin now, if there is one; it has begun then."""
        if self.over:
            return None
        if self._batch_is_done and self._resume_at is not None and now >= self._resume_at:
            self._open()
        free = [limits for limits in self._turns if self._has_room(limits)]
        if not free:
            return None
        limits = min(free, key=lambda each: self._turns[each][0])
        _, host = self._turns[limits].popleft()
        if not self._turns[limits]:
            del self._turns[limits]
        self._under_way[host] = limits
        self._busy.update(limits)
        return host

    def done(self, row: HostOutcome, now: float, *, phase: str | None = None) -> None:
        """A host that had begun is finished, or is waited for no longer; `phase` is the last one that it was in."""
        limits = self._under_way.pop(row.host, None)
        if limits is None:
            return
        self._busy.subtract(limits)
        self._count(row, phase)
        if self._batch_is_done:
            self._resume_at = now + self._pace.pause_s

    @property
    def over(self) -> bool:
        """Whether no further host will begin, whatever comes."""
        return not (self._turns or self._batches) or self.reason is not None or self._shown_nothing

    @property
    def reason(self) -> str | None:
        """Why no further host begins, once a budget is used up."""
        pace = self._pace
        return self._used_up(self._lost, pace.max_lost, "lost") or self._used_up(
            self._failed, pace.max_failures, "failed"
        )

    @property
    def left(self) -> tuple[str, ...]:
        """The hosts that have not begun, in the order of their turns."""
        here = sorted(turn for turns in self._turns.values() for turn in turns)
        return (*(host for _, host in here), *(host for batch in self._batches for host in batch))

    @property
    def unproven(self) -> tuple[str, ...]:
        """The hosts that are left because the first batch is done and nothing was changed in it."""
        return self.left if self._shown_nothing and self.reason is None else ()

    @property
    def _batch_is_done(self) -> bool:
        return not self._turns and not self._under_way

    @property
    def _shown_nothing(self) -> bool:
        return self._proving and not self._changed and self._resume_at is not None

    def _has_room(self, limits: _Limits) -> bool:
        return all(self._busy[group] < self._pace.max_parallel_per[group] for group in limits)

    def _open(self) -> None:
        """Let the hosts of the next batch have their turn."""
        for number, host in enumerate(self._batches.popleft() if self._batches else ()):
            groups = self._site.groups.get(host, ())
            limits = tuple(group for group in self._pace.max_parallel_per if group in groups)
            self._turns.setdefault(limits, deque()).append((number, host))

    def _count(self, row: HostOutcome, phase: str | None = None) -> None:
        self._changed |= row.status is Status.CHANGED
        if lost(row, phase):
            self._lost.append(row.host)
        elif failed(row):
            self._failed.append(row.host)

    def _used_up(self, hosts: Sequence[str], budget: Share, what: str) -> str | None:
        if len(hosts) <= budget.of(self._selected):
            return None
        first = sorted(hosts, key=natural_key)[:_NAMED]
        more = f" and {len(hosts) - _NAMED} more" if len(hosts) > _NAMED else ""
        return f"budget used up: {len(hosts)} {what}: {', '.join(first)}{more}"
