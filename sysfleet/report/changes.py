"""What a plan would change, equal changes once: the writes in their order, the file's diff, the hazards."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from sysfleet.outcome import HostOutcome, Status
from sysfleet.planning.verdict import Verdict
from sysfleet.report import wording
from sysfleet.report.colour import diff_coloured
from sysfleet.report.columns import Column, columns
from sysfleet.report.detail import heading
from sysfleet.report.interfaces import Cells, fold_interfaces
from sysfleet.report.printable import printable, printable_lines

_HEADS = (Column("key"), Column("now"), Column("then"), Column("wanted by"))


class _Change(NamedTuple):
    """All that is shown of one host's change; equal ones are shown once."""

    writes: tuple[tuple[str, Cells], ...]
    others: tuple[tuple[str, Cells], ...]
    diff: str
    notes: tuple[str, ...]


def changes(rows: Iterable[HostOutcome], *, colour: bool = False) -> str:
    """One block for each distinct change, under the hosts that would get it; empty where there is none."""
    groups: dict[_Change, list[str]] = {}
    for row in rows:
        if row.status in {Status.DRIFTED, Status.BLOCKED}:
            groups.setdefault(_change(row), []).append(row.host)
    return "\n".join(_block(names, change, colour=colour) for change, names in groups.items())


def _change(row: HostOutcome) -> _Change:
    writes: list[tuple[str, Cells]] = []
    others: list[tuple[str, Cells]] = []
    for setting in wording.differences(row):
        then, origin = wording.value(setting.wanted), wording.origin(setting)
        writes += [
            (key, (wording.running(setting, now), then, origin))
            for key, now in wording.places(setting)
            if wording.is_written(setting, now)
        ]
        if setting.verdict is not Verdict.CHANGE:
            others.append((setting.key, (wording.difference(setting),)))
    diff = row.file.diff if row.file else ""
    return _Change(tuple(fold_interfaces(writes)), tuple(fold_interfaces(others)), diff, row.notes)


def _block(names: list[str], change: _Change, *, colour: bool) -> str:
    text = [heading(names)]
    if change.writes:
        text += [f"  {line}" for line in columns(_HEADS, [(key, *cells) for key, cells in change.writes])]
    text += [f"  {key}: {difference}" for key, (difference,) in change.others]
    diff = printable_lines(change.diff.splitlines())
    text += [f"  {diff_coloured(line) if colour else line}" for line in diff]
    text += [f"  note: {printable(note)}" for note in change.notes]
    return "".join(f"{line}\n" for line in text)
