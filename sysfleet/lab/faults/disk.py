"""What is wrong with the disk of a host: mounts over its own folders, which go with it. Runs inside, as its root.

- `etc_read_only` (also `talos` and `image_read_only`): /etc and all mounts below it.
- `disk_full`: `/etc/sysctl.d` is on a file system without a free byte; what was there can still be read.
- `file_immutable`: `/etc/sysctl.d` is on a file system in memory, where the file that sysfleet manages has the
  immutable flag (chattr(1)). Only this machine's root can set that, so the supervisor is asked to; where it cannot,
  the file is a read-only mount over itself. Either goes with the host's mounts, so there is nothing to take back.

What a host writes to `/etc/sysctl.d` on a file system in memory is gone with its next boot.
"""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import struct
from collections.abc import Callable, Collection
from pathlib import Path

from sysfleet.lab import linux
from sysfleet.lab.faults.files import MANAGED
from sysfleet.lab.faults.names import Fault
from sysfleet.lab.faults.shell import OWN_FOLDER

_FOLDER = Path("/etc/sysctl.d")
_BESIDE = Path("/") / OWN_FOLDER / "disk"
_PAGE_BYTES = 4096
_FREE_PAGES = 16
_ETC_READ_ONLY = frozenset({"etc_read_only", "talos", "image_read_only"})

# linux/fs.h. The argument is an int, whatever the number says of its size.
_GET_FLAGS = 0x80086601
_SET_FLAGS = 0x40086602
_IMMUTABLE = 0x10


def spoil(faults: Collection[Fault], ask_for_flag: Callable[[], bool]) -> None:
    """Do all that is to be wrong with the disk; `ask_for_flag` has the supervisor make the file immutable."""
    if "disk_full" in faults:
        _move_to_memory(f"size={(_pages(_FOLDER) + _FREE_PAGES) * _PAGE_BYTES}")
        _fill(_BESIDE / "filler")
    if "file_immutable" in faults:
        _move_to_memory("size=1m")
        if not ask_for_flag():
            linux.bind(Path("/") / MANAGED, Path("/") / MANAGED, read_only=True)
    if not _ETC_READ_ONLY.isdisjoint(faults):
        linux.make_read_only_below(Path("/etc"))
        linux.remount(Path("/etc"), read_only=True)


def make_immutable(root: Path) -> bool:
    """Set the flag on the managed file of the host whose root this is; whether this machine lets us."""
    try:
        handle = os.open(root / MANAGED, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            flags = bytearray(8)
            fcntl.ioctl(handle, _GET_FLAGS, flags)
            fcntl.ioctl(handle, _SET_FLAGS, struct.pack("l", struct.unpack("l", flags)[0] | _IMMUTABLE))
        finally:
            os.close(handle)
    except OSError:
        return False
    return True


def _move_to_memory(options: str) -> None:
    _BESIDE.mkdir(parents=True)
    linux.mount_fresh("tmpfs", _BESIDE, f"mode=755,{options}")
    shutil.copytree(_FOLDER, _BESIDE / _FOLDER.name, symlinks=True)
    linux.bind(_BESIDE / _FOLDER.name, _FOLDER)


def _pages(folder: Path) -> int:
    # The content of a file begins on a page of its own (tmpfs(5)).
    return sum(1 + entry.lstat().st_size // _PAGE_BYTES for entry in folder.iterdir())


def _fill(filler: Path) -> None:
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(bytes(_PAGE_BYTES))
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
