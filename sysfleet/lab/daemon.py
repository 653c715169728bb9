"""The lab's supervisor as a process: detached from whoever started it, which waits until the lab is up.

Reads one JSON line (what to make) and answers with one line once all is up, or with the error. Standard input
stays open as the lifeline, unless the lab is to outlive its maker.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import traceback
from pathlib import Path
from typing import Any, Never

from sysfleet.errors import FleetError, UsageError
from sysfleet.lab import state, supervisor
from sysfleet.lab.spec import HostSpec

_LIFELINE = 0
_ANSWER = 1
_FILES = 20_000


def main() -> Never:
    """Run the supervisor of the lab that the request on standard input describes."""
    request = json.loads(sys.stdin.readline())
    folder = Path(request["folder"])
    if os.fork() != 0:
        os._exit(0)
    os.setsid()
    answer = os.dup(_ANSWER)
    os.dup2(2, _ANSWER)
    try:
        _run(folder, request, answer)
    except BaseException:  # noqa: BLE001 - the boundary of a process
        traceback.print_exc()
        sys.stderr.flush()
        os._exit(1)
    os._exit(0)


def _run(folder: Path, request: dict[str, Any], answer: int) -> None:
    _raise_file_limit()
    # Users of a host read its /etc, whatever this one keeps from others.
    os.umask(0o022)
    specs = [HostSpec.from_json(fields) for fields in request["specs"]]
    # What is there now is there for good: hosts are forked and should share it, not copy it.
    gc.disable()
    gc.freeze()
    try:
        lab = supervisor.make(folder, specs, request["mode"], request["backend"])
    except FleetError as error:
        _tell(answer, {"error": error.message, "hint": error.hint, "usage": isinstance(error, UsageError)})
        raise
    except BaseException as error:
        _tell(answer, {"error": f"{type(error).__name__}: {error}", "hint": f"see {folder / state.LOG}"})
        raise
    _tell(answer, {"done": True})
    try:
        lab.serve(None if request["outlive"] else _LIFELINE)
    finally:
        lab.end()


def _raise_file_limit() -> None:
    """Two files a host: the usual soft limit would end at some 500."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))


def _tell(answer: int, fields: dict[str, Any]) -> None:
    os.write(answer, json.dumps(fields).encode() + b"\n")
    os.close(answer)
