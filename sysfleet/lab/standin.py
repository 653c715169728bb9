"""A plain folder that stands in for a host's /proc/sys and /etc, where this machine gives no namespaces.

Files only: no kernel reads them, so writing one moves no other, and every number is taken.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from fnmatch import fnmatchcase
from pathlib import Path

from sysfleet.errors import UsageError
from sysfleet.lab import etc, loaders
from sysfleet.lab.plan import HostPlan
from sysfleet.lab.spec import HostSpec, Loader, key_path

MAX_INTERFACES = 64

_COPIED = ("kernel", "vm", "fs", "net/core", "net/ipv4", "net/ipv6", "net/unix")
_SECRET_OR_ACTING = {"stable_secret", "tcp_fastopen_key", "stat_refresh", "uuid", "boot_id"}
_SYSCTL_FOLDERS = ("etc/sysctl.d", "run/sysctl.d", "usr/local/lib/sysctl.d", "usr/lib/sysctl.d")
_INTERFACE_FOLDERS = ("net/ipv4/conf", "net/ipv6/conf")
# A file a key is what a folder costs; neighbour tables are a sixth of them and no policy's business.
_LEFT_OUT = "neigh"


def machine_values() -> dict[str, bytes]:
    """What this machine's /proc/sys says that anybody may read, without its interfaces and secrets."""
    found: dict[str, bytes] = {}
    for part in _COPIED:
        for folder, folders, names in os.walk(Path("/proc/sys") / part):
            below = Path(folder).relative_to("/proc/sys")
            if str(below) in _INTERFACE_FOLDERS:
                folders[:] = [name for name in folders if name in {"all", "default"}]
            folders[:] = [name for name in folders if name != _LEFT_OUT]
            for name in set(names) - _SECRET_OR_ACTING:
                with suppress(OSError):
                    found[f"{below}/{name}"] = (Path(folder) / name).read_bytes()
    return found


def check(spec: HostSpec) -> None:
    """Raise UsageError for a host that is too much for a folder."""
    if spec.interfaces > MAX_INTERFACES:
        raise UsageError(f"{spec.name}: more than {MAX_INTERFACES} interfaces need namespaces")


def build(plan: HostPlan, values: Mapping[str, bytes], boot_id: str) -> None:
    """Make /proc/sys and /run afresh below the host's folder, as a boot does."""
    spec, root = plan.spec, plan.store
    for name in ("proc", "run", "tmp"):
        shutil.rmtree(root / name, ignore_errors=True)
    (root / "tmp").mkdir()
    proc_sys = root / "proc/sys"
    for name, content in {**values, **_overrides(plan, boot_id)}.items():
        _write(proc_sys / name, content)
    for folder in _INTERFACE_FOLDERS:
        if (proc_sys / folder / "default").is_dir():
            for interface in ("lo", *(f"eth{number}" for number in range(spec.interfaces))):
                shutil.copytree(proc_sys / folder / "default", proc_sys / folder / interface)
    _leave_out(proc_sys, spec.absent)
    (root / "run").mkdir()
    loaders.declare_running(root, plan.loader)
    if plan.loader == "systemd":
        # A reading asks for the program too; without namespaces the host has no /usr of the machine's.
        _write(root / "usr/lib/systemd/systemd-sysctl", b"")
    etc.write_added_files(root, spec, at_boot=True)


def _overrides(plan: HostPlan, boot_id: str) -> dict[str, bytes]:
    fresh = {str(key_path(key)): f"{value}\n".encode() for key, value in plan.inherited.items()}
    return {
        **fresh,
        "kernel/hostname": f"{plan.spec.name}\n".encode(),
        "kernel/random/boot_id": f"{boot_id}\n".encode(),
    }


def _leave_out(proc_sys: Path, keys: tuple[str, ...]) -> None:
    for key in keys:
        path = proc_sys / key_path(key)
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def write_values(root: Path, values: Mapping[str, str]) -> None:
    """Set keys; OSError where there is no such key."""
    for key, value in values.items():
        path = root / "proc/sys" / key_path(key)
        if not path.is_file():
            raise FileNotFoundError(f"{key}: no such key")
        _write(path, f"{value}\n".encode())


def load(root: Path, loader: Loader) -> None:
    """Apply the host's files as its loader would at boot, in the order and with the winners of that loader."""
    lines = [line for file in _loaded_files(root, loader) for line in _settings(file)]
    explicit = {key for key, _ in lines if not set(key) & set("*?[")}
    proc_sys = root / "proc/sys"
    for key, value in lines:
        for path in [proc_sys / key_path(key)] if key in explicit else _matches(proc_sys, key, explicit):
            if path.is_file():
                _write(path, f"{value}\n".encode())


def _loaded_files(root: Path, loader: Loader) -> list[Path]:
    def listed(folder: str) -> list[Path]:
        return sorted((root / folder).glob("*.conf"))

    single = [root / "etc/sysctl.conf"]
    if loader == "openrc":
        return single + listed("etc/sysctl.d")
    if loader == "alpine":
        run_names = {file.name for file in listed("run/sysctl.d")}
        own = [file for file in listed("etc/sysctl.d") if file.name not in run_names]
        hidden = run_names | {file.name for file in own}
        vendor = [file for file in listed("usr/lib/sysctl.d") if file.name not in hidden]
        return vendor + own + single + listed("run/sysctl.d")
    by_name: dict[str, Path] = {}
    for folder in _SYSCTL_FOLDERS:
        for file in listed(folder):
            by_name.setdefault(file.name, file)
    ordered = [by_name[name] for name in sorted(by_name)]
    return ordered + single if loader == "procps" else ordered


def _settings(file: Path) -> Iterator[tuple[str, str]]:
    try:
        text = file.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return
    for line in text.splitlines():
        key, equals, value = line.strip().removeprefix("-").partition("=")
        if equals and not key.startswith(("#", ";")):
            yield key.strip(), value.strip()


def _matches(proc_sys: Path, pattern: str, explicit: set[str]) -> list[Path]:
    """Every key that the pattern means; one that is named in full anywhere is left to that line (sysctl.d(5))."""
    found = [proc_sys]
    for part in key_path(pattern).parts:
        entries = [entry for folder in found if folder.is_dir() for entry in folder.iterdir()]
        found = [entry for entry in entries if fnmatchcase(entry.name, part)]
    return sorted(set(found) - {proc_sys / key_path(key) for key in explicit})


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
