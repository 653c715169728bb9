"""The request to put our file in place or take it away, and the record of what became of it.

Pure. Knows nothing of what the file says; what comes back is hostile, and what does not fit is a ReadError.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, cast, get_args

from sysfleet.remote.programs import program, quoted, source
from sysfleet.remote.programs.changing import Moved, checked_run, moved_in, settled_lines, state_in, why_in
from sysfleet.remote.programs.placing import OurFile, file_lines
from sysfleet.remote.programs.reading import lines_of
from sysfleet.sysctl.key import Key

PersistState = Literal["committed", "changed_since", "too_late", "locked", "blocked", "failed", "reverted"]


@dataclass(frozen=True, slots=True)
class PersistRequest:
    """The file as it is to be; None takes it away.

    `header` is the first line of every file of ours: a file without it is not touched. `files_token` is that
    of the last reading; `settle` is looked at once more. With `armed`, values were changed before, and the file is
    put in place only while the host's record says that this change stands.
    """

    run_id: str
    not_after_s: float
    path: str
    content: bytes | None
    files_token: str
    settle: Sequence[tuple[Key, str]]
    header: str
    armed: bool = False


@dataclass(frozen=True, slots=True)
class PersistRecord:
    """What became of the file. `committed` with `moved`: it is in place, but by then these keys had moved.

    `reverted`: the host had put the change back by then, and `why` is what its record says.
    """

    state: PersistState
    why: str = ""
    moved: tuple[Moved, ...] = ()


def persist_program(request: PersistRequest) -> bytes:
    """The shell program that does it; ValueError for a path or content that cannot be sent."""
    file = OurFile(request.path, request.content, request.header)
    return program(
        source("prelude.sh"),
        source("record.sh"),
        source("compare.sh"),
        source("writing.sh"),
        source("persist.sh"),
        "sf_request() {",
        f"sf_settle={quoted(settled_lines(request.settle))}",
        f"sf_expected={quoted(request.files_token)}",
        *file_lines(file),
        "}",
        f"sf_persist {file.verb} {quoted(request.path)} {int(request.not_after_s)} {checked_run(request.run_id)} "
        f"{'armed' if request.armed else 'alone'}",
    )


def parse_persist(stdout: bytes) -> PersistRecord:
    """The record that a persist program printed; ReadError for anything else."""
    text = lines_of(stdout)
    state = state_in(text, get_args(PersistState))
    return PersistRecord(cast("PersistState", state), why=why_in(text), moved=moved_in(text))
