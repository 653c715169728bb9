"""Who else writes keys after the loader, and what: services that are known to (kernel.md 6.4), and the kernel line.

Pure: the names of the writers and their files in, values out. What a service writes only when it is configured to is
not here: nobody can know it from outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache

import msgspec

from sysfleet.sysctl.document import parse
from sysfleet.sysctl.key import Key, interface_of, is_glob, matches, parse_key
from sysfleet.sysctl.sources import SourceFile

UFW_FILE = "/etc/ufw/sysctl.conf"
COMMAND_LINE = "/proc/cmdline"
_PARAMETER = "sysctl."


class LaterWrite(msgspec.Struct, frozen=True):
    """A write after the loader's: the value where it is known, and the line where a file says so."""

    writer: str
    value: str | None
    file: str | None = None
    line: int = 0


_FORWARDING = ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding")
_BRIDGE = ("net.bridge.bridge-nf-call-iptables", "net.bridge.bridge-nf-call-ip6tables")
_OF_INTERFACES = frozenset({"all", "default"})

# Writer to pattern to value; None: one that its own configuration decides. Interfaces stand for real ones only.
_KNOWN: Mapping[str, Mapping[str, str | None]] = {
    "docker": dict.fromkeys((*_FORWARDING, *_BRIDGE), "1"),
    "kubelet": {
        **dict.fromkeys((*_FORWARDING, *_BRIDGE), "1"),
        "vm.overcommit_memory": "1",
        "vm.panic_on_oom": "0",
        "kernel.panic": "10",
        "kernel.panic_on_oops": "1",
    },
    "libvirt": dict.fromkeys((*_FORWARDING, "net.ipv6.conf.all.forwarding"), None),
    "networkd": {"net.ipv6.conf.*.accept_ra": "0", "net.ipv4.conf.*.promote_secondaries": "1"},
    "NetworkManager": dict.fromkeys(
        (
            "net.ipv6.conf.*.accept_ra",
            "net.ipv6.conf.*.use_tempaddr",
            "net.ipv6.conf.*.addr_gen_mode",
            "net.ipv6.conf.*.disable_ipv6",
        ),
        None,
    ),
}
# TuneD sets its profile's keys, and then once more what files of the administrator say; vendors' files lose to it.
_TUNED = "tuned"
_OF_ADMINISTRATOR = ("/etc/", "/run/")
_TUNED_KEYS = frozenset(
    Key(name)
    for name in (
        "vm.dirty_ratio",
        "vm.dirty_background_ratio",
        "vm.swappiness",
        "net.core.busy_read",
        "net.core.busy_poll",
        "net.ipv4.tcp_fastopen",
        "kernel.numa_balancing",
        "kernel.sched_min_granularity_ns",
        "kernel.sched_wakeup_granularity_ns",
        "net.core.somaxconn",
        "net.ipv4.tcp_rmem",
        "net.ipv4.tcp_wmem",
        "net.ipv4.udp_mem",
    )
)


def later_write(key: Key, writers: Iterable[str], files: Iterable[SourceFile], winner: str | None) -> LaterWrite | None:
    """What writes this key after the loader, the last that is known of; `winner` is the file that wins before it."""
    found: LaterWrite | None = None
    for writer in writers:
        if writer == "ufw":
            found = _of_ufw(key, next((one for one in files if one.path == UFW_FILE), None)) or found
        elif writer.partition(":")[0] == _TUNED:
            from_vendor = winner is None or not winner.startswith(_OF_ADMINISTRATOR)
            found = LaterWrite(writer, None) if key in _TUNED_KEYS and from_vendor else found
        else:
            for pattern, value in _KNOWN.get(writer, {}).items():
                if _is_of(Key(pattern), key):
                    found = LaterWrite(writer, value)
    return found


def _is_of(pattern: Key, key: Key) -> bool:
    if not is_glob(pattern):
        return pattern == key
    return matches(pattern, key) and interface_of(key) not in _OF_INTERFACES


def _of_ufw(key: Key, file: SourceFile | None) -> LaterWrite | None:
    if file is None:
        return None
    return _lines_of(file).get(key)


@lru_cache(maxsize=256)
def _lines_of(file: SourceFile) -> Mapping[Key, LaterWrite]:
    lines = parse(file.content or b"", file.path).settings
    return {line.pattern: LaterWrite("ufw", line.value, file.path, line.line) for line in lines}


@lru_cache(maxsize=1024)
def of_command_line(text: str) -> Mapping[Key, str]:
    """Keys that `sysctl.KEY=value` on the kernel's command line sets, before any file does; the last one holds."""
    found: dict[Key, str] = {}
    for word in text.split():
        name, equals, value = word.partition("=")
        if not equals or not name.startswith(_PARAMETER):
            continue
        try:
            # All dots become slashes there: an interface with a dot cannot be named.
            found[parse_key(name.removeprefix(_PARAMETER).replace("/", "."))] = value
        except ValueError:
            continue
    return found
