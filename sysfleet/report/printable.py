"""Makes text from hosts safe to show: no control character, escape sequence or invisible mark survives.

The one place where that is decided; knows nothing of what the text means.
"""

from __future__ import annotations

from collections.abc import Iterable


def printable(text: str) -> str:
    """The text on one line; all that a terminal could obey, hide or reorder is written as an escape."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else _escaped(char) for char in text)


def _escaped(char: str) -> str:
    return char.encode("unicode_escape", "backslashreplace").decode("ascii") if char != "\xa0" else "\\xa0"


def printable_lines(lines: Iterable[str]) -> list[str]:
    """Each line made printable; a line's own tabulators become blanks."""
    return [printable(line.expandtabs(8)) for line in lines]
