"""The records of planning: options, writes, our file, and the plan of one host."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sysfleet.host import Running
from sysfleet.planning.judgement import SettingPlan
from sysfleet.planning.missing import USUAL, Reason, Treatment
from sysfleet.sysctl.key import Key


@dataclass(frozen=True, slots=True)
class Options:
    """What the settings say about planning (sysfleet.toml, [file], [boot], [missing]; flags of the command)."""

    path: str = "/etc/sysctl.d/99-zz-sysfleet.conf"
    comments: str = "short"
    foreign: tuple[str, ...] = ()
    accept_unknown_boot: bool = False
    accept_shadowed: bool = False
    missing: Mapping[Reason, Treatment] = field(default_factory=lambda: USUAL)
    allow_one_way: bool = False
    allow_destructive: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """One value to be written, with the value it replaces."""

    key: Key
    value: str
    before: str


@dataclass(frozen=True, slots=True)
class FilePlan:
    """Our file: its content now and then; None where there is no file. Equal: it is not touched."""

    path: str
    before: bytes | None
    after: bytes | None

    @property
    def changes(self) -> bool:
        """Whether the file would be written or removed."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Plan:
    """What would change on one host.

    `settle` is every managed key with the text it must have, in writing order; `compare` the values that the plan
    was made from. `conflicts` say why the policy cannot hold on this host at all, `refusals` why `apply` refuses.
    """

    settings: tuple[SettingPlan, ...]
    writes: tuple[Write, ...]
    file: FilePlan
    settle: tuple[tuple[Key, str], ...]
    compare: tuple[tuple[Key, Running], ...]
    read_back: tuple[Key, ...]
    conflicts: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    unreadable: tuple[Key, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing would be written, neither values nor file."""
        return not self.writes and not self.file.changes

    @property
    def drifted(self) -> bool:
        """Whether the host is not as wanted, now or at the next boot."""
        return not self.empty or any(setting.is_drift for setting in self.settings)

    @property
    def changes(self) -> int:
        """Values that would be written, and the file as one more."""
        return len(self.writes) + self.file.changes
