"""Settings that do nothing alone: `all` where interfaces decide, and keys that others switch off (kernel.md 2)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from sysfleet.sysctl.everywhere import left_to_interfaces
from sysfleet.sysctl.key import Key, interface_of, is_glob, with_interface
from sysfleet.sysctl.lint.finding import Finding, Placed, at_key
from sysfleet.sysctl.value import as_int

_FORWARDING = (Key("net.ipv4.ip_forward"), Key("net.ipv4.conf.all.forwarding"))


def all_only(settings: Sequence[Placed]) -> Iterator[Finding]:
    """`all` set by itself, where the kernel's rule lets an interface do otherwise."""
    keys = {placed.key for placed in settings}
    forwards = any(as_int(placed.value) for placed in settings if placed.key in _FORWARDING)
    for placed in settings:
        why = left_to_interfaces(placed.key, placed.value, forwards=forwards)
        missing = [name for name in ("default", "interfaces") if not _has(keys, placed.key, name)]
        if why is not None and missing:
            rest = f"set {with_interface(placed.key, '*')} = {placed.value} as well"
            said = f"{placed.key} alone does not do it: {why}; no line for {' and '.join(missing)}"
            yield at_key("all-only", placed, said, rest)


def _has(keys: set[Key], key: Key, name: str) -> bool:
    if name == "default":
        return with_interface(key, "default") in keys or with_interface(key, "*") in keys
    tail = key.rpartition(".")[2]
    family = key.split(".", 3)[:3]
    return any(
        other.split(".", 3)[:3] == family
        and other.rpartition(".")[2] == tail
        and (is_glob(other) or interface_of(other) not in ("all", "default", None))
        for other in keys
    )


def pointless(settings: Sequence[Placed]) -> Iterator[Finding]:
    """Settings that another variable makes pointless, as far as these files tell."""
    values = {placed.key: placed.value for placed in settings}
    for placed in settings:
        tail = placed.key.rpartition(".")[2]
        if tail == "secure_redirects" and interface_of(placed.key) is not None:
            shared = values.get(Key(placed.key.replace("secure_redirects", "shared_media")))
            if shared is None or as_int(shared) != 0:
                said = f"{placed.key} is looked at only where shared_media is 0, and then 0 is the laxer value"
                yield at_key("no-effect", placed, said, "refuse redirects with accept_redirects = 0")
        elif placed.key == "net.ipv4.tcp_max_syn_backlog":
            cookies = values.get(Key("net.ipv4.tcp_syncookies"))
            if cookies is None or as_int(cookies) != 0:
                said = "net.ipv4.tcp_max_syn_backlog is looked at only where net.ipv4.tcp_syncookies is 0"
                yield at_key("no-effect", placed, said, "with cookies on, net.core.somaxconn bounds the queue")
