"""What else moves when a key is written: a small model of the kernel's own side effects (kernel.md 2 and 3).

Works on a mapping of values alone. What only a kernel can tell (IPv4's `default` copying itself to interfaces
that have no address yet) is not modelled: it has to be read back.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, MutableMapping

from sysfleet.sysctl.key import Key
from sysfleet.sysctl.knowledge import lookup
from sysfleet.sysctl.value import as_int, canonical

IP_FORWARD = Key("net.ipv4.ip_forward")
ALL_FORWARDING = Key("net.ipv4.conf.all.forwarding")
ALL_REDIRECTS = Key("net.ipv4.conf.all.accept_redirects")

_Values = Mapping[Key, str]
_Moved = dict[Key, str]


def apply_write(values: MutableMapping[Key, str], key: Key, value: str) -> None:
    """Change `values` as a kernel would that takes this write; only keys already there are moved along."""
    values.update(changes(values, key, value))


def changes(values: _Values, key: Key, value: str) -> dict[Key, str]:
    """What an accepted write sets: the key itself first, then everything that the kernel sets along with it.

    A key missing from `values` does not exist, except the one that is written; an empty text is a value that
    nobody knows.
    """
    stored = stored_text(values, key, value)
    moved: _Moved = {key: stored}
    rule = _RULES.get(key) or (_BY_TAIL.get(key[key.rfind(".") :]) if key.startswith("net.ipv6.conf.") else None)
    if rule is not None:
        for victim, text in rule(values, key, stored).items():
            if victim in values:
                moved[victim] = text
    return moved


def is_plain(pattern: Key) -> bool:
    """Whether a write to the key, or to each key of a glob over interfaces, sets that one value whole."""
    known = lookup(pattern)
    if known is None or known.type == "tuple":
        return False
    return pattern[pattern.rfind(".") :] not in _MOVING_TAILS


def stored_text(values: _Values, key: Key, value: str) -> str:
    """What the key holds after an accepted write, given what it held before."""
    text = canonical(key, value)
    known = lookup(key)
    if known is None or known.type == "string":
        return text
    parts = text.split(" ")
    old = values.get(key, "").split()
    if known.length and len(parts) > known.length:
        return " ".join(parts[: known.length])
    if len(parts) < known.length == len(old):
        # Fewer numbers change only the first ones, silently.
        return canonical(key, " ".join(parts + old[len(parts) :]))
    return text


def _on_interfaces(values: Iterable[Key], family: str, tail: str) -> list[Key]:
    head, end = f"net.{family}.conf.", f".{tail}"
    return [key for key in values if key.endswith(end) and key.startswith(head)]


def _ipv4_forwarding(values: _Values, key: Key, stored: str) -> _Moved:
    moved: _Moved = {IP_FORWARD: stored, ALL_FORWARDING: stored}
    old = values.get(key) or values.get(IP_FORWARD) or values.get(ALL_FORWARDING)
    if old and as_int(old) == as_int(stored):
        return moved  # only a change propagates
    moved[ALL_REDIRECTS] = "0" if as_int(stored) else "1"
    moved.update(dict.fromkeys(_on_interfaces(values, "ipv4", "forwarding"), stored))
    return moved


def _on_real_interfaces(values: Iterable[Key], tail: str) -> list[Key]:
    heads = ("net.ipv6.conf.all.", "net.ipv6.conf.default.")
    return [key for key in _on_interfaces(values, "ipv6", tail) if not key.startswith(heads)]


def _ipv6_forwarding(values: _Values, _key: Key, stored: str) -> _Moved:
    moved = dict.fromkeys(_on_interfaces(values, "ipv6", "forwarding"), stored)
    if as_int(stored) == 0:
        moved.update(dict.fromkeys(_on_real_interfaces(values, "force_forwarding"), "0"))
    return moved


def _copied(values: _Values, key: Key, stored: str) -> _Moved:
    return dict.fromkeys(_on_interfaces(values, "ipv6", key.rpartition(".")[2]), stored)


def _force_forwarding(values: _Values, key: Key, stored: str) -> _Moved:
    # Measured on 6.18: copied only when it changes, and not to default.
    old = values.get(key)
    unchanged = old and as_int(old) == as_int(stored)
    return {} if unchanged else dict.fromkeys(_on_real_interfaces(values, "force_forwarding"), stored)


def _stable_secret(values: _Values, key: Key, _stored: str) -> _Moved:
    if key == "net.ipv6.conf.default.stable_secret":
        return dict.fromkeys(_on_real_interfaces(values, "addr_gen_mode"), "2")
    return {Key(key.removesuffix("stable_secret") + "addr_gen_mode"): "2"}


def _zeroes(twin: str, *, only_on_change: bool = False) -> Callable[[_Values, Key, str], _Moved]:
    def rule(values: _Values, key: Key, stored: str) -> _Moved:
        unchanged = only_on_change and as_int(values.get(key, "")) == as_int(stored)
        return {} if unchanged else {Key(twin): "0"}

    return rule


def _congestion_control(values: _Values, _key: Key, stored: str) -> _Moved:
    allowed = Key("net.ipv4.tcp_allowed_congestion_control")
    names = values.get(allowed, "").split()
    return {allowed: " ".join([*names, stored])} if names and stored not in names else {}


def _same_as(*names: str) -> Callable[[_Values, Key, str], _Moved]:
    def rule(_values: _Values, _key: Key, stored: str) -> _Moved:
        return {Key(name): stored for name in names}

    return rule


_RULES: Mapping[Key, Callable[[_Values, Key, str], _Moved]] = {
    IP_FORWARD: _ipv4_forwarding,
    ALL_FORWARDING: _ipv4_forwarding,
    Key("net.ipv6.conf.all.forwarding"): _ipv6_forwarding,
    Key("net.ipv6.conf.all.force_forwarding"): _force_forwarding,
    Key("net.ipv6.conf.all.disable_ipv6"): _copied,
    Key("net.ipv6.conf.all.addr_gen_mode"): _copied,
    Key("net.ipv6.conf.all.ignore_routes_with_linkdown"): _copied,
    Key("net.ipv4.tcp_congestion_control"): _congestion_control,
    Key("vm.dirty_ratio"): _zeroes("vm.dirty_bytes", only_on_change=True),
    Key("vm.dirty_bytes"): _zeroes("vm.dirty_ratio", only_on_change=True),
    Key("vm.dirty_background_ratio"): _zeroes("vm.dirty_background_bytes"),
    Key("vm.dirty_background_bytes"): _zeroes("vm.dirty_background_ratio"),
    Key("vm.overcommit_ratio"): _zeroes("vm.overcommit_kbytes"),
    Key("vm.overcommit_kbytes"): _zeroes("vm.overcommit_ratio"),
    Key("net.netfilter.nf_conntrack_max"): _same_as("net.nf_conntrack_max"),
    Key("net.nf_conntrack_max"): _same_as("net.netfilter.nf_conntrack_max"),
    Key("fs.inotify.max_user_watches"): _same_as("user.max_inotify_watches"),
    Key("user.max_inotify_watches"): _same_as("fs.inotify.max_user_watches"),
    Key("fs.inotify.max_user_instances"): _same_as("user.max_inotify_instances"),
    Key("user.max_inotify_instances"): _same_as("fs.inotify.max_user_instances"),
}
_BY_TAIL: Mapping[str, Callable[[_Values, Key, str], _Moved]] = {".stable_secret": _stable_secret}
_MOVING_TAILS = frozenset(key[key.rfind(".") :] for key in _RULES) | _BY_TAIL.keys()
