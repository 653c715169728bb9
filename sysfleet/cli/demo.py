"""`sysfleet demo`: the whole way on a lab of this machine: drift, plan, apply, all as wanted."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import NamedTuple

from sysfleet.cli.command import Command
from sysfleet.cli.lab import kind_of
from sysfleet.cli.options import add_colour
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode


class _Step(NamedTuple):
    """One command of the demo: what it does in a line, its words, and the code that the story needs."""

    about: str
    words: tuple[str, ...]
    code: ExitCode


_STORY = (
    _Step("read every host and compare: drift, and nothing is written", ("check",), ExitCode.DRIFT),
    _Step("the dry run: every change, and the file for the next boot", ("plan",), ExitCode.DRIFT),
    _Step("change, read back, prove over a new connection, then write the file", ("apply", "--yes"), ExitCode.OK),
    _Step("look again: every host is as wanted, now and at the next boot", ("check",), ExitCode.OK),
)


def declare(parser: ArgumentParser) -> None:
    """The number of hosts."""
    parser.add_argument(
        "-n",
        "--hosts",
        metavar="N",
        type=int,
        default=6,
        help="hosts, in turn web, db, router, bastion (default: 6)",
    )
    add_colour(parser)


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """Bring a lab up, play the story, take the lab down whatever happens."""
    from tempfile import TemporaryDirectory

    from sysfleet.lab import Lab
    from sysfleet.report.table import hosts
    from sysfleet.sample import sample_folder

    with TemporaryDirectory(prefix="sysfleet-demo-", ignore_cleanup_errors=True) as scratch:
        folder = Path(scratch) / "fleet"
        terminal.show(f"A lab of {hosts(options.hosts)} comes up; nothing outside it is touched.\n")
        with Lab.up(folder, options.hosts, templates=sample_folder("templates")) as lab:
            terminal.show(f"It is up, {kind_of(lab)}.\n")
            code = _played(folder, options.color, terminal)
        terminal.show("\nThe lab is down.\n")
    return code


def _played(folder: Path, color: str, terminal: Terminal) -> ExitCode:
    from sysfleet.cli.program import run as run_command

    for step in _STORY:
        terminal.show(f"\n=== sysfleet {' '.join(step.words)}: {step.about}\n\n")
        code = run_command(["--project", str(folder), *step.words, "--color", color], terminal)
        if code is not step.code:
            terminal.tell(f"sysfleet: the demo went wrong: {step.words[0]} gave {code}, not {step.code}\n")
            return max(code, ExitCode.HOST_FAILED)
    return ExitCode.OK


COMMAND = Command(
    name="demo",
    summary="the whole job on a lab of this machine, in one command",
    examples=("sysfleet demo", "sysfleet demo -n 20"),
    declare=declare,
    run=run,
    codes=(ExitCode.OK, ExitCode.USAGE, ExitCode.HOST_FAILED, ExitCode.BUG, ExitCode.INTERRUPTED),
    meanings=(
        (ExitCode.OK, "drift was found, changed, and is gone"),
        (ExitCode.USAGE, "usage, or this machine cannot run a lab"),
        (ExitCode.HOST_FAILED, "it went otherwise"),
    ),
)
