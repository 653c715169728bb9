"""`sysfleet check`: reads and compares, writes nothing."""

from __future__ import annotations

from argparse import Namespace

from sysfleet.cli.command import Command
from sysfleet.cli.options import add_run
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """The table, and below it what differs."""
    from sysfleet.cli.progress import Telling
    from sysfleet.cli.project import open_fleet
    from sysfleet.cli.results import show_report
    from sysfleet.report.detail import detail

    telling = Telling(terminal, quiet=options.quiet, verbose=options.verbose)
    report = open_fleet(options, terminal, telling).check(options.limit)
    return show_report(report, options, terminal, detail)


COMMAND = Command(
    name="check",
    summary="read and compare: the table",
    examples=("sysfleet check", "sysfleet check --limit 'role=web & !web9' --format json"),
    declare=add_run,
    run=run,
    codes=(
        ExitCode.OK,
        ExitCode.DRIFT,
        ExitCode.USAGE,
        ExitCode.HOST_FAILED,
        ExitCode.BUG,
        ExitCode.INTERRUPTED,
    ),
    meanings=((ExitCode.DRIFT, "drift found, nothing written"),),
)
