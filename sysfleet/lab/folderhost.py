"""The one process of a lab host without namespaces: boots its folder, then is its SSH server.

Forked from the supervisor; never returns. It adopts what its commands leave behind and ends all of it before
itself, also when the supervisor dies.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Never

from sysfleet.lab import linux, loaders, processes, standin
from sysfleet.lab.faults import way
from sysfleet.lab.start import Start, stand_in_environment

_BACKLOG = 1024


def run_folder_host(start: Start, values: Mapping[str, bytes]) -> Never:
    """Boot and serve one host; `values` are what its /proc/sys begins with."""
    plan = start.plan
    try:
        linux.die_with_parent(signal.SIGTERM)
        linux.adopt_orphans()
        start.leave_supervisor()
        signal.signal(signal.SIGTERM, _end_all)
        _fence(plan.store)
        os.umask(0o022)
        standin.build(plan, values, start.boot_id)
        if start.is_first:
            standin.write_values(plan.store, plan.spec.values)
        if loaders.is_enabled(plan.store, plan.loader):
            standin.load(plan.store, plan.loader)
        _serve(start)
    except Exception as error:  # noqa: BLE001 - the boundary of a process
        start.report_failure(error)
    finally:
        os._exit(1)


def _fence(store: Path) -> None:
    """Let root's commands write below `store` alone, where the machine allows so much of a namespace.

    Where it does not, in a container, /proc/sys is read-only anyway; other users are root of nothing.
    """
    if os.geteuid() == 0:
        with suppress(OSError):
            linux.unshare(linux.CLONE_NEWNS)
            linux.make_mounts_private()
            linux.make_read_only_below(Path("/"))
            linux.bind(store, store, read_only=False)


def _serve(start: Start) -> None:
    from sysfleet.lab import asyncssh_server

    spec = start.plan.spec
    is_hole = "black_hole" in spec.faults
    _held = way.fill(start.listener) if is_hole else []
    if not spec.refuse and not is_hole:
        start.listener.listen(_BACKLOG)
    start.report(pid=os.getpid(), ready=True)
    if spec.refuse or spec.hang or is_hole:
        while True:
            signal.pause()
    asyncssh_server.run(start.listener, start.plan.store, stand_in_environment(start.plan.store, spec.shell))


def _end_all(_signum: int, _frame: FrameType | None) -> None:
    """End every descendant; those that fork meanwhile are found in the next round."""
    while below := processes.descendants(os.getpid()):
        for pid in below:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        with suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
    os._exit(0)
