"""`sysfleet render HOST`: the file as it would be pushed; reads the host, writes nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from sysfleet.cli.command import Command
from sysfleet.cli.options import add_colour, add_passwords, add_project, add_settings
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode


def declare(parser: ArgumentParser) -> None:
    """The host, and the project."""
    parser.add_argument("host", metavar="HOST", help="a host of the inventory")
    add_project(parser)
    add_passwords(parser)
    add_settings(parser)
    add_colour(parser)


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """The file's text."""
    from sysfleet.cli.progress import Telling
    from sysfleet.cli.project import open_fleet

    telling = Telling(terminal, quiet=False, verbose=False)
    terminal.show(open_fleet(options, terminal, telling).render(options.host).decode("utf-8", "backslashreplace"))
    return ExitCode.OK


COMMAND = Command(
    name="render",
    summary="the file as it would be pushed to a host",
    examples=("sysfleet render web1", "sysfleet --project fleet render web1 > web1.conf"),
    declare=declare,
    run=run,
    codes=(ExitCode.OK, ExitCode.USAGE, ExitCode.HOST_FAILED, ExitCode.BUG, ExitCode.INTERRUPTED),
    meanings=((ExitCode.OK, "the file is on standard output"), (ExitCode.HOST_FAILED, "the host failed")),
)
