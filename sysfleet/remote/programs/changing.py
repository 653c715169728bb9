"""The request for a change of running values, and the record of what became of it.

Pure. What is sent is checked to be plain data; what comes back is hostile: what does not fit is a ReadError.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Literal, cast, get_args

from sysfleet.errors import ReadError
from sysfleet.host import Running, RunningState
from sysfleet.remote.evidence import clean, clean_fact
from sysfleet.remote.programs import asks, checked_path, checked_text, program, quoted, source
from sysfleet.remote.programs.placing import OurFile, file_lines
from sysfleet.remote.programs.reading import NAME, key_of, lines_of, parse_values
from sysfleet.sysctl.key import Key

ChangeState = Literal["settled", "changed_since", "locked", "too_late", "blocked", "failed", "refused", "reverted"]

Moved = tuple[Key, str | None, str | None]
"""A key, the value it should have and the one it has; None where there is no value to be read."""

_WATCHDOG = ("record.sh", "compare.sh", "undo.sh")
_MOST = 20_000  # keys that a program has anything to say of
_RUN = re.compile(r"[A-Za-z0-9-]{1,64}", re.ASCII)
_STATE = re.compile(r"^S ([a-z_]+)$", re.MULTILINE)
_WHY = re.compile(r"^Y (.*)$", re.MULTILINE)
_MOVED = re.compile(rf"^M ({NAME})\t([=?-])(.*)\t([=?-])(.*)$", re.MULTILINE)
_WRITTEN = re.compile(rf"^W ({NAME})\t(.*)$", re.MULTILINE)
_REFUSED = re.compile(rf"^R ({NAME})\t(.*)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ChangeRequest:
    """What to write, and what must be true before.

    `compare` is what the plan was made from, `settle` every managed key with its wanted text; both are
    written in their order, so let it be the safe canonical one. Nothing is written after `not_after_s` of the
    host's uptime. Until then, or until its file is in place, the host is in change by this run and no other may
    begin. `files_token` is of the reading. With `file`, its place is looked at and the new file made ready beside it
    before the first value is written. `watch_s` seconds after that the host puts everything back by itself, unless
    the file is in place by then; 0 means never. With `keeps_addresses` it also puts back IPv6 addresses and default
    routes, as far as they are gone.
    """

    run_id: str
    not_after_s: float
    compare: Sequence[tuple[Key, Running]]
    settle: Sequence[tuple[Key, str]]
    read_back: tuple[Key, ...]
    files_token: str
    our_file: str = "/etc/sysctl.d/99-zz-sysfleet.conf"
    file: OurFile | None = None
    watch_s: int = 60
    keeps_addresses: bool = False


@dataclass(frozen=True, slots=True)
class ChangeRecord:
    """What became of a change.

    `settled`: every write was taken. What the kernel keeps in another form, or what moves again and again,
    stands in `moved`: (key, wanted, found).
    `changed_since`: nothing was written; `why` says files or values, and `moved` which values.
    `blocked`, `failed`: nothing was written, since keys are read-only (see `refusals`), our file would not find its
    place, or a program is missing.
    `reverted`, `refused`: a write was refused (see `refusals`), and all is, or not all could be, put back.
    `locked`: another change is under way. `too_late` may come after some writes: see `written`.
    """

    state: ChangeState
    written: tuple[tuple[Key, str], ...] = ()
    refusals: tuple[tuple[Key, str], ...] = ()
    moved: tuple[Moved, ...] = ()
    values: Mapping[Key, Running] = field(default_factory=dict)
    why: str = ""


def change_program(request: ChangeRequest) -> bytes:
    """The shell program that makes the change; ValueError for a key or value that cannot be sent."""
    verb = "keep" if request.file is None else request.file.verb
    keeps = "yes" if request.keeps_addresses else "no"
    parts = "\n".join(source(name) for name in _WATCHDOG)
    return program(
        source("prelude.sh"),
        # The text is needed as such, for the watchdog's file, and as part of this program.
        f"sf_parts={quoted(parts)}",
        'eval "$sf_parts"',
        source("writing.sh"),
        source("change.sh"),
        asks(request.read_back),
        _request(request),
        f"sf_change {quoted(request.our_file)} {int(request.not_after_s)} {checked_run(request.run_id)} {verb} "
        f"{request.watch_s:d} {keeps}",
    )


def parse_change(stdout: bytes) -> ChangeRecord:
    """The record that a change program printed; ReadError for anything else."""
    text = lines_of(stdout)
    state = state_in(text, get_args(ChangeState))
    return ChangeRecord(
        cast("ChangeState", state),
        written=tuple((key_of(found[1]), clean_fact(found[2], limit=4096)) for found in _some(_WRITTEN, text)),
        refusals=tuple((key_of(found[1]), clean(found[2])) for found in _some(_REFUSED, text)),
        moved=moved_in(text),
        values=parse_values(text),
        why=why_in(text),
    )


def checked_run(run_id: str) -> str:
    """The name as it is; ValueError for one that a shell could take for more than a word."""
    if not _RUN.fullmatch(run_id):
        raise ValueError(f"{run_id!r} is no name of a run")
    return run_id


def comparable(key: Key, running: Running) -> str | None:
    """The line that says what the key should be like; None where a host cannot be asked without harm."""
    path = checked_path(key)
    if path.endswith("/stable_secret") or running.state is RunningState.UNSET:
        return None
    if running.state is RunningState.VALUE:
        return f"{path}\t={_flat(running.text or '')}"
    return f"{path}\t-"


def settled_lines(settle: Sequence[tuple[Key, str]]) -> str:
    """The wanted values as lines; ValueError for an empty one, which would be no write."""
    lines = []
    for key, wanted in settle:
        text = _flat(wanted)
        if not text:
            raise ValueError(f"the value of {key} is empty")
        lines.append(f"{checked_path(key)}\t={text}")
    return "\n".join(lines)


def state_in(text: str, states: tuple[str, ...]) -> str:
    """The state that the program printed; ReadError when there is none, or no known one."""
    found = _STATE.search(text)
    if found is None or found[1] not in states:
        missing = re.search(r"^missing (\S+)$", text, re.MULTILINE)
        message = f"the host has no {clean(missing[1])}" if missing else "the host's answer is not a record"
        raise ReadError(message, phase="change", evidence=clean(text) or None)
    return found[1]


def why_in(text: str) -> str:
    """The reason that the program gave, or nothing."""
    found = _WHY.search(text)
    return clean(found[1]) if found else ""


def moved_in(text: str) -> tuple[Moved, ...]:
    """What is not as it should be, in the program's order."""
    return tuple(
        (key_of(found[1]), _value(found[2], found[3]), _value(found[4], found[5])) for found in _some(_MOVED, text)
    )


def _some(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    return islice(pattern.finditer(text), _MOST)


def _request(request: ChangeRequest) -> str:
    compare = [line for line in (comparable(*one) for one in request.compare) if line is not None]
    return "\n".join(
        [
            "sf_request() {",
            f"sf_compare={quoted(chr(10).join(compare))}",
            f"sf_settle={quoted(settled_lines(request.settle))}",
            f"sf_expected={quoted(request.files_token)}",
            *(file_lines(request.file) if request.file is not None else ()),
            "}",
        ]
    )


def _flat(text: str) -> str:
    return " ".join(checked_text(text).split())


def _value(how: str, text: str) -> str | None:
    return clean_fact(" ".join(text.split()), limit=4096) if how == "=" else None
