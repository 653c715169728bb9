"""What differs on which hosts, for below the table of `check`: equal differences once, under all hosts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import compress

from sysfleet.outcome import HostOutcome, SettingOutcome, Status
from sysfleet.report import wording
from sysfleet.report.columns import Column, columns
from sysfleet.report.interfaces import Cells, fold_interfaces
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

_Line = tuple[str, Cells]


def detail(rows: Iterable[HostOutcome]) -> str:
    """Every distinct difference once, those of the same hosts in one block; the block of most hosts first."""
    hosts_of: dict[_Line, list[str]] = {}
    for row in rows:
        for line in _lines(row):
            hosts_of.setdefault(line, []).append(row.host)
    blocks: dict[tuple[str, ...], list[_Line]] = {}
    for line, names in hosts_of.items():
        blocks.setdefault(tuple(names), []).append(line)
    ordered = sorted(blocks.items(), key=lambda block: -len(block[0]))
    return "\n".join(_block(names, lines) for names, lines in ordered)


def heading(names: Iterable[str]) -> str:
    """`4 hosts: web[1-3,7]`, the line above what they share."""
    listed = [printable(name) for name in names]
    return f"{hosts(len(listed))}: {fold_names(listed)}"


def _lines(row: HostOutcome) -> list[_Line]:
    found = [line for setting in wording.differences(row) for line in _of_setting(setting)]
    if found or row.status is not Status.DRIFTED or row.file is None or not row.file.diff:
        return fold_interfaces(found)
    return [(printable(row.file.path), ("-", "-", "-", "-", "file differs", "-"))]


def _of_setting(setting: SettingOutcome) -> Iterator[_Line]:
    asked, rest = wording.wanted(setting), _cells(setting)
    for key, now in wording.places(setting):
        yield key, (asked, wording.running(setting, now), *rest)


def _cells(setting: SettingOutcome) -> Cells:
    return (
        wording.at_boot(setting),
        wording.winner(setting),
        wording.verdict(setting),
        wording.origin(setting),
        *wording.remarks(setting),
    )


def _block(names: Iterable[str], lines: Iterable[_Line]) -> str:
    rows = [(key, *cells[:_CELLS]) for key, cells in lines]
    remarks = ((), *(cells[_CELLS:] for _, cells in lines))
    text = [heading(names)]
    for line, extra in zip(_columns(rows), remarks, strict=True):
        text.append(f"  {line}")
        text += [f"      {remark}" for remark in extra]
    return "".join(f"{line}\n" for line in text)


def _columns(rows: Sequence[Sequence[str]]) -> list[str]:
    """As columns; one that says nothing in any row is left out."""
    told = [any(cell != "-" for cell in column) for column in zip(*rows, strict=True)]
    return columns(list(compress(_HEADS, told)), [list(compress(row, told)) for row in rows])
