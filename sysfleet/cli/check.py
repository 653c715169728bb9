"""`sysfleet check`: reads and compares, writes nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from sysfleet.cli.command import Command
from sysfleet.cli.learning import add_learning, learn
from sysfleet.cli.options import add_run
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode


def declare(parser: ArgumentParser) -> None:
    """The options of a run, and learning."""
    add_run(parser)
    add_learning(parser)


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """The table, and below it what differs."""
    from sysfleet.cli.progress import Telling
    from sysfleet.cli.project import open_fleet
    from sysfleet.cli.results import show_report
    from sysfleet.report.detail import detail

    telling = Telling(terminal, quiet=options.quiet, verbose=options.verbose)
    fleet = open_fleet(options, terminal, telling)
    learn(options, terminal, fleet)
    return show_report(fleet.check(options.limit), options, terminal, detail)


COMMAND = Command(
    name="check",
    summary="read and compare: the table",
    examples=("sysfleet check", "sysfleet check --limit 'role=web & !web9' --format json"),
    declare=declare,
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
