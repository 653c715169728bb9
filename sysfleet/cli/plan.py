"""`sysfleet plan`: the dry run, every change with its file's diff; writes nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from functools import partial
from pathlib import Path

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
    parser.add_argument(
        "--out",
        metavar="FILE",
        type=Path,
        help="also write the plan to a file, for `apply --plan`; hosts that apply would refuse are blocked"
        " (default: no file)",
    )


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """The table, and below it each distinct change once."""
    from sysfleet.cli.plan_file import check_folder, write_plan
    from sysfleet.cli.progress import Telling
    from sysfleet.cli.project import open_fleet
    from sysfleet.cli.results import show_report
    from sysfleet.report.changes import changes

    telling = Telling(terminal, quiet=options.quiet, verbose=options.verbose)
    fleet = open_fleet(options, terminal, telling)
    learn(options, terminal, fleet)
    below = partial(changes, colour=terminal.colour(terminal.stdout))
    if options.out is None:
        return show_report(fleet.plan(options.limit), options, terminal, below)
    check_folder(options.out)
    report, plan = fleet.plan_to_save(options.limit)
    code = show_report(report, options, terminal, below)
    if report.interrupted:
        terminal.tell("no plan was written\n")
    else:
        write_plan(options.out, plan)
    return code


COMMAND = Command(
    name="plan",
    summary="the dry run: every change, the file's diff, hazards",
    examples=("sysfleet plan", "sysfleet plan --limit web1 --color never"),
    declare=declare,
    run=run,
    codes=check.COMMAND.codes,
    meanings=((ExitCode.DRIFT, "something would change, nothing written"),),
)
