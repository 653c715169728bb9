"""From argv to an exit code: chooses the command, runs it, and is the boundary of the process."""

from __future__ import annotations

import argparse
import io
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from pathlib import Path
from types import FrameType

from sysfleet import __version__
from sysfleet.cli import apply, check, demo, explain, init, inventory, lab, lint, plan, render
from sysfleet.cli.command import Command, Parser, add_choice, epilog, parse, parser_of
from sysfleet.cli.errors import reported
from sysfleet.cli.options import add_project
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode

COMMANDS = (
    check.COMMAND,
    plan.COMMAND,
    apply.COMMAND,
    render.COMMAND,
    explain.COMMAND,
    inventory.COMMAND,
    lint.COMMAND,
    init.COMMAND,
    lab.COMMAND,
    demo.COMMAND,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command line (the process's own by default) and give back its exit code."""
    terminal = Terminal.of_process()
    with _terminated_is_interrupted():
        return int(run(sys.argv[1:] if argv is None else argv, terminal))


def run(argv: Sequence[str], terminal: Terminal) -> ExitCode:
    """One command line over these streams; every error is text on standard error and a code."""
    return reported(lambda: _run(argv, terminal), argv, terminal)


def top_parser() -> Parser:
    """What stands before the command."""
    parser = Parser(
        prog="sysfleet",
        usage="sysfleet [--project DIR] COMMAND [OPTION …]",
        description="Hardens kernel parameters (sysctl) on many Linux hosts over SSH, without an agent.",
        epilog=epilog(ExitCode, ("sysfleet check --limit 'role=web & !web9'", "sysfleet --project fleet apply")),
    )
    add_project(parser, default=Path())
    parser.add_argument("--version", action="version", version=f"sysfleet {__version__}")
    add_choice(parser, "command", COMMANDS)
    return parser


def _run(argv: Sequence[str], terminal: Terminal) -> ExitCode:
    said = io.StringIO()
    try:
        with redirect_stdout(said):
            command, options = _parsed(argv)
    except SystemExit:  # --help and --version; errors are raised as ours
        terminal.show(said.getvalue())
        return ExitCode.OK
    terminal.colour_mode = getattr(options, "color", "auto")
    return command.run(options, terminal)


def _parsed(argv: Sequence[str]) -> tuple[Command, argparse.Namespace]:
    options = parse(top_parser(), argv, argparse.Namespace())
    prog, command = "sysfleet", _named(COMMANDS, options.command)
    options = parse(parser_of(command, prog), options.rest, options)
    if command.verbs:
        prog, command = f"{prog} {command.name}", _named(command.verbs, options.verb)
        options = parse(parser_of(command, prog), options.rest, options)
    return command, options


def _named(commands: Sequence[Command], name: str) -> Command:
    return next(command for command in commands if command.name == name)


@contextmanager
def _terminated_is_interrupted() -> Iterator[None]:
    """SIGTERM ends a run as Ctrl-C does, so that what was begun is brought to its end."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, interrupt)
    except ValueError:  # not the main thread: signals are somebody else's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
