"""Learning the keys of hosts that are not known yet, before a run: whom to ask, in which order, and what is written.

Bastions come before the hosts behind them. Knows no terminal: who may agree is handed in.
"""

from __future__ import annotations

import math
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from sysfleet.errors import FleetError, HostKeyRejected, LoginRejected
from sysfleet.fleet.host_keys_file import append, check_writable
from sysfleet.fleet.project import Project
from sysfleet.remote.access import Access
from sysfleet.remote.known_hosts import HostKey
from sysfleet.remote.learn import NewKey, first_unknown, names_of, show, trusted
from sysfleet.remote.target import Target

_GRACE_S = 1.0

Agree = Callable[[Sequence[NewKey]], bool]
_Item = TypeVar("_Item")
_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class _Step:
    """One server to ask: so far along the way to this host."""

    target: Target
    at: int

    @property
    def name(self) -> str:
        return (*self.target.jumps, self.target)[self.at].name

    @property
    def way(self) -> tuple[tuple[str, int], ...]:
        """What makes it the same server on the way to another host."""
        return tuple(names_of(hop)[0] for hop in (*self.target.jumps, self.target)[: self.at + 1])


class Learning:
    """One act of learning; `learned` grows as keys are written to the project's own file."""

    def __init__(self, project: Project, agree: Agree, note: Callable[[str], None]) -> None:
        self._project = project
        self._agree = agree
        self._note = note
        self._tried: set[tuple[tuple[str, int], ...]] = set()
        self.learned: list[NewKey] = []

    def learn(self, names: Iterable[str]) -> None:
        """Learn what the way to these hosts lacks, nearest servers first, until all is known or somebody says no.

        UsageError where the file cannot be written; a host that cannot be asked is left as it is.
        """
        path = self._project.known_hosts
        check_writable(path)
        targets = list(self._targets(names))
        behind = [target.name for target in targets if target.jumps]  # a bastion wants a login
        access = self._project.shared(behind, learning=True).access
        try:
            self._rounds(targets, access, path)
        finally:
            access.close()

    def _rounds(self, targets: Sequence[Target], access: Access, path: Path) -> None:
        while steps := self._next(targets, access):
            shown = self._ask(steps, access)
            if not shown or not self._agree(shown):
                return
            written = append(path, shown)
            self.learned += written
            # From now on it is known to every connection, as if its files had been read after this.
            lines = "".join(f"{key.line}\n" for key in written).encode()
            everybodys = [trusted(hop, access.known_hosts) for target in targets for hop in (*target.jumps, target)]
            for known in {id(one): one for one in everybodys}.values():
                known.add(lines, str(path))

    def _targets(self, names: Iterable[str]) -> Iterable[Target]:
        for name in names:
            try:
                yield self._project.way(name)
            except FleetError:  # its row says so
                continue

    def _next(self, targets: Iterable[Target], access: Access) -> list[_Step]:
        found: dict[tuple[tuple[str, int], ...], _Step] = {}
        for target in targets:
            at = first_unknown(target, access.known_hosts)
            if at is not None and (step := _Step(target, at)).way not in self._tried:
                found.setdefault(step.way, step)
        self._tried |= found.keys()
        return list(found.values())

    def _ask(self, steps: Sequence[_Step], access: Access) -> list[NewKey]:
        run = self._project.settings.run
        limit_s = min(run.deadline_s, access.connect_timeout_s)

        def ask(step: _Step) -> NewKey | Exception:
            try:
                return show(step.target, step.at, access, deadline=time.monotonic() + limit_s)
            except Exception as error:  # noqa: BLE001 - the boundary of a thread; raised again below
                return error

        shown = []
        for step, found in zip(steps, in_parallel(ask, steps, workers=run.workers, limit_s=limit_s), strict=True):
            if isinstance(found, NewKey):
                shown.append(found)
            elif isinstance(found, (HostKeyRejected, LoginRejected)) or (step.at and isinstance(found, FleetError)):
                self._note(f"{step.name}: its key was not learned: {found}")
            elif found is not None and not isinstance(found, FleetError):
                raise found
        alone = unambiguous(shown)
        for key in shown:
            if key not in alone:
                self._note(
                    f"{key.hop.name}: its key was not learned: another host is known as {key.name} too and shows"
                    f" another key ({key.key})"
                )
        return alone


def unambiguous(shown: Sequence[NewKey]) -> list[NewKey]:
    """Without the keys of different servers that would be known by one name: each would be taken for the other."""
    keys: dict[str, set[HostKey]] = {}
    for key in shown:
        keys.setdefault(key.name, set()).add(key.key)
    return [key for key in shown if len(keys[key.name]) == 1]


def in_parallel(
    work: Callable[[_Item], _Result], items: Sequence[_Item], *, workers: int, limit_s: float
) -> list[_Result | None]:
    """What the work gave for each item; None where it is not back in time, and its thread is left to itself."""
    todo: queue.SimpleQueue[int] = queue.SimpleQueue()
    done: queue.SimpleQueue[tuple[int, _Result]] = queue.SimpleQueue()
    for number in range(len(items)):
        todo.put(number)

    def go() -> None:
        while True:
            try:
                number = todo.get_nowait()
            except queue.Empty:
                return
            done.put((number, work(items[number])))

    crew = min(workers, len(items))
    for _ in range(crew):
        threading.Thread(target=go, name="sysfleet-learning", daemon=True).start()
    until = time.monotonic() + math.ceil(len(items) / max(1, crew)) * (limit_s + _GRACE_S)
    results: list[_Result | None] = [None] * len(items)
    for _ in items:
        try:
            number, result = done.get(timeout=max(0.0, until - time.monotonic()))
        except queue.Empty:
            break
        results[number] = result
    return results
