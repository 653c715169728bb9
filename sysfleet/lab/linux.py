"""The Linux calls that a lab host is made of, as plain functions that raise OSError.

Knows nothing of hosts, files in them or SSH.
"""

from __future__ import annotations

import ctypes
import os
import re
import signal
from pathlib import Path

CLONE_NEWNS = 0x00020000
CLONE_NEWUTS = 0x04000000
CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
CLONE_NEWPID = 0x20000000
CLONE_NEWNET = 0x40000000

_MS_RDONLY = 1
_MS_NOSUID = 2
_MS_NODEV = 4
_MS_NOEXEC = 8
_MS_REMOUNT = 32
_MS_BIND = 4096
_MS_REC = 16384
_MS_PRIVATE = 1 << 18
_MNT_DETACH = 2

_PR_SET_PDEATHSIG = 1
_PR_SET_NAME = 15
_PR_SET_CHILD_SUBREAPER = 36

_OCTAL = re.compile(rb"\\([0-7]{3})")

_libc = ctypes.CDLL(None, use_errno=True)


def _checked(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{os.strerror(code)} ({what})")


def unshare(flags: int) -> None:
    """Give this process fresh namespaces; a fresh PID namespace is for its children."""
    _checked(_libc.unshare(flags), "unshare")


def setns(fd: int, kind: int) -> None:
    """Enter the namespace that `fd` is open on."""
    _checked(_libc.setns(fd, kind), "setns")


def die_with_parent(signum: int = signal.SIGKILL) -> None:
    """Have the kernel send this process `signum` when its parent ends, however it ends."""
    _checked(_libc.prctl(_PR_SET_PDEATHSIG, int(signum), 0, 0, 0), "prctl")


def adopt_orphans() -> None:
    """Make this process the parent of descendants whose own parent has ended."""
    _checked(_libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0), "prctl")


def set_process_name(name: str) -> None:
    """Set what `ps` shows as this process's command (15 bytes)."""
    _checked(_libc.prctl(_PR_SET_NAME, name.encode()[:15], 0, 0, 0), "prctl")


def _mount(source: str, target: Path, kind: str | None, flags: int, options: str = "") -> None:
    result = _libc.mount(
        source.encode(),
        os.fsencode(target),
        kind.encode() if kind else None,
        ctypes.c_ulong(flags),
        options.encode() or None,
    )
    _checked(result, f"mount {kind or source} on {target}")


def mount_fresh(
    kind: str, target: Path, options: str = "", *, read_only: bool = False, set_user_id: bool = False
) -> None:
    """Mount a file system of its own, without devices and, unless asked for, set-user-id programs."""
    flags = (0 if set_user_id else _MS_NOSUID) | _MS_NODEV | (_MS_NOEXEC if kind in {"proc", "sysfs"} else 0)
    _mount(kind, target, kind, flags | (_MS_RDONLY if read_only else 0), options)


def mount_devpts(target: Path) -> None:
    """Mount pseudo-terminals of its own."""
    _mount("devpts", target, "devpts", _MS_NOSUID | _MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")


def bind(source: Path, target: Path, *, read_only: bool | None = None) -> None:
    """Show `source`, with all that is mounted below it, at `target` too; writable as it was unless told."""
    _mount(str(source), target, None, _MS_BIND | _MS_REC)
    if read_only is not None:
        remount(target, read_only=read_only)


def make_read_only_below(top: Path) -> None:
    """Make every mount below `top` read-only, `top` itself only if that is the root."""
    for mount_point in _mounts_below(top):
        remount(mount_point, read_only=True)


def remount(target: Path, *, read_only: bool) -> None:
    """Let nobody write through this one mount, or let them, as far as its file system does."""
    # What a more privileged namespace has locked must be asked for again, or the kernel refuses.
    kept = os.statvfs(target).f_flag & (_MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    _mount("none", target, None, _MS_REMOUNT | _MS_BIND | kept | (_MS_RDONLY if read_only else 0))


def _mounts_below(top: Path) -> list[Path]:
    prefix = os.fsencode(top).rstrip(b"/") + b"/"
    found = []
    for line in Path("/proc/self/mountinfo").read_bytes().splitlines():
        # proc(5): blank, tab, line break and backslash are written as octal numbers.
        name = _OCTAL.sub(lambda digits: bytes([int(digits[1], 8)]), line.split(b" ", 5)[4])
        if name.startswith(prefix):
            found.append(Path(os.fsdecode(name)))
    return found


def make_mounts_private() -> None:
    """Let no mount of this namespace reach another, nor the other way round."""
    _mount("none", Path("/"), None, _MS_REC | _MS_PRIVATE)


def change_root(new_root: Path) -> None:
    """Make `new_root`, a mount point, the root of this mount namespace and let go of the old one."""
    os.chdir(new_root)
    _checked(_libc.pivot_root(b".", b"."), "pivot_root")
    _checked(_libc.umount2(b".", _MNT_DETACH), "umount2")
    os.chdir("/")
