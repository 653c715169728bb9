"""Whether a value of `all` decides for every interface, by the kernel's rule for its key (kernel.md 2).

Knows the rules and no host: an interface's own value is taken to be whatever it may be.
"""

from __future__ import annotations

from sysfleet.sysctl.key import Key, interface_of
from sysfleet.sysctl.knowledge import lookup
from sysfleet.sysctl.value import as_int


def left_to_interfaces(key: Key, value: str, *, forwards: bool) -> str | None:
    """Why `all` set to this value leaves it to the interfaces, in one clause; None where it decides.

    `key` is that of `all`; `forwards` whether IPv4 forwarding is on.
    """
    known = lookup(key)
    number = as_int(value)
    if interface_of(key) != "all" or known is None or number is None or known.propagates != "never":
        return None
    rule = known.combine
    if rule == "forwarding-dependent":
        rule = "and" if forwards else "or"
    if rule == "own":
        return "the kernel looks at each interface alone" if key.startswith("net.ipv6.") else None
    if rule == "or" and number == 0:
        return "an interface whose own value is 1 does it all the same"
    if rule == "and" and number != 0:
        return "an interface whose own value is 0 does not do it"
    if rule == "max" and known.maximum is not None and number < known.maximum:
        return "the larger of it and the interface's own value holds"
    return None
