"""Fresh namespaces for one host, and who is who in them.

A host is two processes of ours: its keeper, a child of the supervisor, and its init, number 1 of the host's PID
namespace. When the supervisor ends, the kernel ends the keeper, then the init and so all that it started.
"""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Literal, NamedTuple

from sysfleet.lab import linux

IdMap = Literal["range", "single"]
_RANGE = 65536


class MappingRefused(Exception):
    """This machine's tools do not give this user the ids it is said to have."""


class Wire(NamedTuple):
    """The host's network namespace and the one at the other end of its wires, as open files."""

    inside: int
    outside: int

    def at_other_end(self, action: Callable[[], None]) -> None:
        """Run `action` in the namespace that the host's interfaces are wired to."""
        linux.setns(self.outside, linux.CLONE_NEWNET)
        try:
            action()
        finally:
            linux.setns(self.inside, linux.CLONE_NEWNET)


def enter_user_namespace() -> None:
    """First half: afterwards the parent has to call `map_ids` on this process."""
    linux.unshare(linux.CLONE_NEWUSER)


def enter_namespaces() -> Wire:
    """Second half; the fresh PID namespace begins with the next child."""
    linux.unshare(linux.CLONE_NEWNET)
    outside = os.open("/proc/self/ns/net", os.O_RDONLY)
    linux.unshare(linux.CLONE_NEWNET | linux.CLONE_NEWNS | linux.CLONE_NEWUTS | linux.CLONE_NEWIPC | linux.CLONE_NEWPID)
    return Wire(os.open("/proc/self/ns/net", os.O_RDONLY), outside)


def map_ids(pid: int, ids: IdMap) -> None:
    """Make this user root in the user namespace of `pid`, alone or with a range of other ids.

    OSError or MappingRefused where the machine refuses.
    """
    if ids == "single":
        Path(f"/proc/{pid}/setgroups").write_text("deny", encoding="ascii")
        Path(f"/proc/{pid}/uid_map").write_text(f"0 {os.geteuid()} 1", encoding="ascii")
        Path(f"/proc/{pid}/gid_map").write_text(f"0 {os.getegid()} 1", encoding="ascii")
    elif os.geteuid() == 0:
        # The same numbers inside and outside, so that set-user-id programs of the machine work inside.
        for name in ("uid_map", "gid_map"):
            Path(f"/proc/{pid}/{name}").write_text(f"0 0 {_RANGE}", encoding="ascii")
    else:
        for program, own, table in (
            ("newuidmap", os.geteuid(), "/etc/subuid"),
            ("newgidmap", os.getegid(), "/etc/subgid"),
        ):
            first, size = _own_range(Path(table))
            words = [program, str(pid), "0", str(own), "1", "1", str(first), str(size)]
            done = subprocess.run(words, check=False, capture_output=True, text=True)
            if done.returncode != 0:
                raise MappingRefused(done.stderr.strip() or f"{program} failed")


def has_range() -> bool:
    """Whether `map_ids` may work with a range here; only trying shows."""
    if os.geteuid() == 0:
        return True
    try:
        for table in ("/etc/subuid", "/etc/subgid"):
            _own_range(Path(table))
    except OSError:
        return False
    return shutil.which("newuidmap") is not None


def _own_range(table: Path) -> tuple[int, int]:
    """This user's line in subuid(5) or subgid(5)."""
    names = {str(os.getuid())}
    with suppress(KeyError):
        names.add(pwd.getpwuid(os.getuid()).pw_name)
    for line in table.read_text(encoding="utf-8").splitlines():
        fields = line.split(":")
        if len(fields) == 3 and fields[0] in names:
            return int(fields[1]), min(int(fields[2]), _RANGE)
    raise FileNotFoundError(f"no line for this user in {table}")
