"""Finds the commands in a Markdown page: fenced `console` and `sh` blocks, and the comments before them.

`<!-- not run: reason -->` leaves the next block out; `<!-- exits: 1 -->` is the code of its last command.
Knows nothing of running them.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from markdown_it import MarkdownIt

_NOT_RUN = re.compile(r"<!-- not run: \S.*-->")
_EXITS = re.compile(r"<!-- exits: (\d+) -->")


@dataclass(frozen=True)
class Command:
    """What a reader types, the lines that the page shows as its output, and the code it ends with."""

    line: int
    text: str
    shows: tuple[str, ...] = ()
    exits: int = 0


def commands(page: str) -> Iterator[Command]:
    """Every command of the page that is to be run, in order."""
    remark = ""
    for token in MarkdownIt().parse(page):
        if token.type == "html_block":
            remark = token.content.strip()
        elif token.type == "fence":
            if token.info in {"console", "sh"} and not _NOT_RUN.fullmatch(remark):
                line = token.map[0] + 2 if token.map else 0
                found = list(_typed(token.content, line)) if token.info == "console" else []
                found = found or [Command(line, token.content)]
                exits = _EXITS.fullmatch(remark)
                yield from found[:-1]
                yield replace(found[-1], exits=int(exits[1]) if exits else 0)
            remark = ""


def _typed(block: str, first_line: int) -> Iterator[Command]:
    current: Command | None = None
    for number, line in enumerate(block.splitlines(), first_line):
        if line.startswith("$ "):
            if current:
                yield current
            current = Command(number, line[2:])
        elif current is None:
            message = f"line {number}: a console block begins with `$ `"
            raise ValueError(message)
        elif line == ">" or line.startswith("> "):
            current = replace(current, text=f"{current.text}\n{line[2:]}")
        else:
            current = replace(current, shows=(*current.shows, line))
    if current:
        yield current
