"""From files to a loader's writes: one interface before the models, each result worked out once.

Hosts with equal files share one result, since no model knows which keys a host has.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from sysfleet.sysctl.boot import BootProblem, Steps
from sysfleet.sysctl.models.busybox import alpine, openrc
from sysfleet.sysctl.models.procps import procps
from sysfleet.sysctl.models.systemd import systemd
from sysfleet.sysctl.sources import SourceFile, load_order
from sysfleet.sysctl.versions import Habits, Loader, habits_of


@lru_cache(maxsize=512)
def steps_of(loader: Loader, files: tuple[SourceFile, ...], version: str = "") -> Steps:
    """What this version of the loader makes of these files; without one, the newest that was compared."""
    read = load_order(loader, files, version)
    problems = [BootProblem(file.path, 0, "", "the file could not be read") for file in read if file.content is None]
    readable = [file for file in read if file.content is not None]
    return _MODELS[loader](readable, problems, habits_of(loader, version))


def _nothing(_files: list[SourceFile], problems: list[BootProblem], _habits: Habits) -> Steps:
    return Steps(problems=tuple(problems))


_MODELS: dict[Loader, Callable[[list[SourceFile], list[BootProblem], Habits], Steps]] = {
    Loader.SYSTEMD: systemd,
    Loader.PROCPS: procps,
    Loader.ALPINE: alpine,
    Loader.OPENRC: openrc,
    Loader.UNKNOWN: _nothing,
}
