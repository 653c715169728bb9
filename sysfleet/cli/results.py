"""How a finished run is shown on standard output, as a table or as JSON."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable, Sequence

from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode
from sysfleet.outcome import FleetReport, HostOutcome, Status, json_parts
from sysfleet.report.table import errors, summary, table

Below = Callable[[Sequence[HostOutcome]], str]


def show_report(report: FleetReport, options: Namespace, terminal: Terminal, below: Below | None = None) -> ExitCode:
    """Write the report, with what stands below its table, and give back its exit code."""
    if options.format == "json":
        for part in json_parts(report):
            terminal.show(part.decode())
        terminal.show("\n")
        return report.exit_code
    rows = [row for row in report.hosts if not options.quiet or not _as_wanted(row)]
    parts = [table(rows, width=terminal.width(), colour=terminal.colour(terminal.stdout))] if rows else []
    parts += [summary(report), errors(rows)]
    if below is not None and not options.quiet:
        parts.append(below(rows))
    terminal.show("\n".join(part for part in parts if part))
    return report.exit_code


def _as_wanted(row: HostOutcome) -> bool:
    return row.status in {Status.OK, Status.CHANGED}
