"""`sysfleet demo`: the whole way on a lab of this machine: drift, plan, apply, all as wanted."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from sysfleet.cli.command import Command
from sysfleet.cli.options import add_colour
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode


def declare(parser: ArgumentParser) -> None:
    """The number of hosts."""
    parser.add_argument(
        "-n", "--hosts", metavar="N", type=int, default=6, help="number of hosts (default: 6)"
    )
    add_colour(parser)


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """Nothing yet."""
    del options, terminal
    return ExitCode.OK


COMMAND = Command(
    name="demo",
    summary="the whole job on a lab of this machine, in one command",
    examples=("sysfleet demo", "sysfleet demo -n 20"),
    declare=declare,
    run=run,
    codes=(ExitCode.OK, ExitCode.USAGE, ExitCode.HOST_FAILED, ExitCode.BUG, ExitCode.INTERRUPTED),
    meanings=(
        (ExitCode.OK, "drift was found, changed, and gone"),
        (ExitCode.HOST_FAILED, "it went otherwise"),
    ),
)
