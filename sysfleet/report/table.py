"""The results table: one row a host, a summary, and the errors folded below it. Refuses to print."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sysfleet.outcome import FleetReport, HostOutcome, Status
from sysfleet.report.colour import status_coloured
from sysfleet.report.columns import Column, fitted, joined
from sysfleet.report.names import fold_names
from sysfleet.report.printable import printable
from sysfleet.report.wording import differences, reason

_HEADS = (
    Column("host"),
    Column("roles"),
    Column("status"),
    Column("changes", right=True),
    Column("loader"),
    Column("time", right=True),
    Column("why"),
)
_STATUS_AT = 2


def table(rows: Sequence[HostOutcome], *, width: int | None = None, colour: bool = False) -> str:
    """One line a host in the order given, under its headings; `width` cuts the reason at the end."""
    lines = fitted(_HEADS, [_cells(row) for row in rows], width)
    if colour:
        for line, row in zip(lines[1:], rows, strict=True):
            line[_STATUS_AT] = status_coloured(line[_STATUS_AT], row.status)
    return _text(map(joined, lines))


def summary(report: FleetReport) -> str:
    """`50 hosts: 43 changed, 5 unreachable, 2 failed`, and where no kernel was asked, that."""
    counts = [f"{count} {name}" for name, count in report.summary.items() if name != "hosts"]
    lines = [f"{hosts(len(report.hosts))}: {', '.join(counts)}" if counts else "0 hosts"]
    if stand_ins := [row.host for row in report.hosts if row.stand_in]:
        lines.append(f"a folder stands in for the kernel on {hosts(len(stand_ins))}: {_folded(stand_ins)}")
    return _text(lines)


def errors(rows: Iterable[HostOutcome]) -> str:
    """What went wrong, equal text once under the hosts that it happened on, with its hint."""
    groups: dict[tuple[str, str, str | None], list[str]] = {}
    for row in rows:
        if row.error is not None:
            key = (row.error.phase, row.error.message, row.error.hint)
            groups.setdefault(key, []).append(row.host)
    lines: list[str] = []
    for (phase, message, hint), names in groups.items():
        where = f"{printable(phase)}: " if phase else ""
        lines.append(f"{_folded(names)}: {where}{printable(message)}")
        if hint:
            lines.append(f"    hint: {printable(hint)}")
    return _text(lines)


def hosts(number: int) -> str:
    """`1 host`, `2 hosts`."""
    return f"{number} host" if number == 1 else f"{number} hosts"


def why(row: HostOutcome) -> str:
    """The row's reason in a few words: its error, else its first difference and how many more there are."""
    if row.error is not None:
        return printable(row.error.message)
    found = differences(row)
    if found:
        return reason(found)
    if row.status is Status.DRIFTED and row.file is not None and row.file.diff:
        return "the file differs"
    return printable(row.notes[0]) if row.notes else ""


def _cells(row: HostOutcome) -> tuple[str, ...]:
    read = bool(row.settings) or row.error is None
    return (
        printable(row.host),
        printable(",".join(row.roles)),
        row.status.value,
        str(row.changes) if read else "",
        printable(row.loader) if read else "",
        f"{row.elapsed_s:.2f} s",
        why(row),
    )


def _folded(names: Iterable[str]) -> str:
    return fold_names(map(printable, names))


def _text(lines: Iterable[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
