"""`sysfleet apply`: plans, asks, rolls out."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from sysfleet.cli.command import Command
from sysfleet.cli.learning import add_refusal, refuse
from sysfleet.cli.options import add_risks, add_rollout, add_run
from sysfleet.cli.terminal import Terminal, is_terminal
from sysfleet.errors import ExitCode, UsageError, worst

if TYPE_CHECKING:
    from sysfleet.cli.progress import Telling
    from sysfleet.outcome import FleetReport

_YES = {"y", "yes"}


def declare(parser: ArgumentParser) -> None:
    """The options of a run, how hosts have their turn, what is allowed, `--plan` and `--yes`."""
    add_run(parser)
    add_rollout(parser)
    add_risks(parser)
    add_refusal(parser)
    parser.add_argument(
        "--plan",
        metavar="FILE",
        type=Path,
        help="change as `plan --out` has written it; a host on which anything has changed since is blocked"
        " (default: plan anew)",
    )
    parser.add_argument(
        "--yes", action="store_true", help="change without asking, in one pass over the hosts (default: ask)"
    )


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """The table of what was changed; 1 where the person declined."""
    refuse(options)
    if not options.yes and not is_terminal(terminal.stdin):
        raise UsageError("apply asks before it changes, and there is no terminal to ask", hint="--yes does not ask")
    from sysfleet.cli.plan_file import read_plan
    from sysfleet.cli.progress import Telling
    from sysfleet.cli.project import open_fleet
    from sysfleet.cli.results import show_report

    plan = None if options.plan is None else read_plan(options.plan)
    telling = Telling(terminal, quiet=options.quiet, verbose=options.verbose)
    fleet = open_fleet(options, terminal, telling)
    question = None if options.yes else Question(options, terminal, telling)
    report = fleet.apply(options.limit, question, plan)
    code = show_report(report, options, terminal)
    if question is not None and question.declined:
        terminal.tell("nothing was written\n")
        return worst([code, ExitCode.DRIFT])
    return code


class Question:
    """Shows the plan and asks whether to go on; remembers a no. Nothing to change is no question."""

    def __init__(self, options: Namespace, terminal: Terminal, telling: Telling) -> None:
        self._telling = telling
        self._options = options
        self._terminal = terminal
        self.declined = False

    def __call__(self, plan: FleetReport) -> bool:
        """Whether to go on with this plan."""
        from sysfleet.outcome import Status

        number = sum(row.status is Status.DRIFTED and row.changes > 0 for row in plan.hosts)
        if not number:
            return True
        with self._telling.paused():
            self.declined = not self._approved(plan, number)
        return not self.declined

    def _approved(self, plan: FleetReport, number: int) -> bool:
        from sysfleet.report.changes import changes
        from sysfleet.report.table import errors, hosts, summary

        is_json = self._options.format == "json"
        stream = self._terminal.stderr if is_json else self._terminal.stdout
        write = self._terminal.tell if is_json else self._terminal.show
        colour = self._terminal.colour(stream)
        parts = (changes(plan.hosts, colour=colour), errors(plan.hosts), summary(plan))
        write("\n".join(part for part in parts if part) + "\n")
        self._terminal.tell(f"apply to {hosts(number)}? [y/N] ")
        return self._terminal.stdin.readline().strip().lower() in _YES


COMMAND = Command(
    name="apply",
    summary="plan, ask, roll out",
    examples=("sysfleet apply --limit role=web", "sysfleet apply --yes --batch 1,25%,100% --pause 60"),
    declare=declare,
    run=run,
    meanings=((ExitCode.DRIFT, "declined, nothing written"),),
)
