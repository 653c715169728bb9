"""The composition of everything, and the public Python interface: `Fleet.open(project).check() -> FleetReport`."""

from __future__ import annotations

import datetime as dt
import getpass
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import msgspec
from nornir.core import Nornir
from nornir.core.configuration import Config
from nornir.core.plugins.connections import ConnectionPluginRegister
from nornir.core.processor import Processors
from nornir.core.state import GlobalState

from sysfleet import __version__
from sysfleet.errors import CommandTimeout, HostError, InventoryError, SelectionError, UsageError
from sysfleet.outcome import FleetReport, HostOutcome, Status, report
from sysfleet.planning.memo import Planner
from sysfleet.planning.records import Options
from sysfleet.plugins.connections import SHARED, ParamikoConnection, Shared
from sysfleet.plugins.inventory import SysfleetInventory
from sysfleet.plugins.processors import OnResult
from sysfleet.plugins.runners import ThreadedRunner
from sysfleet.policy.entries import FleetInventory, HostEntry
from sysfleet.policy.inventory import DEFAULTS_FILE, GROUPS_FILE, HOSTS_FILE, parse_inventory
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.paramiko_session import Access, Target
from sysfleet.rendering import Templates
from sysfleet.reporter import Reporter, Silent
from sysfleet.selection import natural_key, select
from sysfleet.settings import DEFAULT_FILE, Settings, identity_paths, known_hosts_paths, parse
from sysfleet.store.journal import Journal, header, run_id
from sysfleet.tasks.flow import IN_CHANGE, Finished, run_host
from sysfleet.tasks.job import Command, Job, Prepared, Progress
from sysfleet.tasks.render import Rendering
from sysfleet.tasks.tell import row_not_begun, row_of_error, timed

Approve = Callable[[FleetReport], bool]

_GRACE_S = 2.0  # what hosts that are not in change get after an interrupt


@dataclass(frozen=True, slots=True)
class Risks:
    """What a person allows for one run: keys that cannot be put back, and keys whose old number does not suffice."""

    one_way: bool = False
    destructive: bool = False


@dataclass(frozen=True, slots=True)
class Fleet:
    """One project, read and validated; nothing is contacted before a verb is called."""

    project: Path
    settings: Settings
    inventory: FleetInventory
    rendering: Rendering
    environ: Mapping[str, str]
    reporter: Reporter
    risks: Risks = Risks()

    @classmethod
    def open(
        cls,
        project: Path,
        settings: Settings | None = None,
        *,
        environ: Mapping[str, str],
        reporter: Reporter | None = None,
        risks: Risks = Risks(),
    ) -> Fleet:
        """Read a project folder; SetupError with every problem in it."""
        if settings is None:
            settings = parse(_text(project / DEFAULT_FILE), DEFAULT_FILE)
        templates = Templates.load(project / "templates")
        names = (HOSTS_FILE, GROUPS_FILE, DEFAULTS_FILE)
        if not (project / HOSTS_FILE).is_file():
            raise InventoryError(f"there is no {HOSTS_FILE}", hint="sysfleet init DIR makes a project")
        hosts, groups, defaults = (_text(project / name) for name in names)
        inventory = parse_inventory(hosts, groups, defaults, known_roles=templates.roles, files=names)
        rendering = Rendering(inventory, templates, settings.file.interfaces)
        return cls(project, settings, inventory, rendering, environ, reporter or Silent(), risks)

    def selected(self, limit: str | None = None) -> list[HostEntry]:
        """The hosts that a `--limit` expression selects, in natural order; SelectionError where none is."""
        chosen = select(limit, self.inventory.candidates())
        return [self.inventory.hosts[candidate.name] for candidate in chosen]

    def check(self, limit: str | None = None) -> FleetReport:
        """Read and compare."""
        return self._one_pass(Command.CHECK, limit)

    def plan(self, limit: str | None = None) -> FleetReport:
        """Read, compare, and work out every change."""
        return self._one_pass(Command.PLAN, limit)

    def apply(self, limit: str | None = None, approve: Approve | None = None) -> FleetReport:
        """Change what differs. With `approve`, read first, ask with the plan, then change over new connections."""
        if approve is None:
            return self._one_pass(Command.APPLY, limit)
        run = self._begin(Command.APPLY, limit)
        try:
            surveyed = run.go(run.names, survey=True)
            waiting = {name: found.prepared for name, found in surveyed.items() if found.prepared is not None}
            rows = {name: found.outcome for name, found in surveyed.items()}
            if waiting and not run.interrupted and approve(run.report(rows)):
                rows.update({name: f.outcome for name, f in run.go(list(waiting), prepared=waiting).items()})
            return run.end(rows)
        finally:
            run.close()

    def prepared(self, limit: str | None = None) -> Mapping[str, Prepared]:
        """What `apply` would send to each host that differs; reads the hosts, writes nothing."""
        run = self._begin(Command.APPLY, limit)
        try:
            found = run.go(run.names, survey=True)
            run.end({name: each.outcome for name, each in found.items()})
        finally:
            run.close()
        return {name: each.prepared for name, each in found.items() if each.prepared is not None}

    def render(self, host: str) -> bytes:
        """The file as it would be pushed to a host; HostError where it cannot be read."""
        if host not in self.inventory.hosts:
            raise SelectionError(f"there is no host {host}", hint="sysfleet inventory lists them")
        run = self._begin(Command.RENDER, host, [host])
        try:
            found = run.go([host])[host]
            run.end({host: found.outcome})
        finally:
            run.close()
        error = found.outcome.error
        if error is not None and found.rendered is None:
            raise HostError(f"{host}: {error.message}", phase=error.phase, hint=error.hint)
        return found.rendered or b""

    def _one_pass(self, command: Command, limit: str | None) -> FleetReport:
        run = self._begin(command, limit)
        try:
            return run.end({name: found.outcome for name, found in run.go(run.names).items()})
        finally:
            run.close()

    def _begin(self, command: Command, limit: str | None, names: Sequence[str] | None = None) -> _Run:
        names = [entry.name for entry in self.selected(limit)] if names is None else names
        self.rendering.preflight(list(names))
        return _Run(self, command, limit, names)

    def shared(self) -> Shared:
        """The keys, known hosts and limits of a run, read once; SetupError where they cannot be had."""
        ssh, privilege = self.settings.ssh, self.settings.privilege
        if ssh.connection != "paramiko":
            raise UsageError(f"connection {ssh.connection} is not there yet", hint='set [ssh] connection = "paramiko"')
        home = Path(self.environ.get("HOME") or "/")
        identities = identity_paths(ssh, home=home, project=self.project, exists=Path.is_file)
        known_hosts = known_hosts_paths(ssh, home=home, project=self.project, exists=Path.is_file)
        passphrase, password = self._secret(ssh.passphrase_env), self._secret(ssh.password_env)
        privilege_password = self._secret(privilege.password_env)
        access = Access(
            known_hosts=KnownHosts.load(known_hosts),
            identities=Identities.load(
                identities,
                passphrase=lambda _path: passphrase,
                agent_socket=self.environ.get("SSH_AUTH_SOCK") if ssh.agent else None,
            ),
            connect_timeout_s=ssh.connect_timeout_s,
            password=lambda target: self._password(target, password),
            privilege=privilege.method,
            privilege_password=lambda _target: privilege_password,
        )
        user = ssh.user or self.environ.get("USER") or getpass.getuser()
        return Shared(access, user, lambda: secrets.token_hex(16))

    def _password(self, target: Target, general: str | None) -> str | None:
        own = self.inventory.connection_of(target.name, ParamikoConnection.name).password
        return own.reveal() if own is not None else general

    def _secret(self, variable: str | None) -> str | None:
        if variable is None:
            return None
        value = self.environ.get(variable)
        if value is None:
            raise UsageError(f"the environment variable {variable} is not set", hint="sysfleet.toml names it")
        return value


class _Run:
    """One command under way: its job, its rows as they finish, its journal."""

    def __init__(self, fleet: Fleet, command: Command, limit: str | None, names: Sequence[str]) -> None:
        now = dt.datetime.now(dt.UTC)
        self.names = list(names)
        self._fleet = fleet
        self._command = command
        self._shared = fleet.shared()
        self._notes: list[str] = []
        self._finished: dict[str, Finished] = {}
        self._told: set[str] = set()
        self.interrupted = False
        self.id = run_id(now, secrets.token_bytes(4))
        self._planner = Planner(options_of(fleet.settings, fleet.risks))
        self._progress = Progress(fleet.reporter.phase)
        head = header(self.id, command.value, now, _operator(fleet.environ), limit, __version__)
        self._journal = Journal.open(fleet.project, head, self._note)
        fleet.reporter.begin(self.id, command.value, self.names)

    def _note(self, text: str) -> None:
        self._notes.append(text)
        self._fleet.reporter.note(text)

    def go(
        self, names: Sequence[str], *, survey: bool = False, prepared: Mapping[str, Prepared] | None = None
    ) -> dict[str, Finished]:
        """Run the task on these hosts; every one of them has an entry, whatever happened to it."""
        job = self._job(prepared or {}, survey=survey)
        self._finished = {}
        runner = ThreadedRunner(
            workers=self._fleet.settings.run.workers,
            deadline_s=job.deadline_s,
            interrupt=lambda under_way: self._interrupt(nornir, under_way),
        )
        nornir = self._nornir(names, runner, job)
        nornir.run(task=run_host, job=job, on_failed=True)
        for name in names:
            if name not in self._finished:
                self._finish(name, Finished(self._lost(name, job)), job)
        return dict(self._finished)

    def _job(self, prepared: Mapping[str, Prepared], *, survey: bool) -> Job:
        settings = self._fleet.settings
        return Job(
            command=self._command,
            run=self.id,
            connection=ParamikoConnection.name,
            roles={name: self._fleet.inventory.hosts[name].roles for name in self.names},
            patterns=self._fleet.rendering.patterns,
            policy=self._fleet.rendering.policy,
            left_to_read=self._fleet.rendering.left_to_read,
            planner=self._planner,
            progress=self._progress,
            clock=time.monotonic,
            deadline_s=settings.run.deadline_s,
            survey=survey,
            prepared=prepared,
            privileged_read=settings.privilege.method in ("sudo", "doas"),
        )

    def _nornir(self, names: Sequence[str], runner: ThreadedRunner, job: Job) -> Nornir:
        # Built here, with what the run uses: InitNornir would load every plugin that is installed.
        ConnectionPluginRegister.register(ParamikoConnection.name, ParamikoConnection)
        inventory = SysfleetInventory(self._fleet.inventory, ParamikoConnection.name, names).load()
        return Nornir(
            inventory=inventory,
            data=GlobalState(),
            config=Config(user_defined={SHARED: self._shared}),
            processors=Processors([OnResult(lambda name, result: self._finish(name, result, job))]),
            runner=runner,
        )

    def _finish(self, name: str, result: object, job: Job) -> None:
        if not isinstance(result, Finished):
            error = TypeError("the task ended without a result")
            result = Finished(row_of_error(name, job, error, ""))
        self._finished[name] = result
        if not (job.survey and result.prepared is not None):
            self._tell(result.outcome)

    def _tell(self, outcome: HostOutcome) -> None:
        if outcome.host not in self._told:
            self._told.add(outcome.host)
            self._journal.row(outcome)
            self._fleet.reporter.row(outcome)

    def _lost(self, name: str, job: Job) -> HostOutcome:
        phase = self._progress.phase(name)
        if self.interrupted and phase is None:
            return row_not_begun(name, job, "interrupted before its turn")
        if self.interrupted:
            row = row_of_error(name, job, InterruptedError(f"interrupted in {phase}"), phase or "")
            return msgspec.structs.replace(row, status=Status.INTERRUPTED)
        limit = f"not done within its deadline of {job.deadline_s:g} s"
        return timed(row_of_error(name, job, CommandTimeout(limit, phase=phase or ""), ""), job.deadline_s)

    def _interrupt(self, nornir: Nornir, under_way: Sequence[str]) -> float:
        """Called once when the person interrupts: begin nothing, cut short what only reads. Seconds to wait."""
        self.interrupted = True
        self._progress.stop.set()
        self._note("interrupted: nothing new is begun; once more leaves at once")
        changing = False
        for name in under_way:
            if self._progress.phase(name) in IN_CHANGE:
                changing = True
            else:
                for connection in list(nornir.inventory.hosts[name].connections.values()):
                    connection.close()
        return self._fleet.settings.run.deadline_s if changing else _GRACE_S

    def report(self, rows: Mapping[str, HostOutcome]) -> FleetReport:
        """The rows so far, in natural order."""
        ordered = sorted(rows.values(), key=lambda row: natural_key(row.host))
        return report(self.id, self._command.value, ordered, self._notes, interrupted=self.interrupted)

    def end(self, rows: Mapping[str, HostOutcome]) -> FleetReport:
        """The report; rows that were not told yet are told, and the journal gets its last line."""
        for row in rows.values():
            self._tell(row)
        final = self.report(rows)
        self._journal.end(final)
        return final

    def close(self) -> None:
        """Whatever happened: the reporter hears the end, the journal is closed."""
        self._fleet.reporter.end()
        self._journal.close()


def options_of(settings: Settings, risks: Risks = Risks()) -> Options:
    """What planning needs to know of the settings and of what is allowed."""
    return Options(
        path=settings.file.path,
        comments=settings.file.comments,
        foreign=settings.file.foreign_interfaces,
        accept_unknown_boot=settings.boot.unknown == "accept",
        allow_one_way=risks.one_way,
        allow_destructive=risks.destructive,
    )


def _operator(environ: Mapping[str, str]) -> str:
    return environ.get("SUDO_USER") or environ.get("USER") or getpass.getuser()


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path.name} cannot be read: {error}") from error
