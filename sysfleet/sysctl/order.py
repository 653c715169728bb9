"""The safe canonical order of writes: no key stands before one whose writing moves it (kernel.md 3).

Used alike by the rendered file and by the writes; knows nothing of hosts but the running values it is handed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from sysfleet.sysctl.key import Key, interface_of, is_glob, matches, with_interface
from sysfleet.sysctl.knowledge import lookup
from sysfleet.sysctl.value import as_int

# The classes (a) to (g) of kernel.md 3, then what cannot be taken back.
_ROUTE_GUARD, _IPV6_OFF, _FORWARDING, _GLOBAL, _ALL, _DEFAULT, _INTERFACE, _ONE_WAY = range(8)

_ALL_OFF = Key("net.ipv6.conf.all.disable_ipv6")
# IPv6 keys that `all` copies on: a glob over them stands where `all` does, before default and interfaces.
_COPIED = frozenset({"addr_gen_mode", "ignore_routes_with_linkdown", "force_forwarding"})
_SWITCHES = (
    Key("net.ipv4.ip_forward"),
    Key("net.ipv4.conf.all.forwarding"),
    Key("net.ipv6.conf.all.forwarding"),
)
# Inside a class: what must come first (-1) or last (1).
_EARLY = frozenset({"disable_ipv6", "nf_conntrack_buckets"})
_LATE = frozenset({"tcp_allowed_congestion_control", "overcommit_memory", "panic_on_oops", "panic_on_warn"})

# (upper, lower): lower <= upper is enforced at every step, by which number of the value.
LIMITS: tuple[tuple[Key, Key], ...] = (
    (Key("net.ipv4.ipfrag_high_thresh"), Key("net.ipv4.ipfrag_low_thresh")),
    (Key("net.ipv6.ip6frag_high_thresh"), Key("net.ipv6.ip6frag_low_thresh")),
    (Key("net.netfilter.nf_conntrack_frag6_high_thresh"), Key("net.netfilter.nf_conntrack_frag6_low_thresh")),
    (Key("net.ipv4.ip_local_port_range"), Key("net.ipv4.ip_unprivileged_port_start")),
    (Key("kernel.sched_rt_period_us"), Key("kernel.sched_rt_runtime_us")),
)


@lru_cache(maxsize=16384)
def write_rank(key: Key) -> tuple[int, ...]:
    """Where a key (or glob) belongs in the canonical order: smaller first; `place` orders equal ranks."""
    known = lookup(key)
    tail = key.rpartition(".")[2]
    if known is not None and known.one_way:
        # A secret moves addr_gen_mode, so it stands before that on whatever interface.
        return (_GLOBAL, 0, -1) if tail == "stable_secret" else (_ONE_WAY, 0, 0)
    inner = -1 if tail in _EARLY else 1 if tail in _LATE else 0
    name = interface_of(key)
    place = 0 if name == "all" else 1 if name == "default" else 2 if is_glob(key) else 3
    if key.startswith("net.ipv6.conf.") and tail.startswith("accept_ra"):
        return (_ROUTE_GUARD, place, inner)
    if key == _ALL_OFF or (is_glob(key) and matches(key, _ALL_OFF)):
        return (_IPV6_OFF, place, inner)
    if key in _SWITCHES or (is_glob(key) and any(matches(key, switch) for switch in _SWITCHES)):
        return (_FORWARDING, place, inner)
    if name is None:
        return (_GLOBAL, 0, inner)
    if place == 2 and _is_copied_glob(key, tail):
        return (_ALL, place, inner)
    return (_ALL if place == 0 else _DEFAULT if place == 1 else _INTERFACE, place, inner)


@lru_cache(maxsize=16384)
def place(key: Key) -> tuple[tuple[int, ...], str, Key]:
    """Where a key stands in a file: by rank, then one setting on all its interfaces together."""
    head, dot, tail = key.rpartition(".")
    if interface_of(key) is None or not dot:
        return write_rank(key), key, key
    return write_rank(key), f"{head.rpartition('.')[0]}.{tail}", key


def _is_copied_glob(key: Key, tail: str) -> bool:
    return tail in _COPIED and key.startswith("net.ipv6.") and matches(key, with_interface(key, "all"))


def canonical_order(items: Sequence[tuple[Key, str]], running: Mapping[Key, str]) -> list[tuple[Key, str]]:
    """The settings in the order in which they are safe to write on a host with these running values.

    Stable: the same settings give the same order, whatever order they came in. Of limits that bound each
    other the one goes first that the kernel takes in the present state; without running values the upper one.
    """
    ordered = sorted(items, key=lambda item: place(item[0]))
    wanted = dict(ordered)
    for upper, lower in LIMITS:
        if upper in wanted and lower in wanted:
            _put_first(ordered, *_limit_order(upper, lower, wanted, running))
    return ordered


def _limit_order(upper: Key, lower: Key, wanted: Mapping[Key, str], running: Mapping[Key, str]) -> tuple[Key, Key]:
    new_upper, old_lower = _bound(wanted.get(upper)), _bound(running.get(lower))
    if new_upper is not None and old_lower is not None and new_upper < old_lower:
        return lower, upper  # shrinking: the upper one would be refused first
    return upper, lower


def _bound(text: str | None) -> int | None:
    parts = (text or "").split()
    return as_int(parts[0]) if parts else None


def _put_first(ordered: list[tuple[Key, str]], first: Key, second: Key) -> None:
    keys = [key for key, _ in ordered]
    at_first, at_second = keys.index(first), keys.index(second)
    if at_first > at_second:
        ordered.insert(at_second, ordered.pop(at_first))
