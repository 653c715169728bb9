"""One sysctl.d file as a document: loss-free, line by line, what is read can be written back byte for byte.

Knows the grammar that systemd and procps share; refuses to know which line wins and which keys exist.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TypeAlias

import msgspec

from sysfleet.sysctl.key import Key, file_key

_BLANKS = " \t\r\v\f"
_COMMENT_MARKS = ("#", ";")


class Blank(msgspec.Struct, frozen=True, gc=False):
    """A line of nothing but white space."""

    line: int
    text: str


class Comment(msgspec.Struct, frozen=True, gc=False):
    """A line whose first visible character is `#` or `;`."""

    line: int
    text: str


class Assignment(msgspec.Struct, frozen=True, gc=False):
    """`key = value`, both trimmed; the pattern may be a glob; `text` is the whole line as it stands."""

    pattern: Key
    value: str
    line: int
    ignore_failure: bool
    text: str


class Exclusion(msgspec.Struct, frozen=True, gc=False):
    """`-key` without a value: the key is left out of globs."""

    pattern: Key
    line: int
    text: str


class Malformed(msgspec.Struct, frozen=True, gc=False):
    """A line that is none of the others, and why."""

    line: int
    text: str
    why: str


Line: TypeAlias = Blank | Comment | Assignment | Exclusion | Malformed


class Document(msgspec.Struct, frozen=True):
    """All lines of one file, in order; `path` is only for messages."""

    path: str
    lines: tuple[Line, ...]
    final_newline: bool

    @property
    def settings(self) -> tuple[Assignment, ...]:
        """The assignments, in file order."""
        return tuple(line for line in self.lines if isinstance(line, Assignment))

    @property
    def exclusions(self) -> tuple[Exclusion, ...]:
        """The `-key` lines, in file order."""
        return tuple(line for line in self.lines if isinstance(line, Exclusion))

    @property
    def malformed(self) -> tuple[Malformed, ...]:
        """The lines that no loader understands."""
        return tuple(line for line in self.lines if isinstance(line, Malformed))

    def to_bytes(self) -> bytes:
        """The bytes the document was read from."""
        text = "\n".join([line.text for line in self.lines])
        return (text + "\n" if self.final_newline else text).encode("utf-8", "surrogateescape")


def parse(content: bytes, path: str = "") -> Document:
    """The document of a file's bytes; never raises, whatever they are (sysctl.d(5); kernel.md 6.1)."""
    return _parsed(content, path)


@lru_cache(maxsize=2048)
def _parsed(content: bytes, path: str) -> Document:
    texts = content.decode("utf-8", "surrogateescape").split("\n")
    final_newline = len(texts) > 1 and not texts[-1]
    if not texts[-1]:
        texts.pop()
    return Document(path, tuple([_line(number, text) for number, text in enumerate(texts, 1)]), final_newline)


def _line(number: int, text: str) -> Line:
    bare = text.strip(_BLANKS)
    if not bare:
        return Blank(number, text)
    if bare.startswith(_COMMENT_MARKS):
        return Comment(number, text)
    left, equals, right = bare.partition("=")
    dash = left.startswith("-")
    name = (left[1:] if dash else left).strip(_BLANKS)
    if not equals and not dash:
        return Malformed(number, text, "the line is no assignment")
    try:
        pattern = file_key(name)
    except ValueError as error:
        return Malformed(number, text, str(error))
    if not equals:
        return Exclusion(pattern, number, text)
    return Assignment(pattern, right.strip(_BLANKS), number, dash, text)
