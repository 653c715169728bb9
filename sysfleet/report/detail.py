"""What differs on which hosts, for below the table of `check`: equal differences once, under all hosts."""

from __future__ import annotations

from collections.abc import Iterable

from sysfleet.outcome import HostOutcome, SettingOutcome, Status
from sysfleet.report import wording
from sysfleet.report.columns import Column, columns
from sysfleet.report.interfaces import Cells, fold_interfaces, interface_values
from sysfleet.report.names import fold_names
from sysfleet.report.printable import printable
from sysfleet.report.table import hosts

_HEADS = (
    Column("key"),
    Column("wanted"),
    Column("running"),
    Column("at boot"),
    Column("winner at boot"),
    Column("verdict"),
    Column("wanted by"),
)
_CELLS = len(_HEADS) - 1  # those after the key; what follows stands on lines of its own


def detail(rows: Iterable[HostOutcome]) -> str:
    """One block for each distinct set of differences: the hosts, then a line a key; else empty."""
    groups: dict[tuple[tuple[str, Cells], ...], list[str]] = {}
    for row in rows:
        if found := _lines(row):
            groups.setdefault(found, []).append(row.host)
    return "\n".join(_block(names, lines) for lines, names in groups.items())


def heading(names: Iterable[str]) -> str:
    """`4 hosts: web[1-3,7]`, the line above what they share."""
    listed = [printable(name) for name in names]
    return f"{hosts(len(listed))}: {fold_names(listed)}"


def _lines(row: HostOutcome) -> tuple[tuple[str, Cells], ...]:
    found = [(setting.key, _cells(setting)) for setting in wording.differences(row)]
    if found or row.status is not Status.DRIFTED or row.file is None or not row.file.diff:
        return tuple(fold_interfaces(found))
    return ((printable(row.file.path), ("-", "-", "-", "-", "file differs", "-")),)


def _cells(setting: SettingOutcome) -> Cells:
    remarks = [printable(text) for text in (setting.why, *setting.notes) if text]
    remarks += interface_values(setting.interfaces)
    return (
        wording.wanted(setting),
        wording.running(setting),
        wording.at_boot(setting),
        wording.winner(setting),
        setting.verdict.value,
        wording.origin(setting),
        *remarks,
    )


def _block(names: list[str], lines: Iterable[tuple[str, Cells]]) -> str:
    rows = [(key, *cells[:_CELLS]) for key, cells in lines]
    remarks = [cells[_CELLS:] for _, cells in lines]
    text = [heading(names)]
    for line, extra in zip(columns(_HEADS, rows), ((), *remarks), strict=True):
        text.append(f"  {line}")
        text += [f"      {remark}" for remark in extra]
    return "".join(f"{line}\n" for line in text)
