"""A lab from Python: bring it up, see how it is, restart hosts, take it down.

Talks to the lab's supervisor; makes no host itself.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import IO, Any, Self

from sysfleet.errors import SetupError, UsageError
from sysfleet.lab import bastion, launch, logins, project, state
from sysfleet.lab.labhost import HostStatus, LabHost
from sysfleet.lab.processes import Process
from sysfleet.lab.spec import Backend, HostSpec, Mode, check_specs
from sysfleet.lab.standard import standard_hosts

_END_TIMEOUT_S = 30.0


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
        logins.check(specs)
        bastion.check(specs)
        folder = folder.absolute()
        launch.claim(folder)
        request = {
            "folder": str(folder),
            "specs": [spec.to_json() for spec in specs],
            "mode": mode,
            "backend": backend,
            "outlive": outlive,
        }
        lifeline = launch.start_supervisor(folder, request)
        fields = state.read(folder)
        lab = cls(folder, fields, lifeline)
        known = [(project.told(host.spec, host.loader), host.port, host.host_key) for host in lab.hosts.values()]
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
