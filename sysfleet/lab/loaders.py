"""Which program applies a lab host's sysctl files at boot, how the host shows it, and running it.

A host shows its loader as a real machine does, so that a reading can tell from the host alone:

- `systemd`: `/run/systemd/system` is a folder (sd_booted(3)); off where `systemd-sysctl.service` below
  `/etc/systemd/system` or `/run/systemd/system` is a link to `/dev/null`.
- `alpine`, `openrc`: `/run/openrc` is a folder and `/etc/init.d/sysctl` is there; `alpine` where there is
  `/etc/alpine-release`, else `openrc`, and that with BusyBox where `sysctl -V` fails (upstream's script asks the
  same and takes procps where it succeeds). Off where no `/etc/runlevels/*/sysctl` is there.
- `procps`: none of these and `/etc/init.d/procps` is there; off where no `/etc/rcS.d/S??procps` is there.
- `none`: nothing of all that.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from sysfleet.lab.spec import Loader

_SYSTEMD_PROGRAMS = ("/usr/lib/systemd/systemd-sysctl", "/lib/systemd/systemd-sysctl")
_SYSTEMD_MASK = "etc/systemd/system/systemd-sysctl.service"
_SEARCHED = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

_FOLDERS = ("etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d", "lib/sysctl.d")

_PROCPS_SCRIPT = """\
#!/bin/sh
[ "$1" = start ] && exec sysctl -q --system
"""

# As Alpine's: vendor files first, the files below /run last; a name that is in a later folder wins.
_ALPINE_SCRIPT = """\
#!/sbin/openrc-run

load() {
    if [ -f "$1" ]; then busybox sysctl -q -p "$1"; fi
}

start() {
    for file in /lib/sysctl.d/*.conf /usr/lib/sysctl.d/*.conf; do
        name=${file##*/}
        [ -f "/etc/sysctl.d/$name" ] || [ -f "/run/sysctl.d/$name" ] || load "$file"
    done
    for file in /etc/sysctl.d/*.conf; do
        [ -f "/run/sysctl.d/${file##*/}" ] || load "$file"
    done
    load /etc/sysctl.conf
    for file in /run/sysctl.d/*.conf; do
        load "$file"
    done
}
"""

# As OpenRC's where there is no procps: the first word of every line, once the first ` = ` has lost its blanks.
_OPENRC_SCRIPT = """\
#!/sbin/openrc-run

start() {
    [ -e /etc/sysctl.conf ] || return 0
    for file in /etc/sysctl.conf /etc/sysctl.d/*.conf; do
        [ -r "$file" ] || continue
        sed 's/ = /=/' "$file" | while read setting comment; do
            case "$setting" in
                "" | "#"*) continue ;;
            esac
            busybox sysctl -w "$setting" >/dev/null
        done
    done
}
"""


def default_loader() -> Loader | None:
    """The first loader that this machine has a program for."""
    candidates: tuple[Loader, ...] = ("systemd", "procps", "alpine")
    return next((loader for loader in candidates if is_available(loader)), None)


def is_available(loader: Loader) -> bool:
    """Whether this machine has the program that this loader is."""
    match loader:
        case "systemd":
            return _systemd_program() is not None
        case "procps":
            program = shutil.which("sysctl", path=_SEARCHED)
            return program is not None and Path(program).resolve().name != "busybox"
        case "alpine" | "openrc":
            return busybox() is not None
        case "none":
            return True


def busybox() -> Path | None:
    """This machine's BusyBox, which is `sysctl` on hosts of Alpine's or OpenRC's kind."""
    found = shutil.which("busybox", path=_SEARCHED)
    return Path(found) if found else None


def uses_busybox(loader: Loader) -> bool:
    """Whether `sysctl` on the host is BusyBox."""
    return loader in {"alpine", "openrc"}


def declare(root: Path, loader: Loader, *, enabled: bool) -> None:
    """Write below `root` what shows this loader and whether it runs at boot."""
    match loader:
        case "systemd":
            if not enabled:
                _link(root / _SYSTEMD_MASK, "/dev/null")
        case "procps":
            _script(root / "etc/init.d/procps", _PROCPS_SCRIPT)
            if enabled:
                _link(root / "etc/rcS.d/S01procps", "../init.d/procps")
        case "alpine" | "openrc":
            if loader == "alpine":
                (root / "etc/alpine-release").write_text("3.20.3\n", encoding="utf-8")
            elif not (root / "etc/sysctl.conf").exists():
                # OpenRC's script does nothing at all without it, so every such system has one.
                (root / "etc/sysctl.conf").write_text("# this host's own settings\n", encoding="utf-8")
            _script(root / "etc/init.d/sysctl", _ALPINE_SCRIPT if loader == "alpine" else _OPENRC_SCRIPT)
            if enabled:
                _link(root / "etc/runlevels/boot/sysctl", "../../init.d/sysctl")
        case "none":
            pass


def declare_running(root: Path, loader: Loader) -> None:
    """Write below `root`/run what shows the running init system; it goes with every boot."""
    if loader == "systemd":
        (root / "run/systemd/system").mkdir(parents=True)
    elif loader in {"alpine", "openrc"}:
        (root / "run/openrc").mkdir(parents=True)
        (root / "run/openrc/softlevel").write_text("default\n", encoding="utf-8")


def is_enabled(root: Path, loader: Loader) -> bool:
    """Whether the files below `root` have this loader run at boot."""
    match loader:
        case "systemd":
            return not (root / _SYSTEMD_MASK).is_symlink()
        case "procps":
            return any((root / "etc/rcS.d").glob("S??procps"))
        case "alpine" | "openrc":
            return any((root / "etc/runlevels").glob("*/sysctl"))
        case "none":
            return False


def has_work(root: Path) -> bool:
    """Whether there is any file below `root` that some loader would read."""
    return (root / "etc/sysctl.conf").exists() or any(
        entry.suffix == ".conf"
        for folder in _FOLDERS
        if (root / folder).is_dir()
        for entry in (root / folder).iterdir()
    )


def boot_command(loader: Loader) -> list[str]:
    """What a host's init runs to apply the files, where the loader is enabled."""
    match loader:
        case "systemd":
            return [_systemd_program() or _SYSTEMD_PROGRAMS[0]]
        case "procps":
            return ["/bin/sh", "/etc/init.d/procps", "start"]
        case "alpine" | "openrc":
            return ["/bin/sh", "-c", ". /etc/init.d/sysctl; start"]
        case "none":
            return ["true"]


def _systemd_program() -> str | None:
    return next((program for program in _SYSTEMD_PROGRAMS if Path(program).is_file()), None)


def _script(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    path.chmod(0o755)


def _link(path: Path, target: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)
