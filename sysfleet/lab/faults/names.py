"""The faults that a lab host can have, which go together, and what each kind of lab can do. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import Literal

Fault = Literal[
    # Of the way to it (`way`): every SYN is dropped, a byte a second comes, the connection is cut.
    "black_hole",
    "slow",
    "drops_mid_read",
    "drops_mid_write",
    # Of its keys (`known_hosts`): what the project says of it. The last is the host's own (`files`).
    "other_host_key",
    "no_known_key",
    "revoked_key",
    "login_refused",
    # Of what it says (`shell`).
    "floods",
    "floods_in_frame",
    "sends_binary",
    "sends_escapes",
    "sends_other_mark",
    "endless_line",
    # Of its disk (`files`, `disk`).
    "etc_read_only",
    "disk_full",
    "sysctl_d_is_link",
    "file_immutable",
    "file_of_others",
    # Of its kernel (`keys`).
    "proc_sys_read_only",
    "key_read_only",
    "key_unreadable",
    "escapes_in_value",
    # Of its programs (`programs`).
    "no_flock",
    "plain_sync",
    "no_mktemp",
    "busybox_only",
    # Of its sessions (`files`, `shell`).
    "noisy_start_files",
    "start_file_set_e",
    "foreign_locale",
    "no_path",
    # Of who owns it (`owners`): another system has the say over its sysctl files.
    "nixos",
    "talos",
    "image_read_only",
    "openwrt",
]

LIES = frozenset({"floods", "floods_in_frame", "sends_binary", "sends_escapes", "sends_other_mark", "endless_line"})
WAY = frozenset({"black_hole", "slow", "drops_mid_read", "drops_mid_write"})
OWNERS = frozenset({"nixos", "talos", "image_read_only", "openwrt"})

# Of each of these a host has one at most: they want the same thing to be two things.
_EXCLUSIVE = (
    WAY,
    LIES | {"drops_mid_read"},
    frozenset({"other_host_key", "no_known_key", "revoked_key"}),
    frozenset({"file_immutable", "file_of_others"}),
    frozenset({"disk_full", "file_immutable", "sysctl_d_is_link"}),
    frozenset({"key_read_only", "key_unreadable", "escapes_in_value"}),
    OWNERS,
)

# A folder that stands in for a host has no mounts, no shell and no network of its own.
IN_A_FOLDER = frozenset(
    {"black_hole", "other_host_key", "no_known_key", "revoked_key", "login_refused", "file_of_others"}
)
NEEDS_BUSYBOX = frozenset({"busybox_only", "openwrt"})
# Root's login shell is a script that does it, so that another user's login is as ever.
OF_ROOT_S_SHELL = LIES | {"drops_mid_read", "no_path"}


def clash(faults: Collection[Fault]) -> list[Fault] | None:
    """The faults of these that no host can have together, or None; one that is named twice is one."""
    for group in _EXCLUSIVE:
        found = sorted(set(faults) & group)
        if len(found) > 1:
            return [fault for fault in faults if fault in found]
    return None


def is_silent(faults: Iterable[Fault]) -> bool:
    """Whether nobody can wait for the host's banner."""
    return not {"black_hole", "slow"}.isdisjoint(faults)


def environment(faults: Collection[Fault]) -> dict[str, str]:
    """What every session on the host finds in its environment besides the usual.

    This locale is installed wherever there is glibc, and unlike C it has messages translated (gettext(3)).
    """
    if "foreign_locale" not in faults:
        return {}
    return {"LC_ALL": "C.UTF-8", "LANG": "de_DE.UTF-8", "LANGUAGE": "de"}
