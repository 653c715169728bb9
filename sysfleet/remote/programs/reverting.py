"""The requests to put a change back at once, and to say what became of it, and the record of either.

Pure. Only what the host's own record says counts; what comes back is hostile, and what does not fit is a ReadError.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast, get_args

from sysfleet.remote.programs import checked_text, program, quoted, source
from sysfleet.remote.programs.changing import Moved, checked_run, moved_in, state_in, why_in
from sysfleet.remote.programs.reading import lines_of

RevertState = Literal["armed", "placing", "committed", "reverted", "stuck", "none", "restarted", "refused"]


@dataclass(frozen=True, slots=True)
class RevertRecord:
    """What the host says of a run's change.

    `armed`, `placing`: still under way. `stuck`, `refused`: not all could be put back. `none`: the host has no record
    of this run. `restarted`: the record is of another boot.
    """

    state: RevertState
    why: str = ""
    moved: tuple[Moved, ...] = ()


def revert_program(run_id: str, why: str) -> bytes:
    """The shell program that puts a change back, unless it is committed; ValueError for what cannot be sent."""
    return _program(f"sf_back {checked_run(run_id)} {quoted(checked_text(why))}")


def look_program(run_id: str) -> bytes:
    """The shell program that says what became of a change, and does nothing."""
    return _program(f"sf_look {checked_run(run_id)}")


def _program(call: str) -> bytes:
    parts = ("prelude.sh", "record.sh", "writing.sh", "revert.sh")
    return program(*(source(name) for name in parts), call)


def parse_revert(stdout: bytes) -> RevertRecord:
    """The record that a revert or look program printed; ReadError for anything else."""
    text = lines_of(stdout)
    state = state_in(text, get_args(RevertState))
    return RevertRecord(cast("RevertState", state), why=why_in(text), moved=moved_in(text))
