"""`sysfleet inventory`: who is selected, with roles and layers; contacts nobody."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from typing import TYPE_CHECKING, Any

from sysfleet.cli.command import Command
from sysfleet.cli.options import add_colour, add_format, add_limit, add_project, add_settings
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode

if TYPE_CHECKING:
    from sysfleet.fleet import Fleet
    from sysfleet.policy.entries import HostEntry


def declare(parser: ArgumentParser) -> None:
    """The selection, and how it is shown."""
    add_project(parser)
    add_limit(parser)
    add_format(parser)
    add_settings(parser)
    add_colour(parser)


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """One row a selected host, once its templates hold together too."""
    from sysfleet.cli.project import open_fleet

    fleet = open_fleet(options, terminal)
    chosen = fleet.project.selected(options.limit)
    fleet.project.rendering.preflight([entry.name for entry in chosen])
    records = [_record(fleet, entry) for entry in chosen]
    terminal.show(_json(records) if options.format == "json" else _table(records, terminal.width()))
    return ExitCode.OK


def _record(fleet: Fleet, entry: HostEntry) -> dict[str, Any]:
    reached = fleet.project.inventory.connection_of(entry.name)
    return {
        "host": entry.name,
        "address": reached.hostname,
        "port": reached.port,
        "groups": list(entry.ancestors),
        "roles": list(entry.roles),
        "layers": _layers(fleet, entry),
    }


def _layers(fleet: Fleet, entry: HostEntry) -> list[str]:
    """What speaks for the host, lowest first; overrides only where there are any."""
    inventory = fleet.project.inventory
    groups = [name for name in reversed(entry.ancestors) if inventory.groups[name].rules]
    return [
        "base",
        *(["defaults"] if inventory.defaults.rules else []),
        *(f"role {role}" for role in entry.roles),
        *(f"group {name}" for name in groups),
        *(["host"] if entry.rules else []),
    ]


def _json(records: list[dict[str, Any]]) -> str:
    import json

    from sysfleet.outcome import SCHEMA

    return json.dumps({"schema": SCHEMA, "command": "inventory", "hosts": records}) + "\n"


def _table(records: list[dict[str, Any]], width: int | None) -> str:
    from sysfleet.report.columns import Column, columns
    from sysfleet.report.printable import printable
    from sysfleet.report.table import hosts

    heads = [Column(name) for name in ("host", "address", "roles", "groups", "layers, lowest first")]
    rows = [
        [
            printable(record["host"]),
            printable(f"{record['address']}:{record['port']}" if record["port"] else record["address"]),
            printable(",".join(record["roles"])),
            printable(",".join(record["groups"])),
            printable(" < ".join(record["layers"])),
        ]
        for record in records
    ]
    lines = [*columns(heads, rows, width), "", hosts(len(records))]
    return "".join(f"{line}\n" for line in lines)


COMMAND = Command(
    name="inventory",
    summary="who is selected, with roles and layers",
    examples=("sysfleet inventory", "sysfleet inventory --limit 'role=db' --format json"),
    declare=declare,
    run=run,
    codes=(ExitCode.OK, ExitCode.USAGE, ExitCode.BUG, ExitCode.INTERRUPTED),
    meanings=(
        (ExitCode.OK, "the inventory and its templates hold together"),
        (ExitCode.USAGE, "usage, inventory or template wrong"),
    ),
)
