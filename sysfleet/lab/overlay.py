"""Folders that cannot be written to, covered by others with the same entries, some left out or one added.

Runs inside a host's namespaces; knows nothing of what the folders are for.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from sysfleet.lab import linux


def add_entry(folder: Path) -> None:
    """Make a folder where the machine's read-only one has none."""
    parent = folder.parent
    if not parent.is_dir():
        add_entry(parent)
    cover(parent, with_folder=folder.name)


def cover(folder: Path, *, without: Iterable[str] = (), with_folder: str | None = None) -> None:
    """Put a folder of the same entries over this one, some left out or one added."""
    names = {entry.name for entry in folder.iterdir()} - set(without)
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        below = Path(f"/proc/self/fd/{handle}")
        linux.mount_fresh("tmpfs", folder, "mode=755")
        for name in names:
            _show_again(below / name, folder / name)
    finally:
        os.close(handle)
    if with_folder is not None:
        (folder / with_folder).mkdir()


def _show_again(source: Path, target: Path) -> None:
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return
    if source.is_dir():
        target.mkdir()
    else:
        target.touch()
    linux.bind(source, target)
