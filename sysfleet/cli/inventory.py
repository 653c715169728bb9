"""`sysfleet inventory`: who is selected, with roles and layers; contacts nobody."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from sysfleet.cli.command import Command
from sysfleet.cli.options import add_colour, add_format, add_limit, add_project, add_settings
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode


def declare(parser: ArgumentParser) -> None:
    """The selection, and how it is shown."""
    add_project(parser)
    add_limit(parser)
    add_format(parser)
    add_settings(parser)
    add_colour(parser)


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """One row a selected host."""
    from sysfleet.cli.project import open_fleet

    open_fleet(options, terminal).selected(options.limit)
    return ExitCode.OK


COMMAND = Command(
    name="inventory",
    summary="who is selected, with roles and layers",
    examples=("sysfleet inventory", "sysfleet inventory --limit 'role=db' --format json"),
    declare=declare,
    run=run,
    codes=(ExitCode.OK, ExitCode.USAGE, ExitCode.BUG, ExitCode.INTERRUPTED),
    meanings=(
        (ExitCode.OK, "the inventory holds together"),
        (ExitCode.USAGE, "usage, inventory or template wrong"),
    ),
)
