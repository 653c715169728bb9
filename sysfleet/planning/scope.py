"""Which keys have to be read for a policy: what is asked for, and all that writing it can move."""

from __future__ import annotations

from collections.abc import Iterable

from sysfleet.sysctl.key import Key, interface_of, is_glob, matches, with_interface
from sysfleet.sysctl.knowledge import moves

_FORWARDING = Key("net.ipv4.ip_forward")


def unforeseen(patterns: Iterable[Key], foreseen: tuple[Key, ...]) -> tuple[Key, ...]:
    """What these patterns need to have read beyond what is read already."""
    wide = read_patterns(patterns)
    return tuple(key for key in wide if not any(key == one or matches(one, key) for one in foreseen))


def read_patterns(patterns: Iterable[Key]) -> tuple[Key, ...]:
    """Keys and globs to read, sorted; in an interface family always on all interfaces.

    What an interface obeys depends on `all` and its own value, so one of them alone tells nothing.
    """
    wide: set[Key] = set()
    for pattern in patterns:
        for key in (pattern, *moves(pattern)):
            wide.add(with_interface(key, "*") if interface_of(key) else key)
            if key.startswith("net.ipv4.conf.") and key.endswith(".accept_redirects"):
                wide.add(_FORWARDING)  # its combination of `all` and interface depends on forwarding
    globs = [key for key in wide if is_glob(key)]
    return tuple(sorted(k for k in wide if not any(g != k and matches(g, k) for g in globs)))
