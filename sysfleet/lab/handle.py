"""A lab from Python: bring it up, look into its hosts from outside SSH, restart them, take it down.

Talks to the lab's supervisor; makes no host itself.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Any, Self

from sysfleet.errors import FleetError, SetupError, UsageError
from sysfleet.lab import project, state
from sysfleet.lab.processes import Process
from sysfleet.lab.spec import Backend, HostSpec, Loader, Mode, check_specs, key_path
from sysfleet.lab.standard import standard_hosts
from sysfleet.lab.start import ENVIRONMENT, stand_in_environment

_END_TIMEOUT_S = 30.0
_NAMESPACES = ("--user", "--mount", "--net", "--uts", "--ipc", "--pid")


@dataclass(frozen=True, slots=True)
class HostStatus:
    """How a host is now: `up`, `down` (ended) or `failed` (did not come up; `error` says why)."""

    name: str
    state: str
    port: int
    pid: int | None
    boot_id: str
    error: str | None


class LabHost:
    """One host of a lab, seen from outside SSH."""

    def __init__(self, folder: Path, name: str, fields: Mapping[str, Any]) -> None:
        self._folder = folder
        self.name = name
        self.spec = HostSpec.from_json(fields["spec"])
        self.port: int = fields["port"]
        self.host_key: str = fields["host_key"]
        self.loader: Loader = fields["loader"]

    @property
    def root(self) -> Path:
        """The folder with all of the host that outlives a restart (without namespaces: all of the host)."""
        return self._folder / "hosts" / self.name / "root"

    @property
    def etc(self) -> Path:
        """The host's /etc."""
        return self.root / "etc"

    @property
    def log(self) -> Path:
        """What the host's init, loader and SSH server said."""
        return self.root.parent / "log"

    @property
    def boot_id(self) -> str:
        """The boot id that the host shows since its last start."""
        return str(self._now()["boot_id"])

    @property
    def process(self) -> Process | None:
        """The host's init (without namespaces: its server), while it runs."""
        fields = self._now()["process"]
        process = Process(*fields) if fields else None
        return process if process is not None and process.is_alive() else None

    def run(
        self,
        argv: Sequence[str],
        *,
        input: bytes | None = None,  # noqa: A002 - as subprocess.run calls it
        timeout_s: float = 60.0,
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a program as root inside the host, without SSH; its status is the caller's to judge."""
        process = self.process
        if process is None:
            raise FleetError(f"lab host {self.name} is not up")
        if state.read(self._folder)["mode"] == "folder":
            # Only root has a fence to go behind (sysfleet.lab.folderhost).
            entered = ["--mount"] if os.geteuid() == 0 else []
            environment = stand_in_environment(self.root, self.spec.shell)
        else:
            entered = [*_NAMESPACES, "--preserve-credentials"]
            environment = {**ENVIRONMENT, "SHELL": self.spec.shell}
        words = ["nsenter", f"--target={process.pid}", *entered, "--"] if entered else []
        if words and shutil.which("nsenter") is None:
            raise SetupError("looking into a lab host from outside needs nsenter", hint="Debian: util-linux")
        return subprocess.run(
            [*words, *argv], input=input, capture_output=True, check=False, env=environment, timeout=timeout_s
        )

    def read(self, key: str) -> str | None:
        """The kernel's value of a key in the host (tuples joined by one space); None where there is no such key."""
        done = self.run(["cat", self._key_file(key)])
        if done.returncode != 0:
            if b"No such file" in done.stderr:
                return None
            raise FleetError(f"{self.name}: {done.stderr.decode(errors='replace').strip()}")
        return " ".join(done.stdout.decode(errors="replace").split())

    def write(self, key: str, value: str) -> None:
        """Set a key in the host, as somebody else would behind our back."""
        done = self.run(["tee", self._key_file(key)], input=f"{value}\n".encode())
        if done.returncode != 0:
            raise FleetError(f"{self.name}: {done.stderr.decode(errors='replace').strip()}")

    def kill(self) -> None:
        """End the host and everything it started; its port refuses until `Lab.restart`."""
        state.ask(self._folder, do="kill", host=self.name)

    def _key_file(self, key: str) -> str:
        prefix = self.root if state.read(self._folder)["mode"] == "folder" else Path("/")
        return str(prefix / "proc/sys" / key_path(key))

    def _now(self) -> dict[str, Any]:
        return dict(state.read(self._folder)["hosts"][self.name])


class Lab:
    """A running lab. As a context manager it is taken down at the end; its files stay."""

    def __init__(self, folder: Path, fields: Mapping[str, Any], lifeline: IO[bytes] | None = None) -> None:
        self.folder = folder
        self.mode: Mode = fields["mode"]
        self.reason: str = fields["reason"]
        self.backend: Backend = fields["backend"]
        self.hosts: Mapping[str, LabHost] = MappingProxyType(
            {name: LabHost(folder, name, host) for name, host in fields["hosts"].items()}
        )
        self._lifeline = lifeline

    @classmethod
    def up(
        cls,
        folder: Path,
        hosts: int | Iterable[HostSpec],
        *,
        backend: Backend | None = None,
        mode: Mode | None = None,
        templates: Path | None = None,
        group_data: Mapping[str, Mapping[str, Any]] | None = None,
        outlive: bool = False,
    ) -> Self:
        """Make a lab in `folder` and return when all its hosts answer; None lets the machine decide.

        A number stands for so many standard hosts. Unless it is to `outlive` this process, the lab ends when
        the process does, however that ends. UsageError or SetupError where it cannot be.
        """
        specs = standard_hosts(hosts) if isinstance(hosts, int) else list(hosts)
        check_specs(specs)
        folder = folder.absolute()
        _claim(folder)
        request = {
            "folder": str(folder),
            "specs": [spec.to_json() for spec in specs],
            "mode": mode,
            "backend": backend,
            "outlive": outlive,
        }
        lifeline = _start_supervisor(folder, request)
        fields = state.read(folder)
        lab = cls(folder, fields, lifeline)
        known = [(host.spec, host.port, host.host_key) for host in lab.hosts.values()]
        project.write_project(folder, known, templates=templates, group_data=group_data or {})
        if outlive:
            lab.close()
        return lab

    @classmethod
    def load(cls, folder: Path) -> Self:
        """The lab that is in `folder`, running or not."""
        folder = folder.absolute()
        return cls(folder, state.read(folder))

    @property
    def known_hosts(self) -> Path:
        """The file with the hosts' keys."""
        return self.folder / project.KNOWN_HOSTS

    @property
    def client_key(self) -> Path:
        """The private key that every host lets in as root."""
        return self.folder / state.CLIENT_KEY

    def is_running(self) -> bool:
        """Whether the lab's supervisor, and with it any host, runs."""
        return state.supervisor(state.read(self.folder)) is not None

    def status(self) -> list[HostStatus]:
        """How every host is now, in the lab's order."""
        is_running = self.is_running()
        found = []
        for name, fields in state.read(self.folder)["hosts"].items():
            process = Process(*fields["process"]) if fields["process"] and is_running else None
            pid = process.pid if process is not None and process.is_alive() else None
            now = "down" if fields["state"] == "up" and pid is None else fields["state"]
            found.append(HostStatus(name, now, fields["port"], pid, fields["boot_id"], fields["error"]))
        return found

    def restart(self, name: str) -> None:
        """End the host and boot it again: fresh values, its files applied by its loader, a new boot id."""
        if name not in self.hosts:
            raise UsageError(f"the lab in {self.folder} has no host {name}", hint=", ".join(self.hosts))
        state.ask(self.folder, do="restart", host=name)

    def down(self) -> None:
        """End every host and the supervisor; what is already gone is no error. The files stay."""
        process = state.supervisor(state.read(self.folder))
        if process is not None:
            try:
                state.ask(self.folder, do="down")
            except SetupError:
                process.signal()
            if not process.wait(_END_TIMEOUT_S):
                process.signal()
        for fields in state.read(self.folder)["hosts"].values():
            if fields["process"]:
                Process(*fields["process"]).signal()
        self.close()

    def close(self) -> None:
        """Let go of the lab without ending it, if it is to outlive us; else this ends it."""
        if self._lifeline is not None:
            self._lifeline.close()
            self._lifeline = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.down()


def _claim(folder: Path) -> None:
    """Make the folder, or take over one whose lab has ended; never one with other things in it."""
    if state.exists(folder):
        fields = state.read(folder)
        if fields["state"] == "up" and state.supervisor(fields) is not None:
            raise UsageError(f"a lab is already up in {folder}", hint=f"sysfleet lab down --dir {folder}")
    # A lab that did not come up has left its log at least.
    elif folder.is_dir() and any(folder.iterdir()) and not (folder / state.LOG).exists():
        raise UsageError(f"{folder} is not empty and no lab's folder")
    folder.mkdir(parents=True, exist_ok=True)


def _start_supervisor(folder: Path, request: Mapping[str, Any]) -> IO[bytes]:
    """Start the daemon and wait for its answer; what keeps it running is the open file that this returns."""
    package = str(Path(__file__).parents[2])
    # No more of our environment than a daemon needs: hosts can read their init's.
    search = os.pathsep.join(dict.fromkeys([package, *filter(None, sys.path)]))
    with (folder / state.LOG).open("wb") as log:
        daemon = subprocess.Popen(
            [sys.executable, "-m", "sysfleet.lab"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            env={"PATH": os.environ.get("PATH", os.defpath), "PYTHONPATH": search},
            start_new_session=True,
        )
    lifeline, answers = daemon.stdin, daemon.stdout
    if lifeline is None or answers is None:
        raise AssertionError("both were asked for")
    try:
        with answers, suppress(BrokenPipeError):
            lifeline.write(json.dumps(request).encode() + b"\n")
            lifeline.flush()
            answer = answers.readline()
            daemon.wait()
        _raise_refusal(json.loads(answer or b"{}"), folder)
    except BaseException:
        lifeline.close()
        raise
    return lifeline


def _raise_refusal(answer: Mapping[str, Any], folder: Path) -> None:
    if "done" in answer:
        return
    kind = UsageError if answer.get("usage") else SetupError
    message = answer.get("error", "the lab's supervisor ended at once")
    raise kind(message, hint=answer.get("hint", f"see {folder / state.LOG}"))
