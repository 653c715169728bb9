"""One lab host of each fault, for whoever wants to see all their rows. Pure data."""

from __future__ import annotations

from typing import get_args

from sysfleet.lab.faults.names import Fault
from sysfleet.lab.spec import HostSpec, Loader

# The loader that such a host has in real life, where that is not just the machine's own.
_LOADERS: dict[Fault, Loader] = {"busybox_only": "alpine", "openwrt": "none"}


def faulty_hosts() -> list[HostSpec]:
    """A host of each fault, called as the fault with dashes, in the group web."""
    return [
        HostSpec(fault.replace("_", "-"), groups=("web",), faults=(fault,), loader=_LOADERS.get(fault))
        for fault in get_args(Fault)
    ]
