"""What the kernel applies on one interface, given the value of `all` and the interface's own (kernel.md 2).

Knows the combination rules and nothing of hosts; the rule of each key comes from `knowledge`.
"""

from __future__ import annotations

import re

from sysfleet.sysctl.key import Key
from sysfleet.sysctl.knowledge import Combine, Knowledge, lookup
from sysfleet.sysctl.value import as_int, canonical


def effective(leaf_key: Key, all_value: str, interface_value: str, *, forwarding: bool, kernel: str = "") -> str:
    """The value in force for `leaf_key` (the interface's key) there.

    `forwarding` is the same interface's own `forwarding` of the same family; `kernel` the release, without which
    the present rules count. Unknown keys and values that are no integers count as the interface's own.
    """
    own = canonical(leaf_key, interface_value)
    known = lookup(leaf_key)
    mine, everyones = as_int(interface_value), as_int(all_value)
    if known is None or mine is None or everyones is None:
        return own
    if forwarding and _refused_by_ipv6_router(leaf_key, own):
        return "0"
    rule = _rule(known, kernel)
    if rule == "forwarding-dependent":
        rule = "and" if forwarding else "or"
    if rule == "max":
        return str(max(mine, everyones))
    if rule == "or":
        # A number of `all` other than 0 goes before the interface's own; for booleans this is plain OR.
        return str(int(bool(everyones or mine)) if known.type == "bool" else everyones or mine)
    if rule == "and":
        return str(int(bool(everyones and mine)) if known.type == "bool" else min(mine, everyones))
    return own


def disobeys(leaf_key: Key, all_value: str, interface_value: str, *, forwarding: bool, kernel: str = "") -> bool:
    """Whether the interface does something else than what `all` was set to ask for."""
    force = effective(leaf_key, all_value, interface_value, forwarding=forwarding, kernel=kernel)
    return force != canonical(leaf_key, all_value)


def _rule(known: Knowledge, kernel: str) -> Combine:
    if known.combine_since is None or not kernel or _version(kernel) >= _version(known.combine_since):
        return known.combine
    return known.combine_before


def _version(release: str) -> tuple[int, ...]:
    return tuple([int(number) for number in re.findall(r"\d+", release)[:2]])


def _refused_by_ipv6_router(leaf_key: Key, own: str) -> bool:
    # A router takes no redirects, and no advertisements unless told to with 2.
    tail = leaf_key.rpartition(".")[2] if leaf_key.startswith("net.ipv6.conf.") else ""
    return tail == "accept_redirects" or (tail == "accept_ra" and own != "2")
