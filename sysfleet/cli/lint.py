"""`sysfleet lint FILE…`: judges any sysctl file; needs no project and no host."""

from __future__ import annotations

import errno
from argparse import ArgumentParser, Namespace
from pathlib import Path

from sysfleet.cli.command import Command
from sysfleet.cli.options import add_colour
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode, Problem, UsageError

MAX_BYTES = 16 << 20


def declare(parser: ArgumentParser) -> None:
    """The files, and how the findings are shown."""
    parser.add_argument("files", metavar="FILE", nargs="+", type=Path, help="files of sysctl.d; - is standard input")
    parser.add_argument(
        "--format",
        choices=("text", "json", "sarif"),
        default="text",
        help="how the findings stand on standard output (default: text)",
    )
    add_colour(parser)


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """Every finding; files are taken together in the order in which loaders read them, by their own names."""
    from sysfleet.outcome import SCHEMA
    from sysfleet.report.findings import as_json, as_sarif, as_text
    from sysfleet.sysctl.lint import lint

    problems: list[Problem] = []
    files: list[tuple[str, bytes]] = []
    for path in sorted(dict.fromkeys(options.files), key=lambda one: one.name):
        try:
            files.append((str(path), _content(path, terminal)))
        except OSError as error:
            problems.append(Problem(str(path), None, f"cannot be read: {error.strerror or error}"))
    if problems:
        raise UsageError("not every file can be judged", problems=problems)
    findings = lint(files)
    if options.format == "json":
        terminal.show(as_json(findings, [name for name, _ in files], schema=SCHEMA))
    elif options.format == "sarif":
        terminal.show(as_sarif(findings))
    else:
        terminal.show(as_text(findings, len(files)))
    return ExitCode.DRIFT if findings else ExitCode.OK


def _content(path: Path, terminal: Terminal) -> bytes:
    if str(path) == "-":
        return terminal.input_bytes(MAX_BYTES)
    if path.suffix == ".j2":
        raise OSError(errno.EINVAL, "it is a template: sysfleet render HOST gives the file that it makes")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise OSError(errno.EFBIG, f"it is larger than {MAX_BYTES} bytes")
    return content


COMMAND = Command(
    name="lint",
    summary="judge sysctl files without a host: errors, order, settings without effect, dangers",
    examples=("sysfleet lint /etc/sysctl.d/*.conf", "sysfleet render web1 | sysfleet lint --format sarif -"),
    declare=declare,
    run=run,
    codes=(ExitCode.OK, ExitCode.DRIFT, ExitCode.USAGE, ExitCode.BUG, ExitCode.INTERRUPTED),
    meanings=(
        (ExitCode.OK, "nothing found"),
        (ExitCode.DRIFT, "something found"),
        (ExitCode.USAGE, "usage, or a file cannot be read"),
    ),
)
