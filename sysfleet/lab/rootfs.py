"""A lab host's own file system: the machine's programs read-only, everything else its own.

Runs inside the host's fresh namespaces, before any of its programs. Nothing of the machine can be written to
from there: besides `net.*` and what is namespaced of `kernel.*`, /proc/sys is read-only as in a container.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from sysfleet.lab import etc, linux, loaders, logins, overlay
from sysfleet.lab.faults import owners, programs, shell
from sysfleet.lab.spec import HostSpec, Loader, key_path

_PROGRAMS = ("usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32", "nix", "gnu")
_FOLDERS = ("proc", "sys", "dev", "run/sshd", "run/lock", "var/log", "mnt", "home", "etc", "var/lib", "root")
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")

# Host-wide switches outside /proc/sys that root could otherwise press.
_PROC_READ_ONLY = ("bus", "fs", "irq", "sys", "sysrq-trigger", "acpi", "scsi")

# kernel.md section 8: of kernel.*, these belong to the UTS and IPC namespaces.
_NAMESPACED = (
    "net",
    "kernel/hostname",
    "kernel/domainname",
    "kernel/sem",
    "kernel/shmall",
    "kernel/shmmax",
    "kernel/shmmni",
    "kernel/msgmax",
    "kernel/msgmnb",
    "kernel/msgmni",
)


def build(new_root: Path, store: Path, spec: HostSpec, loader: Loader, boot_id: str) -> None:
    """Mount at `new_root` what becomes the host's root; `store` holds its lasting folders."""
    linux.make_mounts_private()
    linux.mount_fresh("tmpfs", new_root, "mode=755,size=256m")
    _show_programs(new_root)
    for name in _FOLDERS:
        (new_root / name).mkdir(parents=True, exist_ok=True)
    for name in ("tmp", "var/tmp"):
        (new_root / name).mkdir(parents=True)
        (new_root / name).chmod(0o1777)
    (new_root / "var/run").symlink_to("/run")
    _show_lasting(new_root, store)
    if loaders.uses_busybox(loader):
        _show_busybox(new_root)
    _make_devices(new_root / "dev")
    _make_proc(new_root, boot_id)
    # A kernel may refuse a fresh sysfs where the machine's own is partly covered.
    with suppress(OSError):
        linux.mount_fresh("sysfs", new_root / "sys", read_only=True)
    loaders.declare_running(new_root, loader)
    programs.cover_programs(new_root, spec.faults)
    shell.install(new_root, logins.shell(spec.shell), spec.faults)
    owners.show(new_root, spec.faults)
    etc.write_added_files(new_root, spec, at_boot=True)


def _show_programs(new_root: Path) -> None:
    for name in _PROGRAMS:
        source, target = Path("/") / name, new_root / name
        if source.is_symlink():
            target.symlink_to(source.readlink())
        elif source.is_dir():
            target.mkdir()
            linux.bind(source, target)
    linux.make_read_only_below(new_root)


def _show_lasting(new_root: Path, store: Path) -> None:
    for name in etc.LASTING:
        source, target = store / name, new_root / name
        if not target.is_dir():
            if not any(source.iterdir()):
                continue
            overlay.add_entry(target)
        linux.bind(source, target, read_only=False)
    for name in (etc.SHARED_FOLDER, etc.SHARED_FILE):
        if (Path("/") / name).exists():
            linux.bind(Path("/") / name, new_root / name, read_only=True)


def _show_busybox(new_root: Path) -> None:
    program = loaders.busybox()
    for folder in ("usr/sbin", "usr/bin", "sbin", "bin"):
        sysctl = new_root / folder / "sysctl"
        if program is not None and sysctl.exists() and sysctl.resolve().name != "busybox":
            linux.bind(program, sysctl)


def _make_devices(dev: Path) -> None:
    for name in _DEVICES:
        (dev / name).touch()
        linux.bind(Path("/dev") / name, dev / name)
    for name, target in {"fd": "self/fd", "stdin": "self/fd/0", "stdout": "self/fd/1", "stderr": "self/fd/2"}.items():
        (dev / name).symlink_to(f"/proc/{target}")
    for name in ("pts", "shm"):
        (dev / name).mkdir()
    (dev / "shm").chmod(0o1777)
    linux.mount_devpts(dev / "pts")
    (dev / "ptmx").symlink_to("pts/ptmx")


def _make_proc(new_root: Path, boot_id: str) -> None:
    proc = new_root / "proc"
    linux.mount_fresh("proc", proc)
    for name in _PROC_READ_ONLY:
        if (proc / name).exists():
            linux.bind(proc / name, proc / name, read_only=True)
    for name in _NAMESPACED:
        if (proc / "sys" / name).exists():
            linux.bind(proc / "sys" / name, proc / "sys" / name, read_only=False)
    file = new_root / "run/boot_id"
    file.write_text(f"{boot_id}\n", encoding="ascii")
    file.chmod(0o444)
    linux.bind(file, proc / "sys/kernel/random/boot_id", read_only=True)
    file.unlink()


def leave_out_keys(keys: Iterable[str]) -> None:
    """Show /proc/sys without the files of these keys (or folders of keys); all others stay the kernel's own."""
    proc_sys = Path("/proc/sys")
    by_folder: dict[Path, set[str]] = defaultdict(set)
    for key in keys:
        path = proc_sys / key_path(key)
        by_folder[path.parent].add(path.name)
    # A folder is covered before what lies in it.
    for folder in sorted(by_folder):
        if folder.is_dir():
            overlay.cover(folder, without=by_folder[folder])
