"""What is wrong with the kernel's keys of a host: mounts over /proc/sys. Runs inside, before its loader.

- `proc_sys_read_only`: nothing below /proc/sys can be written to, `net.*` neither, as in a container.
- `key_read_only`: `net.ipv4.tcp_fin_timeout` can be read and not written.
- `key_unreadable`: the same key is there, and nobody may read it, root neither: its file is that of a key which
  the kernel lets be written only, and which is itself fenced off.
- `escapes_in_value`: the same key, read-only, has a value that holds terminal sequences.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sysfleet.lab import linux
from sysfleet.lab.faults.names import Fault
from sysfleet.lab.faults.shell import ESCAPES, OWN_FOLDER

KEY = "net.ipv4.tcp_fin_timeout"
_FILE = Path("/proc/sys/net/ipv4/tcp_fin_timeout")
_WRITE_ONLY = (Path("/proc/sys/vm/compact_memory"), Path("/proc/sys/net/ipv4/route/flush"))
_OWN_VALUE = Path("/") / OWN_FOLDER / "value"

VALUE = b"60 " + ESCAPES.replace(b"\n", b" ") + b"\n"


def spoil(faults: Collection[Fault]) -> None:
    """Do all that is to be wrong with the keys; OSError where this kernel has no key to do it with."""
    if "key_unreadable" in faults:
        linux.bind(_write_only(), _FILE, read_only=True)
    if "escapes_in_value" in faults:
        _OWN_VALUE.parent.mkdir(parents=True, exist_ok=True)
        _OWN_VALUE.write_bytes(VALUE)
        linux.bind(_OWN_VALUE, _FILE, read_only=True)
    if "key_read_only" in faults:
        linux.bind(_FILE, _FILE, read_only=True)
    if "proc_sys_read_only" in faults:
        linux.make_read_only_below(Path("/proc/sys"))


def _write_only() -> Path:
    for path in _WRITE_ONLY:
        try:
            path.open("rb").close()
        except PermissionError:
            return path
        except OSError:
            continue
    raise OSError("this kernel has no key that cannot be read")
