"""What is known of each key: type, our own ranges, rules and dangers, read from `keys.json` when first asked.

Knows facts about kernels in general; refuses to know any host. Ranges are ours, since the kernel checks few.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from functools import cache, lru_cache
from pathlib import Path
from typing import Literal

import msgspec

from sysfleet.sysctl.key import Key, interface_of, is_glob, matches, with_interface

KeyType = Literal["bool", "int", "tuple", "string"]
Combine = Literal["own", "and", "or", "max", "forwarding-dependent", "none"]
Propagates = Literal["never", "on_change", "always"]
CutsSsh = Literal["no", "yes", "indirect", "late"]
Namespaced = Literal["no", "net", "net-ro", "init-only", "ipc", "uts", "user", "pid"]
Form = Literal[
    "",
    "ports",
    "bitmap",
    "span",
    "ticks_ms",
    "ticks_user",
    "hex_words",
    "address6",
    "flag",
    "zero",
    "gids",
    "pages",
    "hash_size",
]


class Knowledge(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """The facts about one key; in an interface family the interface is `*`.

    `minimum` and `maximum` are what a sane value keeps to, `kernel_minimum` and `kernel_maximum` what the
    kernel enforces. Kernels before `combine_since` follow `combine_before`. `one_way_values`,
    `destructive_values` and `cuts_ssh_values`: the values at which it is so; none means any.
    `meaning` says what the key does, `why` why one would set it or leave it alone, `source` what both rest on.
    """

    pattern: Key
    type: KeyType
    minimum: int | None = None
    maximum: int | None = None
    kernel_minimum: int | None = None
    kernel_maximum: int | None = None
    length: int = 1
    cut_bytes: int | None = None
    form: Form = ""
    combine: Combine = "none"
    combine_before: Combine = "none"
    combine_since: str | None = None
    propagates: Propagates = "never"
    one_way: bool = False
    one_way_values: tuple[str, ...] = ()
    destructive: bool = False
    destructive_values: tuple[str, ...] = ()
    cuts_ssh: CutsSsh = "no"
    cuts_ssh_values: tuple[str, ...] = ()
    since: str | None = None
    gone: bool = False
    module: str | None = None
    namespaced: Namespaced = "no"
    aliases: tuple[Key, ...] = ()
    read_only: bool = False
    write_only: bool = False
    root_only: bool = False
    secret: bool = False
    volatile: bool = False
    meaning: str = ""
    why: str = ""
    source: str = ""
    note: str = ""


@cache
def every() -> Mapping[Key, Knowledge]:
    """All facts, by pattern."""
    content = Path(__file__).with_name("keys.json").read_bytes()
    return {known.pattern: known for known in msgspec.json.decode(content, type=list[Knowledge])}


@lru_cache(maxsize=16384)
def lookup(key: Key) -> Knowledge | None:
    """What is known of a key or of a glob over interfaces, or None; the same record on any interface."""
    facts = every()
    return facts.get(key) or facts.get(with_interface(key, "*"))


def is_one_way(key: Key, value: str) -> bool:
    """Whether writing this value cannot be taken back before a reboot."""
    known = lookup(key)
    return known is not None and known.one_way and (not known.one_way_values or value in known.one_way_values)


def is_destructive(key: Key, value: str) -> bool:
    """Whether writing this value destroys state that writing the old number back does not restore."""
    known = lookup(key)
    if known is None or not known.destructive:
        return False
    return not known.destructive_values or value in known.destructive_values


def cuts_ssh(key: Key, value: str) -> bool:
    """Whether writing this value can cut an SSH connection, now or later."""
    known = lookup(key)
    if known is None or known.cuts_ssh == "no":
        return False
    return not known.cuts_ssh_values or value in known.cuts_ssh_values


_ALL_FORWARDING = Key("net.ipv4.conf.all.forwarding")
_FORWARDING_VICTIMS = (Key("net.ipv4.conf.*.forwarding"), Key("net.ipv4.conf.all.accept_redirects"))
_MOVES: Mapping[Key, tuple[Key, ...]] = {
    Key("net.ipv4.ip_forward"): (_ALL_FORWARDING, *_FORWARDING_VICTIMS),
    _ALL_FORWARDING: (Key("net.ipv4.ip_forward"), *_FORWARDING_VICTIMS),
    Key("net.ipv6.conf.all.forwarding"): (
        Key("net.ipv6.conf.*.forwarding"),
        Key("net.ipv6.conf.*.force_forwarding"),
    ),
    Key("net.ipv6.conf.all.force_forwarding"): (Key("net.ipv6.conf.*.force_forwarding"),),
    Key("net.ipv6.conf.all.disable_ipv6"): (Key("net.ipv6.conf.*.disable_ipv6"),),
    Key("net.ipv6.conf.all.addr_gen_mode"): (Key("net.ipv6.conf.*.addr_gen_mode"),),
    Key("net.ipv6.conf.all.ignore_routes_with_linkdown"): (Key("net.ipv6.conf.*.ignore_routes_with_linkdown"),),
    Key("net.ipv6.conf.default.stable_secret"): (Key("net.ipv6.conf.*.addr_gen_mode"),),
    Key("net.ipv4.tcp_congestion_control"): (Key("net.ipv4.tcp_allowed_congestion_control"),),
    Key("vm.dirty_ratio"): (Key("vm.dirty_bytes"),),
    Key("vm.dirty_bytes"): (Key("vm.dirty_ratio"),),
    Key("vm.dirty_background_ratio"): (Key("vm.dirty_background_bytes"),),
    Key("vm.dirty_background_bytes"): (Key("vm.dirty_background_ratio"),),
    Key("vm.overcommit_ratio"): (Key("vm.overcommit_kbytes"),),
    Key("vm.overcommit_kbytes"): (Key("vm.overcommit_ratio"),),
}
# Copied to no existing interface by a write of `default` (measured; kernel.md 2.2).
_NOT_COPIED = frozenset(
    {
        "forwarding",
        "route_localnet",
        "promote_secondaries",
        "disable_policy",
        "disable_xfrm",
        "drop_unicast_in_l2_multicast",
    }
)


@lru_cache(maxsize=16384)
def moves(key: Key) -> tuple[Key, ...]:
    """Patterns of the other keys that writing this key can move; a glob moves what each of its keys moves.

    A pattern with `*` may match the key itself, `all` or `default`; `moves_key` tells exactly.
    """
    if is_glob(key):
        found = [victim for mover in _MOVES if matches(key, mover) for victim in _MOVES[mover]]
        return tuple(dict.fromkeys(found))
    victims = _MOVES.get(key, ())
    interface = interface_of(key)
    if interface == "default" and key.startswith("net.ipv4.conf."):
        if key.rpartition(".")[2] not in _NOT_COPIED:
            victims += (with_interface(key, "*"),)
    elif interface is not None and key.endswith(".stable_secret") and not victims:
        victims = (Key(key.removesuffix("stable_secret") + "addr_gen_mode"),)
    known = lookup(key)
    if known is not None:
        names = [with_interface(alias, interface) if interface else alias for alias in known.aliases]
        victims += tuple(name for name in names if name not in victims)
    return victims


def moves_key(mover: Key, victim: Key) -> bool:
    """Whether writing `mover` can move the one key `victim`."""
    if mover == victim:
        return False
    if interface_of(mover) == "default" and interface_of(victim) in ("all", "default"):
        return False
    return any(matches(pattern, victim) for pattern in moves(mover))


_KNOWN_MISTAKES: Mapping[Key, Key] = {
    Key("net.ipv6.ip_forward"): Key("net.ipv6.conf.all.forwarding"),
    Key("net.ipv6.forwarding"): Key("net.ipv6.conf.all.forwarding"),
    Key("net.ipv4.forwarding"): Key("net.ipv4.ip_forward"),
    Key("net.ipv4.conf.all.ip_forward"): Key("net.ipv4.ip_forward"),
    Key("kernel.ptrace_scope"): Key("kernel.yama.ptrace_scope"),
    Key("net.ipv4.somaxconn"): Key("net.core.somaxconn"),
}


@lru_cache(maxsize=4096)
def _nearest(key: Key, names: tuple[Key, ...]) -> Key | None:
    from difflib import get_close_matches

    tail = key.rpartition(".")[2]
    same_tail = [name for name in names if name.rpartition(".")[2] == tail]
    close = get_close_matches(key, same_tail, 1, 0.5) or get_close_matches(key, names, 1, 0.75)
    return Key(close[0]) if close else None


def suggest(key: Key, among: Iterable[Key] | None = None) -> Key | None:
    """The real key that was probably meant, from `among` or all that is known; None if nothing is near."""
    allowed = None if among is None else frozenset(among)
    meant = _KNOWN_MISTAKES.get(key)
    if meant is not None and (allowed is None or meant in allowed):
        return meant
    if allowed is not None:
        return _nearest(key, tuple(sorted(allowed - {key})))
    typed = re.match(r"net\.ipv[46]\.(?:conf|neigh)\.([^.]+)\.", key)
    interface = typed[1].replace("/", ".") if typed else "all"
    names = [with_interface(name, interface) for name, known in every().items() if not known.gone]
    return _nearest(key, tuple(name for name in names if name != key))
