"""The journal of one run: a header, a line a finished host written as it finishes, an end.

It never slows or fails a run: what cannot be written is said once and given up. Knows no clock and no chance.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from errno import ENOSPC
from pathlib import Path
from threading import Lock
from typing import IO

import msgspec

from sysfleet.outcome import SCHEMA, FleetReport, HostOutcome, plain_json

FOLDER = ".sysfleet"
_RUN_ID = re.compile(r"[0-9]{8}T[0-9]{6}Z-[0-9a-f]{8}")


class Header(msgspec.Struct, frozen=True, tag="header", tag_field="line"):
    """The first line: which run this is. `started` is UTC in ISO 8601, `limit` as it was typed."""

    schema: int
    run: str
    command: str
    started: str
    operator: str
    limit: str | None
    version: str


class Row(msgspec.Struct, frozen=True, tag="host", tag_field="line"):
    """One finished host."""

    outcome: HostOutcome


class End(msgspec.Struct, frozen=True, tag="end", tag_field="line"):
    """The last line; a journal without one is of a run that was killed."""

    summary: dict[str, int]
    exit_code: int
    notes: tuple[str, ...] = ()


class History(msgspec.Struct, frozen=True):
    """A journal as read back; `end` is None for a run that was killed."""

    header: Header
    hosts: tuple[HostOutcome, ...] = ()
    end: End | None = None


_ENCODER = msgspec.json.Encoder()
_LINE: msgspec.json.Decoder[Header | Row | End] = msgspec.json.Decoder(Header | Row | End)


def run_id(now: datetime, random: bytes) -> str:
    """A run's name, sortable by time (`now` is aware): `20260131T235959Z-1a2b3c4d`; four random bytes."""
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%SZ}-{random[:4].hex()}"


class Journal:
    """Open until `end`; `row` may be called from any thread. Nothing here raises for a disk that refuses."""

    def __init__(self, file: IO[bytes] | None, warn: Callable[[str], None]) -> None:
        self._file = file
        self._warn = warn
        self._lock = Lock()

    @classmethod
    def open(cls, project: Path, header: Header, warn: Callable[[str], None]) -> Journal:
        """A new journal in the project with its header; `warn` is told at most once if it cannot be kept."""
        journal = cls(None, warn)
        try:
            journal._file = _created(project, header.run)
        except OSError as error:
            journal._give_up(error)
        journal._write(header)
        return journal

    def row(self, outcome: HostOutcome) -> None:
        """Write one finished host."""
        self._write(Row(outcome))

    def end(self, report: FleetReport) -> None:
        """Write the last line and close."""
        self._write(End(report.summary, int(report.exit_code), report.notes))
        self.close()

    def close(self) -> None:
        """Close without a last line, as a killed run would; again does nothing."""
        with self._lock, suppress(OSError):
            file, self._file = self._file, None
            if file is not None:
                file.close()

    def _write(self, line: Header | Row | End) -> None:
        data = plain_json(_ENCODER.encode(line)) + b"\n"
        try:
            with self._lock:
                if self._file is not None and self._file.write(data) != len(data):
                    raise OSError(ENOSPC, os.strerror(ENOSPC))
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        self.close()
        self._warn(f"the journal of this run is not kept: {error.strerror or error}")


def header(run: str, command: str, started: datetime, operator: str, limit: str | None, version: str) -> Header:
    """The header of a run that begins now; `started` is aware."""
    return Header(SCHEMA, run, command, started.astimezone(UTC).isoformat(), operator, limit, version)


def load(path: Path) -> History:
    """Read a journal back; a last line that is cut is left out. ValueError where it is no journal."""
    lines = path.read_bytes().split(b"\n")
    head: Header | None = None
    hosts: list[HostOutcome] = []
    end: End | None = None
    for number, data in enumerate(lines, 1):
        match _decoded(data):
            case Header() as head if number == 1:
                pass
            case Row(outcome) if head:
                hosts.append(outcome)
            case End() as end if head:
                pass
            case None if head and number == len(lines):
                pass  # cut, or the nothing after the last line break
            case _:
                raise ValueError(f"{path.name}, line {number}: not a line of a journal")
    if head is None:
        raise ValueError(f"{path.name} is empty")
    return History(head, tuple(hosts), end)


def runs(project: Path) -> list[Path]:
    """The journals of a project, oldest first."""
    folder = project / FOLDER / "runs"
    return sorted(path for path in folder.glob("*.jsonl") if _RUN_ID.fullmatch(path.stem))


def private_folder(project: Path) -> Path:
    """The project's `.sysfleet`, made for its owner alone and kept out of git; OSError where that fails."""
    folder = project / FOLDER
    folder.mkdir(mode=0o700, exist_ok=True)
    ignore = folder / ".gitignore"
    if not ignore.exists():
        ignore.write_text("*\n")
    return folder


def _created(project: Path, run: str) -> IO[bytes]:
    folder = private_folder(project) / "runs"
    folder.mkdir(mode=0o700, exist_ok=True)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC
    # Unbuffered: a line is one write, so a killed process leaves whole lines but for the last.
    return os.fdopen(os.open(folder / f"{run}.jsonl", flags, 0o600), "wb", buffering=0)


def _decoded(data: bytes) -> Header | Row | End | None:
    try:
        return _LINE.decode(data)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None
