"""`sysfleet explain HOST KEY`: one key's whole story on one host; reads the host, writes nothing."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

from sysfleet.cli.command import Command
from sysfleet.cli.options import add_colour, add_project, add_settings
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode, UsageError


def declare(parser: ArgumentParser) -> None:
    """The host, the key, and how the page is shown."""
    parser.add_argument("host", metavar="HOST", help="a host of the inventory")
    parser.add_argument("key", metavar="KEY", help="a key, with dots or slashes")
    add_project(parser)
    parser.add_argument(
        "--format",
        choices=("text", "json"),
        default="text",
        help="how the page stands on standard output (default: text)",
    )
    add_settings(parser)
    add_colour(parser)


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """The page."""
    from sysfleet.cli.progress import Telling
    from sysfleet.cli.project import open_fleet
    from sysfleet.sysctl.key import is_glob, parse_key

    try:
        key = parse_key(options.key.removeprefix("/proc/sys/"))
    except ValueError as error:
        raise UsageError(f"{options.key!r} is no key: {error}", hint="for example net.ipv4.ip_forward") from None
    if is_glob(key):
        raise UsageError(f"{key} is a pattern", hint="name one key; its other interfaces are shown as well")
    telling = Telling(terminal, quiet=False, verbose=False)
    story = open_fleet(options, terminal, telling).explain(options.host, key)
    if options.format == "json":
        import msgspec

        from sysfleet.outcome import plain_json

        line = plain_json(msgspec.json.encode(story))
        terminal.show(msgspec.json.format(line, indent=2).decode() + "\n")
    else:
        from sysfleet.report.explanation import page

        terminal.show(page(story, terminal.width()))
    return ExitCode.OK


COMMAND = Command(
    name="explain",
    summary="one key on one host: meaning, layers, running and boot values, who wins, hazards",
    examples=(
        "sysfleet explain web1 net.ipv4.ip_forward",
        "sysfleet explain --format json web1 net/ipv4/conf/eth0.100/rp_filter",
    ),
    declare=declare,
    run=run,
    codes=(ExitCode.OK, ExitCode.USAGE, ExitCode.HOST_FAILED, ExitCode.BUG, ExitCode.INTERRUPTED),
    meanings=((ExitCode.OK, "the page is on standard output"), (ExitCode.HOST_FAILED, "the host failed")),
)
