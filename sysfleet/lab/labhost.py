"""One host of a lab from outside SSH: its files, its kernel's values, programs run inside it, its end."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sysfleet.errors import FleetError, SetupError
from sysfleet.lab import state
from sysfleet.lab.processes import Process
from sysfleet.lab.spec import HostSpec, Loader, key_path
from sysfleet.lab.start import ENVIRONMENT, stand_in_environment

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
