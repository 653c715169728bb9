"""Keys in their one canonical spelling, and the patterns that match them.

Knows the spelling rules of sysctl.d files and the two folder families that hold interfaces; refuses to know
which keys exist.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NewType

Key = NewType("Key", str)
"""Components joined by dots; a dot inside a component is shown as `/`: `net.ipv4.conf.eth0/100.rp_filter`."""

_REMEMBERED = 1 << 16  # hosts share their keys: what was worked out for one is there for all
_SWAPPED = str.maketrans("./", "/.")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_REPEATED = re.compile(r"\.{2,}")
_GLOB = re.compile(r"[*?\[]")
_CLASS = re.compile(r"\[(!?)([^.]+?)\]")
_FAMILIES = frozenset({("ipv4", "conf"), ("ipv6", "conf"), ("ipv4", "neigh"), ("ipv6", "neigh")})


def parse_key(text: str) -> Key:
    """The canonical key of what a person typed, dotted or as a path; ValueError says what is wrong with it.

    The first separator decides (sysctl.d(5)): after a dot, dots separate and a slash stands for a dot inside
    a name; after a slash it is a path as it stands.
    """
    return _checked(_canonical(text.strip(" \t")), text)


def _checked(key: Key, text: str) -> Key:
    key = Key(key.removeprefix("."))
    if "" in key.split("."):
        raise ValueError(f"the key {text!r} has an empty component" if key else "the key is empty")
    if re.search(r"\s", key):
        raise ValueError(f"the key {text!r} has white space inside")
    return key


@lru_cache(maxsize=16384)
def file_key(text: str) -> Key:
    """The canonical key of a line in a file, as forgiving as loaders are: repeated separators count once."""
    key = _canonical(text)
    if ".." in key or key[:1] == "." or key[-1:] == ".":
        key = Key(_REPEATED.sub(".", key).strip("."))
    if not key:
        raise ValueError("the key is empty")
    return key


def key_path(key: Key) -> str:
    """The key's path below /proc/sys: `net/ipv4/conf/eth0.100/rp_filter`."""
    return key.translate(_SWAPPED)


def key_from_path(path: str) -> Key:
    """The key of a path below /proc/sys, with or without that prefix; ValueError as for `parse_key`."""
    return _checked(_canonical("/" + path.removeprefix("/proc/sys/").removeprefix("/")), path)


@lru_cache(maxsize=_REMEMBERED)
def interface_of(key: Key) -> str | None:
    """The interface a conf or neigh key belongs to, by its real name, also `all` and `default`; or None."""
    name = _interface_component(key)
    return None if name is None else name.replace("/", ".")


@lru_cache(maxsize=_REMEMBERED)
def with_interface(key: Key, name: str) -> Key:
    """The same key on another interface; a key of no interface comes back as it is."""
    if _interface_component(key) is None:
        return key
    parts = key.split(".", 4)
    parts[3] = name.replace(".", "/")
    return Key(".".join(parts))


@lru_cache(maxsize=_REMEMBERED)
def is_glob(text: str) -> bool:
    """Whether a key pattern holds one of `*`, `?`, `[`."""
    return _GLOB.search(text) is not None


def matches(pattern: Key, key: Key) -> bool:
    """Whether the pattern matches the key as glob(7) matches paths: no wildcard crosses a component."""
    return compiled(pattern).fullmatch(key) is not None


@lru_cache(maxsize=4096)
def compiled(pattern: Key) -> re.Pattern[str]:
    """The pattern as a regular expression over canonical keys."""
    parts: list[str] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        bracket = _CLASS.match(pattern, at) if char == "[" else None
        if bracket is not None:
            parts.append(_character_class(bracket))
            at = bracket.end()
            continue
        parts.append("[^.]*" if char == "*" else "[^.]" if char == "?" else re.escape(char))
        at += 1
    return re.compile("".join(parts), re.DOTALL)


def _character_class(bracket: re.Match[str]) -> str:
    inside = re.sub(r"([\\\]\[^&~|])", r"\\\1", bracket[2])
    try:
        re.compile(f"[{inside}]")
    except re.error:
        return r"[^\s\S]"  # a reversed range matches nothing
    return f"(?!\\.)[{'^' if bracket[1] else ''}{inside}]"


def _canonical(text: str) -> Key:
    if _CONTROL.search(text):
        raise ValueError("the key has a control character inside")
    dot, slash = text.find("."), text.find("/")
    if slash >= 0 and (dot < 0 or slash < dot):
        text = text.translate(_SWAPPED)
    if "//" in text and "//" in text.split("."):
        raise ValueError(f"the key {text!r} leaves /proc/sys")
    return Key(text)


def _interface_component(key: Key) -> str | None:
    if not key.startswith("net.ipv"):
        return None
    parts = key.split(".", 4)
    if len(parts) < 5 or (parts[1], parts[2]) not in _FAMILIES:
        return None
    return parts[3]
