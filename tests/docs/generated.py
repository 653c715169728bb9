"""The parts of the reference that are made from the code; `python -m tests.docs.generated` writes them anew.

A part stands between `<!-- made: NAME -->` and `<!-- end -->`. Knows the code that has something to tell, and no test.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path

import msgspec

from sysfleet import errors
from sysfleet.cli.command import MEANINGS, Command, parser_of
from sysfleet.cli.program import COMMANDS, top_parser
from sysfleet.outcome import FleetReport
from sysfleet.remote.ssh_options import HARMLESS, HONOURED, ONLY, REFUSED
from sysfleet.settings import describe
from tests.fleet.faults import CASES, WORDS

REFERENCE = Path(__file__).parents[2] / "docs/reference"
SCHEMA_FILE = REFERENCE / "report.schema.json"
_PART = re.compile(r"(<!-- made: (\w+) -->\n)(.*?)(<!-- end -->)", re.DOTALL)


def renewed(page: str) -> str:
    """The page with every part as the code has it now."""
    return _PART.sub(lambda found: f"{found[1]}\n{_PARTS[found[2]]()}\n\n{found[4]}", page)


def schema() -> str:
    """The JSON schema of a report."""
    return json.dumps(msgspec.json.schema(FleetReport), indent=2) + "\n"


def tree() -> str:
    """The tree at the top of errors.py."""
    return (errors.__doc__ or "").split("```")[1].strip("\n")


def classes() -> dict[str, type[errors.FleetError]]:
    """The classes of errors.py, in its order."""
    found = vars(errors).items()
    return {name: kind for name, kind in found if inspect.isclass(kind) and issubclass(kind, errors.FleetError)}


def parents(text: str) -> dict[str, str]:
    """What a tree drawn with lines says: each name with the one above it."""
    found: dict[str, str] = {}
    above: list[str] = []
    for line in text.splitlines():
        names = re.findall(r"[A-Z]\w+", re.sub(r"\(.*\)", "", line))
        depth = line.index(names[0]) // 4
        siblings, below = ([names[0]], names[1:]) if ":" in line else (names, [])
        found.update((name, above[depth - 1]) for name in siblings if depth)
        found.update((name, names[0]) for name in below)
        above[depth:] = [names[0]]
    return found


def commands(among: tuple[Command, ...] = COMMANDS, before: str = "") -> Iterator[tuple[str, Command]]:
    """Every command that can be run, by its words."""
    for command in among:
        words = f"{before}{command.name}"
        if command.verbs:
            yield from commands(command.verbs, f"{words} ")
        else:
            yield words, command


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [tuple(heads), ("---",) * len(tuple(heads)), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


def _settings() -> str:
    rows = (
        (f"`{row.name}`", row.type, row.unit, f"`{row.default}`" if row.default else "not set", row.help)
        for row in describe()
    )
    return _table(("setting", "type", "unit", "default", "meaning"), rows)


def _commands() -> str:
    rows = []
    for words, command in commands():
        said = MEANINGS | dict(command.meanings)
        ends = "; ".join(f"{code} {said[code]}" for code in command.codes if 0 <= code < errors.ExitCode.BUG)
        places = [action.metavar for action in parser_of(command)._actions if not action.option_strings]
        usage = " ".join([f"sysfleet {words}", *map(str, places)])
        rows.append((f"`{usage}`", command.summary, ends))
    return _table(("command", "does", "ends with"), rows)


def _options() -> str:
    found: dict[tuple[str, str], list[str]] = {}
    for words, parser in [("", top_parser()), *((words, parser_of(command)) for words, command in commands())]:
        for action in parser._actions:
            if action.option_strings and action.dest != "help" and action.help != argparse.SUPPRESS:
                about = (action.help or "").replace("%%", "%")  # as argparse shows it
                found.setdefault((_spelled(action), about), []).append(words)
    names = [words for words, _ in commands()]
    rows = ((f"`{spelled}`", about, _takers(taken, names)) for (spelled, about), taken in found.items())
    return _table(("option", "meaning", "of"), rows)


def _spelled(action: argparse.Action) -> str:
    value = action.metavar or ("{" + ",".join(map(str, action.choices)) + "}" if action.choices else None)
    names = ", ".join(action.option_strings)
    return f"{names} {value}" if value and action.nargs != 0 else names


def _takers(taken: list[str], names: list[str]) -> str:
    return ", ".join(name for name in names if name in taken) or "before every command"


def _errors() -> str:
    rows = ((f"`{name}`", (inspect.getdoc(kind) or "").split("\n")[0]) for name, kind in classes().items())
    return f"```text\n{tree()}\n```\n\n" + _table(("error", "meaning"), rows)


def _faults() -> str:
    rows = [
        (one.behaviour, one.status.replace("|", " or "), WORDS.get(one.host.name, ""), f"`{one.host.name}`")
        for one in CASES
    ]
    unique = {row[0]: row for row in reversed(rows)}  # hosts with nothing wrong are alike
    return _table(("behaviour", "status", "the row says", "host of the test"), reversed(unique.values()))


def _ssh_table(rows: Mapping[str, str]) -> str:
    return "\n".join(["| option | |", "|---|---|", *(f"| `{name}` | {why} |" for name, why in sorted(rows.items()))])


def _ssh_only() -> str:
    head = ["| option | value | |", "|---|---|---|"]
    rows = [f"| `{name}` | `{'`, `'.join(values)}` | {why} |" for name, (values, why) in ONLY.items()]
    return "\n".join([*head, *sorted(rows)])


_PARTS: dict[str, Callable[[], str]] = {
    "settings": _settings,
    "commands": _commands,
    "options": _options,
    "errors": _errors,
    "faults": _faults,
    "ssh_honoured": lambda: _ssh_table(HONOURED),
    "ssh_only": _ssh_only,
    "ssh_refused": lambda: _ssh_table(REFUSED),
    "ssh_harmless": lambda: _ssh_table(HARMLESS),
}

if __name__ == "__main__":
    SCHEMA_FILE.write_text(schema(), encoding="utf-8")
    for path in REFERENCE.glob("*.md"):
        path.write_text(renewed(path.read_text(encoding="utf-8")), encoding="utf-8")
