"""`sysfleet plan`: the dry run, every change with its file's diff; writes nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from functools import partial

from sysfleet.cli import check
from sysfleet.cli.command import Command
from sysfleet.cli.learning import add_learning, learn
from sysfleet.cli.options import add_risks, add_run
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode


def declare(parser: ArgumentParser) -> None:
    """The options of a run, what is allowed, and learning."""
    add_run(parser)
    add_risks(parser)
    add_learning(parser)


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """The table, and below it each distinct change once."""
    from sysfleet.cli.progress import Telling
    from sysfleet.cli.project import open_fleet
    from sysfleet.cli.results import show_report
    from sysfleet.report.changes import changes

    telling = Telling(terminal, quiet=options.quiet, verbose=options.verbose)
    fleet = open_fleet(options, terminal, telling)
    learn(options, terminal, fleet)
    below = partial(changes, colour=terminal.colour(terminal.stdout))
    return show_report(fleet.plan(options.limit), options, terminal, below)


COMMAND = Command(
    name="plan",
    summary="the dry run: every change, the file's diff, hazards",
    examples=("sysfleet plan", "sysfleet plan --limit web1 --color never"),
    declare=declare,
    run=run,
    codes=check.COMMAND.codes,
    meanings=((ExitCode.DRIFT, "something would change, nothing written"),),
)
