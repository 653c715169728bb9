"""The shell programs that run on hosts: their text, and how data get into it.

Pure: a request in, a program out. What comes back is read by `reading`, `changing` and `persisting`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from sysfleet.sysctl.key import Key, is_glob, key_path

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_@%+:,./-]+", re.ASCII)
_PATTERN = re.compile(r"[A-Za-z0-9_@%+:,./*?!\[\]-]+", re.ASCII)
_COMMENT = re.compile(r"^[ \t]*(?:#.*)?\n", re.MULTILINE)
_INDENT = re.compile(r"^\t+", re.MULTILINE)


@cache
def source(name: str) -> str:
    """A program's text as it travels: without comments, blank lines and indentation."""
    text = Path(__file__).with_name(name).read_text(encoding="utf-8")
    return _INDENT.sub("", _COMMENT.sub("", text))


def quoted(text: str) -> str:
    """One shell word that stands for exactly this text; it holds no NUL."""
    return "'" + text.replace("'", "'\\''") + "'"


def checked_path(key: Key) -> str:
    """The key's path below /proc/sys; ValueError for what is no place below it or no line of its own."""
    path = key_path(key)
    if _CONTROL.search(path) or any(part in {"", ".", ".."} for part in path.split("/")):
        raise ValueError(f"{key!r} is no key that can be sent to a host")
    return path


def checked_text(text: str) -> str:
    """The value, if it is one line of text; else ValueError."""
    if _CONTROL.search(text.replace("\t", " ")):
        raise ValueError("the value has a control character inside")
    return text


def asks(patterns: Iterable[Key]) -> str:
    """The shell function `sf_wanted_keys`, which asks for these keys; globs are the host's to expand."""
    plain: list[str] = []
    lines: list[str] = []
    for pattern in dict.fromkeys(patterns):
        path = checked_path(pattern)
        if not is_glob(pattern):
            plain.append(path if _PLAIN_PATH.fullmatch(path) else quoted(path))
        elif _PATTERN.fullmatch(path):
            last = path.rpartition("/")[2]
            how = "sf_ask_each" if is_glob(last) or last == "stable_secret" else "sf_ask_matches"
            lines.append(f'{how} "$sf_root"/proc/sys/{path}')
        else:
            raise ValueError(f"the pattern {pattern!r} has characters that no glob on a host may have")
    if plain:
        lines.insert(0, "sf_ask " + " ".join(plain))
    return "\n".join(["sf_wanted_keys() {", ":", *lines, "}"])


def program(*parts: str) -> bytes:
    """Parts of shell text as one program."""
    return "\n".join(parts).encode("utf-8", "surrogateescape")
