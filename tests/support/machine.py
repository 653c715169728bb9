"""A virtual machine for tests: real systemd, a kernel of its own, and an sshd that loopback alone reaches.

QEMU emulates it without any help of the hardware. A test gets a fresh disk on top of the shared image, and the state
of a machine that has booted once, so that it begins after seconds; whoever wants a boot asks for one.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import shutil
import socket
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from typing import Any, Self

from tests.support.machine_image import Image, locked

COMMAND_LINE = {"sysctl.vm.stat_interval": "7"}
"""What the machine's kernel is told besides how to boot."""

_BOOT_S = 300.0
_RUN_S = 60.0
_KERNEL_LINE = (
    "console=ttyS0 quiet rw mitigations=off random.trust_cpu=on audit=0 apparmor=0 8250.nr_uarts=2 "
    "systemd.gpt_auto=0 systemd.show_status=0"
)
# The processor without what would load more drivers: nested virtualisation and its like.
_HARDWARE = (
    *("-machine", "q35", "-accel", "tcg,thread=multi", "-cpu", "max,-svm,-vmx", "-smp", "1", "-m", "512"),
    *("-nodefaults", "-no-user-config", "-display", "none"),
)


class Machine:
    """One running QEMU; as a context it ends by its process, whatever happened."""

    def __init__(self, image: Image, folder: Path, *, saved: Path | None = None) -> None:
        """Start one with its files in `folder`; from a saved one, else by a boot that is waited for."""
        self.image = image
        self.folder = folder
        self.port = _free_port()
        self.boot_id = ""
        self.known_hosts = folder / "known_hosts"
        self.known_hosts.write_text(f"[127.0.0.1]:{self.port} {image.host_key}\n")
        self._disk = folder / "disk.qcow2"
        self._events: list[dict[str, Any]] = []
        self._stack = ExitStack()
        below = ("raw", image.disk) if saved is None else ("qcow2", saved / "disk.qcow2")
        create = ("qemu-img", "create", "-q", "-f", "qcow2", "-F", below[0], "-b", str(below[1]), str(self._disk))
        subprocess.run(create, check=True, stdin=subprocess.DEVNULL)
        if saved is None:
            self.start()
        else:
            self._go_on_from(saved / "state")

    def start(self) -> None:
        """Switch it on, with the disk as it is, and wait until it has booted."""
        with self._or_ended():
            self._launch()
            self._wait_for_boot()

    def _go_on_from(self, state: Path) -> None:
        with self._or_ended():
            self._launch("-incoming", "defer")
            self.command("migrate-incoming", uri=f"exec:cat {shlex.quote(str(state))}")
            self._migrated()
            self.command("cont")
            self.boot_id = self.run("cat", "/proc/sys/kernel/random/boot_id").stdout.strip()

    @contextmanager
    def _or_ended(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self.kill()
            raise

    def _launch(self, *options: str) -> None:
        folder, image = self.folder, self.image
        # A path of a socket has to be short, and pytest's folders are not.
        short = Path(self._stack.enter_context(TemporaryDirectory(prefix="vm")))
        listener = self._stack.enter_context(socket.socket(socket.AF_UNIX))
        listener.settimeout(_RUN_S)
        listener.bind(str(short / "ready"))
        listener.listen(1)
        argv = [
            # QEMU goes with the test's process, even where that is killed.
            *("setpriv", "--pdeathsig", "KILL", "qemu-system-x86_64", *_HARDWARE),
            *("-kernel", str(image.folder / "vmlinuz"), "-initrd", str(image.folder / "initrd")),
            *("-append", " ".join([_KERNEL_LINE, *(f"{key}={value}" for key, value in COMMAND_LINE.items())])),
            *("-drive", f"file={self._disk},format=qcow2,if=none,id=disk"),
            *("-netdev", f"user,id=net,restrict=on,hostfwd=tcp:127.0.0.1:{self.port}-:22"),
            *("-device", "virtio-net-pci,netdev=net,addr=2,romfile="),
            *("-device", "virtio-blk-pci,drive=disk,addr=3"),
            *("-chardev", f"file,id=console,path={folder / 'console'}", "-serial", "chardev:console"),
            *("-chardev", f"socket,id=ready,path={short / 'ready'}", "-serial", "chardev:ready"),
            # After a reboot a new process emulates faster than this one, which goes on with what it has translated.
            *("-qmp", "stdio", "-no-reboot", *options),
        ]
        with (folder / "errors").open("wb") as errors:
            self._qemu = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=errors, text=True)
        self._stack.callback(self._end)
        connection = self._stack.enter_context(listener.accept()[0])
        connection.settimeout(_BOOT_S)
        self._ready = self._stack.enter_context(connection.makefile("r"))
        self._answer()  # the greeting
        self.command("qmp_capabilities")
        self.command("migrate-set-capabilities", capabilities=[{"capability": "events", "state": True}])

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    @property
    def ssh(self) -> list[str]:
        """The strict `ssh` that leads to its root; a command comes after it."""
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": "30",
            "IdentitiesOnly": "yes",
            "StrictHostKeyChecking": "yes",
            "UserKnownHostsFile": str(self.known_hosts),
        }
        asked = [f"-o{name}={value}" for name, value in options.items()]
        return ["ssh", "-F", "none", *asked, "-i", str(self.image.key), "-p", str(self.port), "root@127.0.0.1"]

    def run(self, *argv: str, stdin: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a program on it over SSH; one that fails is an error, unless `check` is off."""
        done = subprocess.run(
            [*self.ssh, "--", shlex.join(argv)],
            input=stdin,
            capture_output=True,
            text=True,
            timeout=_RUN_S,
            check=False,
        )
        assert done.returncode == 0 or not check, f"{shlex.join(argv)}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done

    def write(self, files: Mapping[str, str]) -> None:
        """Write files on it, with their folders, in one login."""
        lines = ["set -e"]
        for path, text in files.items():
            lines.append(f"mkdir -p {shlex.quote(str(Path(path).parent))}")
            lines.append(f"printf %s {shlex.quote(text)} >{shlex.quote(path)}")
        self.run("sh", stdin="\n".join(lines))

    def values(self) -> Mapping[str, str]:
        """Every key that root can read, as the kernel shows it, a tuple's numbers joined by one space."""
        # Some keys act when they are read, and grep says of each file which one it is.
        listed = self.run("sh", "-c", "cd /proc/sys && grep -rs '' . --exclude=stable_secret; sync").stdout
        found: dict[str, list[str]] = {}
        for line in listed.splitlines():
            path, _, text = line.partition(":")
            found.setdefault(path.removeprefix("./"), []).append(" ".join(text.split()))
        return {path: " ".join(texts) for path, texts in found.items()}

    def reboot(self) -> None:
        """Boot it in good order, and wait until that is done."""
        self.run("systemctl", "reboot", check=False)
        self._qemu.wait(_BOOT_S)
        self.kill()
        self.start()

    def _wait_for_boot(self) -> None:
        """Wait for the sign that a boot has come to its end; that boot has another id than the one before."""
        try:
            boot_id = self._ready.readline().strip()
        except TimeoutError:
            boot_id = ""
        assert boot_id, f"the machine did not boot:\n{self._last_words()}"
        assert boot_id != self.boot_id
        self.boot_id = boot_id

    def save(self) -> None:
        """Write memory and devices beside its disk, and stop: its folder is what another one can start from."""
        self.run("sync")
        self.command("stop")
        self.command("migrate", uri=f"exec:cat > {shlex.quote(str(self.folder / 'state'))}")
        self._migrated()

    def kill(self) -> None:
        """End QEMU at once, as a power cut would; the disk stays, and `start` goes on with it."""
        self._stack.close()

    def _end(self) -> None:
        self._qemu.kill()
        self._qemu.wait()
        for stream in (self._qemu.stdin, self._qemu.stdout):
            if stream is not None:
                stream.close()
        self._events.clear()

    def command(self, name: str, **arguments: object) -> Any:
        """Ask QEMU itself for something (QMP), and give back its answer."""
        assert self._qemu.stdin is not None
        self._qemu.stdin.write(json.dumps({"execute": name, "arguments": arguments}) + "\n")
        self._qemu.stdin.flush()
        while "return" not in (answer := self._answer()):
            assert "error" not in answer, answer
            self._events.append(answer)
        return answer["return"]

    def _answer(self) -> dict[str, Any]:
        assert self._qemu.stdout is not None
        line = self._qemu.stdout.readline()
        assert line, f"QEMU ended:\n{self._last_words()}"
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _migrated(self) -> None:
        """Wait until a state is written or read as a whole."""
        while True:
            event = self._events.pop(0) if self._events else self._answer()
            if event.get("event") == "MIGRATION":
                status = event["data"]["status"]
                assert status != "failed", self._last_words()
                if status == "completed":
                    return

    def _last_words(self) -> str:
        return "".join((self.folder / name).read_text(errors="replace")[-3000:] for name in ("errors", "console"))


def booted(image: Image, folder: Path) -> Machine:
    """A machine that has just booted, on a fresh disk. The first one of an image boots, the others go on from there."""
    version = subprocess.run(["qemu-system-x86_64", "--version"], capture_output=True, check=True).stdout
    saved = image.folder / f"booted-{hashlib.sha256(Path(__file__).read_bytes() + version).hexdigest()[:16]}"
    with locked(image.folder / "lock"):
        if not saved.exists():
            for old in image.folder.glob("booted-*"):
                shutil.rmtree(old)
            _save_booted(image, saved)
    return Machine(image, folder, saved=saved)


def _save_booted(image: Image, saved: Path) -> None:
    with TemporaryDirectory(dir=image.folder) as new:
        folder = Path(new) / "booted"
        folder.mkdir()
        with Machine(image, folder) as machine:
            machine.save()
        folder.rename(saved)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
