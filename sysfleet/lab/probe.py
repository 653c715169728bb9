"""Whether this machine gives namespaces that deserve the name: shown by a real write in a throw-away host.

Where AppArmor or a container forbids them, unshare(2) may well succeed and the first mount or write fail.
"""

from __future__ import annotations

from pathlib import Path

_CONF = Path("/proc/sys/net/ipv4/conf")
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")
_HOST_WIDE = Path("/proc/sys/vm/swappiness")

# The kernel's own defaults (net/ipv4/devinet.c); all others are 0. A fresh namespace copies what this machine
# has now (kernel.md section 2.4), and hosts of a lab must not differ with the machine that they are on.
_DEFAULTS = {
    "accept_redirects": "1",
    "secure_redirects": "1",
    "send_redirects": "1",
    "shared_media": "1",
    "arp_evict_nocarrier": "1",
    "igmpv2_unsolicited_report_interval": "10000",
    "igmpv3_unsolicited_report_interval": "1000",
}
_ALSO = {
    "default": {"accept_source_route": "1"},
    "lo": {"accept_source_route": "1", "disable_xfrm": "1", "disable_policy": "1"},
}


def inherited_values() -> dict[str, str]:
    """Keys whose value in this fresh namespace is not the kernel's own, with that; in a safe order to write."""
    found: dict[str, str] = {}
    for part in ("all", "default", "lo"):
        wanted = {**_DEFAULTS, **_ALSO.get(part, {})}
        for file in (_CONF / part).iterdir():
            own = wanted.get(file.name, "0")
            if file.name != "mc_forwarding" and file.read_text(encoding="ascii").strip() != own:
                found[f"net.ipv4.conf.{part}.{file.name}"] = own
    # Forwarding first: it moves accept_redirects.
    return dict(sorted(found.items(), key=lambda item: not item[0].endswith(".forwarding")))


def prove_writes() -> None:
    """Write to this namespace and read it back; OSError where that, or the fence around it, does not hold."""
    for value in ("1", "0"):
        _FORWARD.write_text(value, encoding="ascii")
        if _FORWARD.read_text(encoding="ascii").strip() != value:
            raise OSError("a value written in a fresh network namespace does not stay")
    try:
        _HOST_WIDE.open("r+b").close()
    except OSError:
        return
    raise OSError(f"{_HOST_WIDE} could be written to from inside a namespace")
