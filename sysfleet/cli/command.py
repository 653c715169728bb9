"""What a command is, and its parser: options, then exit codes and two examples under every help text.

Knows argparse; does not know what any command does.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, NoReturn

from typing_extensions import override

from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode, UsageError

MEANINGS = {
    ExitCode.OK: "every selected host is as wanted",
    ExitCode.DRIFT: "drift found, nothing written; or the change was declined",
    ExitCode.USAGE: "usage, inventory or template wrong; nothing contacted",
    ExitCode.HOST_FAILED: "at least one host failed or could not be reached",
    ExitCode.UNVERIFIED: "at least one host was changed but could not be verified",
    ExitCode.BUG: "a bug in sysfleet; a report file is named on standard error",
    ExitCode.INTERRUPTED: "interrupted; the table is still printed",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """One command: its words, options and work; `meanings` are for codes whose common one would mislead."""

    name: str
    summary: str
    examples: tuple[str, str]
    declare: Callable[[argparse.ArgumentParser], None]
    run: Callable[[argparse.Namespace, Terminal], ExitCode]
    codes: tuple[ExitCode, ...] = tuple(ExitCode)
    meanings: tuple[tuple[ExitCode, str], ...] = ()
    verbs: tuple[Command, ...] = ()


class Parser(argparse.ArgumentParser):
    """argparse without abbreviations, whose errors are ours."""

    def __init__(self, **options: Any) -> None:
        options.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(allow_abbrev=False, **options)

    @override
    def error(self, message: str) -> NoReturn:
        """Raise UsageError."""
        raise UsageError(message, hint=f"see {self.prog} --help")


def parser_of(command: Command, prog: str = "sysfleet") -> Parser:
    """The command's parser; a command with verbs only parses which."""
    parser = Parser(
        prog=f"{prog} {command.name}",
        description=command.summary,
        epilog=epilog(command.codes, command.examples, dict(command.meanings)),
    )
    if command.verbs:
        add_choice(parser, "verb", command.verbs)
    command.declare(parser)
    return parser


def add_choice(parser: Parser, title: str, commands: Sequence[Command]) -> None:
    """One of these commands, then all that is its own; help lists them."""
    listed = "".join(f"  {command.name:<10} {command.summary}\n" for command in commands)
    parser.description = f"{parser.description}\n\n{title}s:\n{listed}".rstrip()
    parser.add_argument(
        title,
        metavar=title.upper(),
        type=_one_of(title, [command.name for command in commands]),
        help=f"one of the {title}s above; each has its own --help",
    )
    rest = parser.add_argument("rest", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    rest.required = False


def parse(parser: Parser, argv: Sequence[str], given: argparse.Namespace) -> argparse.Namespace:
    """The options in argv, on top of those given; UsageError with a suggestion for one that is not known."""
    options, unknown = parser.parse_known_args(argv, given)
    if unknown:
        known = re.findall(r"--[a-z-]+", parser.format_help())
        first = unknown[0].partition("=")[0]
        kind = "option" if first.startswith("-") else "argument"
        raise UsageError(f"unknown {kind} {first}", hint=_meant(first, known) or f"see {parser.prog} --help")
    return options


def epilog(codes: Iterable[ExitCode], examples: Iterable[str], meanings: dict[ExitCode, str] | None = None) -> str:
    """What every help text ends with."""
    said = MEANINGS | (meanings or {})
    lines = ["exit codes:", *(f"  {code:<4} {said[code]}" for code in codes), "", "examples:"]
    return "\n".join([*lines, *(f"  {example}" for example in examples)])


def _one_of(title: str, names: Sequence[str]) -> Callable[[str], str]:
    def chosen(text: str) -> str:
        if text not in names:
            raise UsageError(f"unknown {title} {text}", hint=_meant(text, names) or f"one of {', '.join(names)}")
        return text

    return chosen


def _meant(text: str, names: Sequence[str]) -> str | None:
    close = get_close_matches(text, names, 1)
    return f"did you mean {close[0]}?" if close else None
