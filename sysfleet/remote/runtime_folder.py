"""Where a run's sockets may lie: a folder of this user's own, on this machine, with a short path.

Looks at folders and makes one; reads no environment by itself, and knows nothing of SSH.
"""

from __future__ import annotations

import shutil
import stat
import tempfile
from collections.abc import Mapping
from pathlib import Path

from sysfleet.errors import UsageError

# A socket's path ends at 104 bytes where that is least; ssh adds 17 while it makes one, and we a few for its name.
_LONGEST_BYTES = 70
_SYSTEM = ("/tmp", "/var/tmp")  # noqa: S108 - a private folder is made in it


def runtime_folder(environ: Mapping[str, str], *, uid: int) -> Path:
    """The user's own runtime folder, else the system's folder for temporary files; never a home, which may be far."""
    for name in (environ.get("XDG_RUNTIME_DIR"), f"/run/user/{uid}"):
        if name and _is_private(Path(name), uid):
            return Path(name)
    return next((Path(name) for name in _SYSTEM if Path(name).is_dir()), Path("/"))


def make_private_folder(place: Path) -> Path:
    """A new folder in `place` that nobody else can look into; UsageError where there can be none."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="sysfleet-", dir=place))
    except OSError as error:
        raise UsageError(f"{place} takes no folder for sockets: {error.strerror}") from error
    if len(bytes(folder)) > _LONGEST_BYTES:
        shutil.rmtree(folder)
        raise UsageError(f"{place} is too long a path for sockets", hint="set XDG_RUNTIME_DIR to a shorter one")
    return folder


def _is_private(folder: Path, uid: int) -> bool:
    if not folder.is_absolute() or len(bytes(folder)) > _LONGEST_BYTES - len("/sysfleet-abcdefgh"):
        return False
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == uid and not found.st_mode & 0o077
