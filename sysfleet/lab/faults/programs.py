"""What is wrong with the programs of a host: other things are mounted over the machine's. Runs before its root is set.

- `no_flock`, `no_mktemp`: the program is in no folder of programs; a BusyBox that is called as such may have it still.
- `plain_sync`: a `sync` that fails when it is given files, as before coreutils 8.24.
- `busybox_only` (also `openwrt`): all folders of programs hold BusyBox's applets, /bin/sh too, and nothing else but
  the SSH server.
"""

from __future__ import annotations

import subprocess
from collections.abc import Collection
from pathlib import Path

from sysfleet.lab import linux, loaders
from sysfleet.lab.faults.names import NEEDS_BUSYBOX, Fault
from sysfleet.lab.faults.owners import PROGRAMS
from sysfleet.lab.faults.shell import OWN_FOLDER
from sysfleet.lab.overlay import cover

_FOLDERS = ("usr/local/sbin", "usr/local/bin", "usr/sbin", "usr/bin", "sbin", "bin")
_SERVER = "sshd"
_MISSING: dict[Fault, str] = {"no_flock": "flock", "no_mktemp": "mktemp"}
_PLAIN_SYNC = """\
#!/bin/sh
if [ $# -gt 0 ]; then
    echo "sync: extra operand '$1'" >&2
    exit 1
fi
exec /{real}
"""


def cover_programs(new_root: Path, faults: Collection[Fault]) -> None:
    """Change what is in the folders of programs below `new_root`."""
    if not NEEDS_BUSYBOX.isdisjoint(faults):
        _show_busybox_only(new_root, {name: text for fault in faults for name, text in PROGRAMS.get(fault, {}).items()})
    for fault, program in _MISSING.items():
        for folder in _folders(new_root) if fault in faults else ():
            if (folder / program).is_symlink() or (folder / program).exists():
                _leave_out(new_root, folder, program)
    if "plain_sync" in faults:
        _make_sync_plain(new_root)


def _folders(new_root: Path) -> list[Path]:
    """Each folder of programs once: where /usr is merged, some are links to others."""
    folders = [new_root / name for name in _FOLDERS]
    return [folder for folder in folders if folder.is_dir() and not folder.is_symlink()]


def _show_busybox_only(new_root: Path, more: dict[str, str]) -> None:
    program = loaders.busybox()
    if program is None:
        raise OSError("this machine has no BusyBox")
    own = _own(new_root, "busybox")
    own.touch()
    linux.bind(program, own)
    applets = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout.split()
    for folder in _folders(new_root):
        cover(folder, without={entry.name for entry in folder.iterdir()} - {_SERVER})
    # Where /usr is merged, this leads to what has just been covered.
    shown = new_root / "bin"
    for name in {*applets, "busybox"}:
        (shown / name).symlink_to(f"/{OWN_FOLDER}/busybox")
    for name, text in more.items():
        (shown / name).write_text(text, encoding="utf-8")
        (shown / name).chmod(0o755)


def _leave_out(new_root: Path, folder: Path, program: str) -> None:
    """Show the folder without this program: bash finds a file that is covered, even by a device."""
    names = {entry.name for entry in folder.iterdir()} - {program}
    behind = _own(new_root, f"all-but-{program}") / folder.relative_to(new_root)
    behind.mkdir(parents=True)
    linux.bind(folder, behind)
    linux.mount_fresh("tmpfs", folder, "mode=755")
    # Links cost next to nothing, where a mount a program would fill the host's table of mounts.
    for name in names:
        (folder / name).symlink_to(Path("/") / behind.relative_to(new_root) / name)


def _make_sync_plain(new_root: Path) -> None:
    script = _own(new_root, "plain-sync")
    script.write_text(_PLAIN_SYNC.format(real=f"{OWN_FOLDER}/sync"), encoding="utf-8")
    script.chmod(0o755)
    found = [folder for folder in _folders(new_root) if (folder / "sync").exists()]
    if found:
        real = _own(new_root, "sync")
        real.touch()
        linux.bind(found[0] / "sync", real)
    for folder in found:
        _leave_out(new_root, folder, "sync")
        (folder / "sync").symlink_to(f"/{OWN_FOLDER}/plain-sync")


def _own(new_root: Path, name: str) -> Path:
    path = new_root / OWN_FOLDER / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
