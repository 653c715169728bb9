"""Starting a lab's supervisor: a folder for it, its request, and its answer. Knows nothing of hosts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from sysfleet.errors import SetupError, UsageError
from sysfleet.lab import state


def claim(folder: Path) -> None:
    """Make the folder, or take over one whose lab has ended; never one with other things in it."""
    if state.exists(folder):
        fields = state.read(folder)
        if fields["state"] == "up" and state.supervisor(fields) is not None:
            raise UsageError(f"a lab is already up in {folder}", hint=f"sysfleet lab down --dir {folder}")
    # A lab that did not come up has left its log at least.
    elif folder.is_dir() and any(folder.iterdir()) and not (folder / state.LOG).exists():
        raise UsageError(f"{folder} is not empty and no lab's folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"{folder} cannot be a lab's folder: {error.strerror}") from error


def start_supervisor(folder: Path, request: Mapping[str, Any]) -> IO[bytes]:
    """Start the daemon and wait for its answer; what keeps it running is the open file that this returns."""
    package = str(Path(__file__).parents[2])
    # No more of our environment than a daemon needs: hosts can read their init's.
    search = os.pathsep.join(dict.fromkeys([package, *filter(None, sys.path)]))
    with (folder / state.LOG).open("wb") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "sysfleet.lab"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": search},
            start_new_session=True,
        )
    lifeline, answers = daemon.stdin, daemon.stdout
    if lifeline is None or answers is None:
        raise AssertionError("both were asked for")
    answer = b""
    try:
        with answers, suppress(BrokenPipeError):
            lifeline.write(json.dumps(request).encode() + b"\n")
            lifeline.flush()
            answer = answers.readline()
            daemon.wait()
        _raise_refusal(json.loads(answer or b"{}"), folder)
    except BaseException:
        lifeline.close()
        raise
    return lifeline


def _raise_refusal(answer: Mapping[str, Any], folder: Path) -> None:
    if "done" in answer:
        return
    kind = UsageError if answer.get("usage") else SetupError
    message = answer.get("error", "the lab's supervisor ended at once")
    raise kind(message, hint=answer.get("hint", f"see {folder / state.LOG}"))
