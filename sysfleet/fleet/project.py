"""One project folder, read and validated: settings, inventory, templates, and what its connections share."""

from __future__ import annotations

import getpass
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sysfleet.errors import InventoryError, UsageError
from sysfleet.plugins.connections import ParamikoConnection, Shared
from sysfleet.policy.entries import FleetInventory, HostEntry
from sysfleet.policy.inventory import DEFAULTS_FILE, GROUPS_FILE, HOSTS_FILE, parse_inventory
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.paramiko_session import Access, Target
from sysfleet.rendering import Templates
from sysfleet.selection import select
from sysfleet.settings import DEFAULT_FILE, Settings, identity_paths, known_hosts_paths, parse
from sysfleet.tasks.render import Rendering


@dataclass(frozen=True, slots=True)
class Project:
    """What a project folder says; `environ` is where its secrets come from. Nothing is contacted."""

    folder: Path
    settings: Settings
    inventory: FleetInventory
    rendering: Rendering
    environ: Mapping[str, str]

    @classmethod
    def read(cls, folder: Path, settings: Settings | None = None, *, environ: Mapping[str, str]) -> Project:
        """Read a project folder; SetupError with every problem in it."""
        if settings is None:
            settings = parse(_text(folder, DEFAULT_FILE), DEFAULT_FILE)
        templates = Templates.load(folder / "templates")
        names = (HOSTS_FILE, GROUPS_FILE, DEFAULTS_FILE)
        if not (folder / HOSTS_FILE).is_file():
            raise InventoryError(f"there is no {HOSTS_FILE}", hint="sysfleet init DIR makes a project")
        hosts, groups, defaults = (_text(folder, name) for name in names)
        inventory = parse_inventory(hosts, groups, defaults, known_roles=templates.roles, files=names)
        return cls(folder, settings, inventory, Rendering(inventory, templates, settings.file.interfaces), environ)

    def selected(self, limit: str | None = None) -> list[HostEntry]:
        """The hosts that a `--limit` expression selects, in natural order; SelectionError where none is."""
        chosen = select(limit, self.inventory.candidates())
        return [self.inventory.hosts[candidate.name] for candidate in chosen]

    @property
    def operator(self) -> str:
        """Who is at the keyboard, also behind sudo."""
        return self.environ.get("SUDO_USER") or self._user()

    def shared(self) -> Shared:
        """The keys, known hosts and limits of a run, read once; SetupError where they cannot be had."""
        ssh, privilege = self.settings.ssh, self.settings.privilege
        if ssh.connection != "paramiko":
            raise UsageError(f"connection {ssh.connection} is not there yet", hint='set [ssh] connection = "paramiko"')
        for name, value in (("[ssh] config", ssh.config), ("[store] url", self.settings.store.url)):
            if value is not None:
                raise UsageError(f"{name} is not there yet", hint="take it out: it would have no effect")
        home = Path(self.environ.get("HOME") or "/")
        identities = identity_paths(ssh, home=home, project=self.folder, exists=Path.is_file)
        known_hosts = known_hosts_paths(ssh, home=home, project=self.folder, exists=Path.is_file)
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
        user = ssh.user or self._user()
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

    def _user(self) -> str:
        return self.environ.get("USER") or getpass.getuser()


def _text(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} cannot be read: {error}") from error
