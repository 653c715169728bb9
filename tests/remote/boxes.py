"""Throw-away hosts without SSH: namespaces with a real /proc/sys/net, where programs run under each shell."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sysfleet.remote.framing import STUB, Framed, unframed, upload
from tests.support.needs import needs, needs_namespaces

MARK = "0123456789abcdef0123456789abcdef"

_BUSYBOX_PROGRAMS = (
    *("awk", "cat", "chmod", "cksum", "dd", "flock", "ln", "ls", "mkdir", "mv", "rm", "setsid", "sh", "sleep", "sync"),
)
_SYSTEM = "${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin"
_FROM_ETC = ("alternatives", "passwd", "group", "ld.so.cache")

# The box keeps living until its standard input ends. What is not namespaced must not be writable.
_KEEPER = r"""
set -e
for part in kernel vm fs dev; do
    [ -d /proc/sys/$part ] || continue
    mount --bind /proc/sys/$part /proc/sys/$part
    mount -o remount,bind,ro /proc/sys/$part
done
mount --bind "$1/etc" /etc
mount --bind "$1/run" /run
if [ -d /usr/lib/sysctl.d ]; then mount --bind "$1/usr-lib-sysctl.d" /usr/lib/sysctl.d; fi
ip link set lo up
echo ready
exec cat
"""


@dataclass(frozen=True)
class Shell:
    """One shell with the programs beside it: the command, and PATH."""

    name: str
    command: tuple[str, ...]
    path: str
    alone: bool = False  # the machine's own programs are not found where `path` has none


def shells(folder: Path) -> Mapping[str, Shell]:
    """Every kind of host userland that this machine can show, by name."""
    found: dict[str, Shell] = {}
    for name in ("dash", "bash"):
        if shutil.which(name):
            found[name] = Shell(name, (shutil.which(name) or name,), os.defpath + ":/usr/sbin:/sbin")
    busybox = shutil.which("busybox")
    if busybox:
        applets = folder / "busybox"
        if not applets.exists():
            applets.mkdir()
            listed = subprocess.run([busybox, "--list"], capture_output=True, text=True, check=True).stdout.split()
            for program in _BUSYBOX_PROGRAMS:
                # Some builds leave an applet out, and a host has the usual program then.
                (applets / program).symlink_to(busybox if program in listed else shutil.which(program) or busybox)
        found["busybox"] = Shell("busybox", (busybox, "ash"), str(applets))
    return found


@dataclass
class Box:
    """One throw-away host; `etc` and `run` are its folders as seen from outside."""

    pid: int
    etc: Path
    run: Path

    def sh(self, text: str) -> str:
        """Run a few commands in the box and return what they print."""
        done = subprocess.run([*self._enter(), "sh", "-c", text], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def get(self, path: str) -> str:
        """The value of a key, given by its path below /proc/sys, without the program under test."""
        return self.sh(f"cat /proc/sys/{path}")

    def set(self, path: str, value: str) -> None:
        """Set a key, given by its path below /proc/sys."""
        self.sh(f"echo '{value}' >/proc/sys/{path}")

    def feed(self, shell: Shell, data: bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
        """Start the stub under this shell as sshd would, and feed it."""
        stub = STUB.replace(_SYSTEM, "$PATH") if shell.alone else STUB
        return subprocess.run(
            [*self._enter(), *shell.command, "-c", stub],
            input=data,
            capture_output=True,
            check=False,
            env={"PATH": shell.path, **environment},
            timeout=60,
        )

    def perform(self, shell: Shell, program: bytes, **environment: str) -> Framed:
        """Run a whole program and take off its frame."""
        done = self.feed(shell, upload(program, MARK), **environment)
        framed = unframed(done.stdout, MARK)
        assert framed is not None, (done.stdout, done.stderr)
        return framed

    def uptime_s(self) -> float:
        """How long the machine runs."""
        return float(Path("/proc/uptime").read_text().split()[0])

    def _enter(self) -> list[str]:
        words = [
            needs("nsenter"),
            "-t",
            str(self.pid),
            "-U",
            "-n",
            "-m",
            "-u",
            "-i",
            "-p",
            "--preserve-credentials",
        ]
        return [*words, "--wd=/"]


@contextmanager
def box(folder: Path) -> Iterator[Box]:
    """A fresh host in namespaces; it ends, with all it started, when the block is left."""
    unshare = needs_namespaces()
    needs("nsenter")
    needs("ip")
    for name in ("etc/sysctl.d", "run", "usr-lib-sysctl.d"):
        (folder / name).mkdir(parents=True)
    for name in _FROM_ETC:
        if Path("/etc", name).exists():
            subprocess.run(["cp", "-a", f"/etc/{name}", str(folder / "etc")], check=False, capture_output=True)
    (folder / "etc/os-release").write_text('ID=testing\nVERSION_ID="7.1"\n')
    with subprocess.Popen(
        [
            unshare,
            "-Urnmuip",
            "--fork",
            "--mount-proc",
            "--kill-child",
            "sh",
            "-c",
            _KEEPER,
            "sh",
            str(folder),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as keeper:
        assert keeper.stdout is not None
        assert keeper.stdout.readline() == b"ready\n"
        yield Box(_only_child(keeper.pid), folder / "etc", folder / "run")
        assert keeper.stdin is not None
        keeper.stdin.close()
        keeper.wait(10)


def _only_child(pid: int) -> int:
    return int(Path(f"/proc/{pid}/task/{pid}/children").read_text().split()[0])
