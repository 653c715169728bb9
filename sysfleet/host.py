"""What one read of a host gave: facts, files and running values.

Pure records. How they were fetched is `remote`'s business; what they mean for a policy is `planning`'s.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from sysfleet.sysctl.key import Key, key_path
from sysfleet.sysctl.loaders import Loader, SourceFile


class RunningState(StrEnum):
    """Whether a key has a value: absent, unreadable and empty are different things."""

    VALUE = "value"
    ABSENT = "absent"
    UNREADABLE = "unreadable"
    UNSET = "unset"


@dataclass(frozen=True, slots=True)
class Running:
    """The kernel's value of one key now, as read (tuples joined by one space), or why there is none."""

    state: RunningState
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Facts:
    """What the host is. Untrusted: no text here holds a line break or control character."""

    hostname: str = ""
    kernel: str = ""
    distribution: str = ""
    distribution_version: str = ""
    architecture: str = ""
    init: str = "unknown"
    loader: Loader = Loader.UNKNOWN
    loader_enabled: bool = True
    loader_version: str = ""
    command_line: str = ""
    later_writers: tuple[str, ...] = ()
    container: str | None = None
    interfaces: tuple[str, ...] = ()
    memory_kib: int = 0
    cpus: int = 0
    boot_id: str = ""
    uptime_s: float = 0.0
    uid: int = -1
    ipv6: bool = True
    stand_in: str | None = None  # a folder that stands in for /proc/sys and /etc (lab without namespaces)
    mounts: tuple[tuple[str, bool], ...] = ()  # folders or keys below /proc/sys, and whether they can be written to
    read_only_keys: tuple[Key, ...] = ()  # of those asked for by name; only root is told
    owner: str | None = None  # another system that sets sysctl on this host, and where: "NixOS (boot.kernel.sysctl)"
    place_problem: str | None = None  # why our file cannot lie where it should: "/ (squashfs) is mounted read-only"

    @property
    def proc_sys_writable(self) -> bool:
        """Whether /proc/sys, as far as it is the host's own, can be written to at all."""
        return self._mounted_writable("/proc/sys/net")

    def is_writable(self, key: Key) -> bool:
        """Whether the key lies on a part of /proc/sys that can be written to; the innermost mount decides."""
        return not self.mounts or self._mounted_writable(f"/proc/sys/{key_path(key)}")

    def _mounted_writable(self, path: str) -> bool:
        around = [(len(at), can) for at, can in self.mounts if path == at or path.startswith(f"{at}/")]
        return max(around, default=(0, True))[1]


@dataclass(frozen=True, slots=True)
class Reading:
    """One read of one host.

    `values` holds every key that was asked for, absent ones included. `files_token` is what the host itself
    printed about its files (names, sizes, checksums); a change sends it back to prove that they are the same.
    """

    facts: Facts
    files: tuple[SourceFile, ...] = ()
    values: Mapping[Key, Running] = field(default_factory=dict)
    files_token: str = ""

    def text(self, key: Key) -> str | None:
        """The running value, or None where there is none."""
        running = self.values.get(key)
        return running.text if running is not None and running.state is RunningState.VALUE else None
