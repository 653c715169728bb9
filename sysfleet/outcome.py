"""What happened on one host and on the selection; owner of the JSON, both ways.

The names of the fields are the names in the JSON (DESIGN.md, 'Results'). Pure: nothing here formats text for a
person or knows where an outcome came from.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from enum import StrEnum

import msgspec

from sysfleet.errors import ExitCode, worst
from sysfleet.planning.verdict import Verdict

SCHEMA = 1


class Status(StrEnum):
    """The end of one host's row."""

    OK = "ok"
    CHANGED = "changed"
    DRIFTED = "drifted"
    BLOCKED = "blocked"
    REVERTED = "reverted"
    UNREACHABLE = "unreachable"
    REJECTED = "rejected"
    DENIED = "denied"
    FAILED = "failed"
    UNVERIFIED = "unverified"
    SKIPPED = "skipped"
    INTERRUPTED = "interrupted"

    @property
    def exit_code(self) -> ExitCode:
        """The code of a command in which this is the worst row."""
        return _EXIT_CODES.get(self, ExitCode.HOST_FAILED)


_EXIT_CODES = {
    Status.OK: ExitCode.OK,
    Status.CHANGED: ExitCode.OK,
    Status.DRIFTED: ExitCode.DRIFT,
    Status.UNVERIFIED: ExitCode.UNVERIFIED,
    Status.INTERRUPTED: ExitCode.INTERRUPTED,
}


class OriginRecord(msgspec.Struct, frozen=True, omit_defaults=False):
    """Where the wanted value comes from."""

    layer: str
    file: str
    line: int
    reason: str | None = None
    name: str | None = None
    ticket: str | None = None
    expires: str | None = None
    value: str | None = None  # the constraint in words; set inside a chain


class WinnerRecord(msgspec.Struct, frozen=True):
    """The line of a file on the host that decides the value at boot."""

    file: str
    line: int


class SettingOutcome(msgspec.Struct, frozen=True):
    """One wanted key (or glob) on one host: wanted, running and at boot. All values are strings."""

    key: str
    wanted: str | None
    running: str | None
    at_boot: str | None
    at_boot_unknown: str | None
    verdict: Verdict
    origin: OriginRecord | None
    boot_winner: WinnerRecord | None = None
    constraint: str = "value"  # or at_least, at_most, one_of, absent
    asked: str | None = None  # the constraint in words: ">= 4096"
    running_state: str = "value"
    interfaces: dict[str, str] = {}
    chain: tuple[OriginRecord, ...] = ()
    at_boot_planned: str | None = None
    why: str | None = None  # one sentence that explains a verdict which is not plain
    notes: tuple[str, ...] = ()


class FileOutcome(msgspec.Struct, frozen=True):
    """Our file on the host: a unified diff from what is there to what would be; empty when equal."""

    path: str
    diff: str = ""


class ErrorRecord(msgspec.Struct, frozen=True):
    """Why a host failed, in which phase, and what to do next."""

    type: str
    phase: str
    message: str
    hint: str | None = None


class HostOutcome(msgspec.Struct, frozen=True):
    """One row: what happened on one host. `changes` counts values and the file (1) that differ or were written."""

    host: str
    roles: tuple[str, ...]
    status: Status
    elapsed_s: float = 0.0
    error: ErrorRecord | None = None
    changes: int = 0
    loader: str = "unknown"
    file: FileOutcome | None = None
    settings: tuple[SettingOutcome, ...] = ()
    notes: tuple[str, ...] = ()
    stand_in: bool = False  # a folder stands in for the kernel (a lab without namespaces)


class FleetReport(msgspec.Struct, frozen=True):
    """The outcomes of a selection, one row for every selected host, in natural order of names."""

    schema: int
    run: str
    command: str
    summary: dict[str, int]
    hosts: tuple[HostOutcome, ...]
    notes: tuple[str, ...] = ()
    interrupted: bool = False

    @property
    def exit_code(self) -> ExitCode:
        """The worst of the rows; a run that was interrupted says so even where every row came to its end."""
        codes = [row.status.exit_code for row in self.hosts]
        return worst([*codes, ExitCode.INTERRUPTED] if self.interrupted else codes)


def report(
    run: str, command: str, rows: Iterable[HostOutcome], notes: Sequence[str] = (), *, interrupted: bool = False
) -> FleetReport:
    """Gather finished rows; the order given is kept."""
    hosts = tuple(rows)
    counts = Counter(row.status.value for row in hosts)
    summary = {"hosts": len(hosts)} | {s.value: counts[s.value] for s in Status if counts[s.value]}
    return FleetReport(SCHEMA, run, command, summary, hosts, tuple(notes), interrupted)


_ENCODER = msgspec.json.Encoder()
_REPORT = msgspec.json.Decoder(FleetReport)
_ROW = msgspec.json.Decoder(HostOutcome)


def to_json(value: FleetReport | HostOutcome) -> bytes:
    """One line of JSON."""
    return plain_json(_ENCODER.encode(value))


def plain_json(data: bytes) -> bytes:
    """The same JSON with every character escaped that a terminal could obey, hide or reorder."""
    if data.isascii():
        return data
    text = data.decode("utf-8")
    if text.isprintable():
        return data
    return "".join(char if char.isprintable() else _escape(char) for char in text).encode("utf-8")


def _escape(char: str) -> str:
    # RFC 8259, 7: beyond the first plane as a pair of surrogates.
    pairs = char.encode("utf-16-be")
    return "".join(f"\\u{pairs[at]:02x}{pairs[at + 1]:02x}" for at in range(0, len(pairs), 2))


def json_parts(report: FleetReport) -> Iterator[bytes]:
    """The report's one line of JSON in parts, a row at a time: a large fleet's text is never held as a whole."""
    head, mark, tail = to_json(msgspec.structs.replace(report, hosts=())).partition(b'"hosts":[')
    yield head + mark
    for number, row in enumerate(report.hosts):
        yield (b"," if number else b"") + to_json(row)
    yield tail


def report_from_json(data: bytes) -> FleetReport:
    """Read back what `to_json` wrote; raises msgspec.ValidationError."""
    return _REPORT.decode(data)


def row_from_json(data: bytes) -> HostOutcome:
    """Read back one row; raises msgspec.ValidationError."""
    return _ROW.decode(data)
