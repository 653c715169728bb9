"""What lint finds: one record, and the rules by name. Knows nothing of how they are judged."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from sysfleet.sysctl.document import Assignment, Exclusion, Line
from sysfleet.sysctl.key import Key

RULES: Mapping[str, str] = MappingProxyType(
    {
        "no-assignment": "A line that is neither a setting nor a comment.",
        "byte-order-mark": "A byte order mark before the first key, which becomes part of it.",
        "not-utf-8": "Bytes that are not UTF-8.",
        "proc-path": "A key with /proc/sys before it, which no loader takes.",
        "interface-dot": "A dot in an interface's name where a slash has to stand for it.",
        "unknown-key": "A key that is not known: a typing error, or one that is only in other kernels.",
        "gone-key": "A key that kernels of today no longer have.",
        "read-only-key": "A key that cannot be written.",
        "no-value": "A key without a value.",
        "refused-value": "A value that the kernel refuses.",
        "out-of-range": "A value that the kernel stores, though it has no meaning.",
        "octal": "A number with a leading zero, which the kernel reads as octal.",
        "inline-comment": "Words after the value that were meant as a comment, and are part of it.",
        "short-tuple": "Fewer numbers than the key holds: the others stay as they are.",
        "duplicate": "A key that is set twice.",
        "same-variable": "Two names of one variable, set to different values.",
        "order": "A later line that undoes an earlier one.",
        "explicit-beats-glob": "A glob that cannot reach a key which has a line of its own.",
        "all-only": "A key set for `all` where interfaces decide for themselves.",
        "no-effect": "A setting that another one makes pointless.",
        "one-way": "A value that cannot be taken back before a reboot.",
        "destructive": "A value that destroys what its old number does not bring back.",
        "cuts-ssh": "A value that can cut the SSH connection, at once or later.",
        "secret": "A secret in a file that all may read.",
        "one-loader": "A line that one loader takes and another does not.",
    }
)


class Finding(msgspec.Struct, frozen=True):
    """One thing wrong at one place: `line` and `column` count from 1; `key` is empty where there is none."""

    rule: str
    file: str
    line: int
    column: int
    message: str
    hint: str = ""
    key: str = ""


class Placed(msgspec.Struct, frozen=True):
    """A setting or an exclusion, and the file that it stands in."""

    file: str
    line: Assignment | Exclusion

    @property
    def key(self) -> Key:
        """Its key, or the pattern of several."""
        return self.line.pattern

    @property
    def value(self) -> str:
        """Its value; an exclusion has none."""
        return self.line.value if isinstance(self.line, Assignment) else ""

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line.line}"


def key_column(line: Line) -> int:
    """The column of the first character that is no white space."""
    return len(line.text) - len(line.text.lstrip()) + 1


def value_column(line: Line) -> int:
    """The column where the value begins."""
    before, _, after = line.text.partition("=")
    return len(before) + 2 + len(after) - len(after.lstrip())


def at_key(rule: str, placed: Placed, message: str, hint: str = "") -> Finding:
    """A finding about a setting as a whole."""
    line = placed.line
    return Finding(rule, placed.file, line.line, key_column(line), message, hint, placed.key)


def at_value(rule: str, placed: Placed, message: str, hint: str = "") -> Finding:
    """A finding about a setting's value."""
    line = placed.line
    return Finding(rule, placed.file, line.line, value_column(line), message, hint, placed.key)
