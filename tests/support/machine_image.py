"""The disk, kernel and keys of a virtual machine, made of Debian's packages and kept in a cache outside the project.

Takes the sources of this machine's own apt; knows nothing of how a machine runs.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

_HOOK = Path(__file__).with_name("machine_image.sh")
_KERNEL = "linux-image-cloud-amd64"
_PACKAGES = ("iproute2", "kmod", "openssh-server", "procps", "systemd-sysv", "udev")
# Of the packages only what a program reads: it is a third of the size.
_LEFT_OUT = ("doc", "info", "locale", "man")
_NEEDED = ("busybox", "dpkg-deb", "mke2fs", "mmdebstrap", "qemu-img", "qemu-system-x86_64", "ssh-keygen")


class Image(NamedTuple):
    """A finished image; nothing in it changes any more, except that the state of a booted machine comes beside it."""

    folder: Path

    @property
    def disk(self) -> Path:
        """The root file system, raw, to be used as what an overlay stands on."""
        return self.folder / "root.img"

    @property
    def key(self) -> Path:
        """The private key that root of the machine accepts."""
        return self.folder / "key"

    @property
    def host_key(self) -> str:
        """The machine's public host key."""
        kind, key = (self.folder / "host_key.pub").read_text().split()[:2]
        return f"{kind} {key}"


def missing_programs() -> list[str]:
    """What this computer lacks to build and run machines."""
    # Programs for disks are not on everybody's PATH.
    path = f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"
    return [name for name in _NEEDED if shutil.which(name, path=path) is None]


def image() -> Image:
    """The image of today's recipe: the one in the cache, else a new one, which takes a minute or two."""
    cache = _cache()
    cache.mkdir(parents=True, exist_ok=True)
    folder = cache / _recipe()
    with locked(cache / "lock"):
        if not folder.exists():
            with TemporaryDirectory() as new, TemporaryDirectory(dir=cache) as beside:
                _build(Path(new) / "image")
                # Copied by name, since the disk is mostly holes, and may belong to a mapped user.
                _text("cp", "--recursive", "--sparse=always", f"{new}/image", f"{beside}/image")
                (Path(beside) / "image").rename(folder)
            for old in cache.iterdir():
                if old.is_dir() and old != folder:
                    shutil.rmtree(old)
    return Image(folder)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """One process at a time in here."""
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _cache() -> Path:
    # Not HOME: tests have one of their own, which ends with them.
    base = os.environ.get("XDG_CACHE_HOME") or Path(pwd.getpwuid(os.getuid()).pw_dir) / ".cache"
    return Path(base) / "sysfleet-machine"


def _recipe() -> str:
    digest = hashlib.sha256()
    for path in (_HOOK, Path(__file__)):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def _build(folder: Path) -> None:
    folder.mkdir()
    # Without root rights the hook runs as a mapped user, who has to find its way in, read and write.
    folder.parent.chmod(0o755)
    folder.chmod(0o777)
    for name in ("key", "host_key"):
        _text("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "machine", "-f", str(folder / name))
    (folder / "host_key").chmod(0o644)
    hook = shutil.copy(_HOOK, folder)
    sources = _sources()
    _fetch_kernel(folder)
    apt = folder / "apt.conf"
    apt.write_text(_text("apt-config", "dump", "--format", '%F "%v";%n', "Acquire"))
    _text(
        "mmdebstrap",
        "--variant=essential",
        "--format=null",
        f"--include={','.join(_PACKAGES)}",
        f"--aptopt={apt}",
        '--aptopt=APT::Install-Recommends "false"',
        *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in _LEFT_OUT),
        f"--customize-hook=sh '{hook}' \"$1\" '{folder}'",
        sources[0].split()[-2],
        "",
        *sources,
    )


def _sources() -> list[str]:
    """Lines of a sources.list with what this machine's apt has of Debian."""
    fields = "$(REPO_URI) $(RELEASE) $(COMPONENT)"
    wanted = ("apt-get", "indextargets", "--format", fields, "Created-By: Packages", "Origin: Debian")
    found = _text(*wanted).splitlines()
    if not found:
        _text(*([] if os.geteuid() == 0 else ["sudo", "--non-interactive"]), "apt-get", "update", "--quiet")
        found = _text(*wanted).splitlines()
    assert found, "apt has no source of Debian's packages here"
    return [f"deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] {line}" for line in dict.fromkeys(found)]


def _fetch_kernel(folder: Path) -> None:
    """The kernel's package as `kernel.deb`: installed the usual way it would bring the tools for an initrd along."""
    depends = _text("apt-cache", "depends", "--important", _KERNEL).split()
    name = next(word for word in depends if word.startswith("linux-image-") and word != _KERNEL)
    _text("apt-get", "download", "--quiet", name, cwd=folder)
    next(folder.glob("linux-image-*.deb")).rename(folder / "kernel.deb")


def _text(*argv: str, cwd: Path | None = None) -> str:
    done = subprocess.run(argv, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{argv[0]}: {done.returncode}\n{done.stderr[-4000:]}"
    return done.stdout
