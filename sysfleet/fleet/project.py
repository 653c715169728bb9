"""One project folder, read and validated: settings, inventory, templates, and what its connections share."""

from __future__ import annotations

import getpass
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from sysfleet.errors import InventoryError, UsageError
from sysfleet.plugins.connections import CONNECTIONS, Shared
from sysfleet.policy.entries import FleetInventory, HostEntry
from sysfleet.policy.inventory import DEFAULTS_FILE, GROUPS_FILE, HOSTS_FILE, parse_inventory
from sysfleet.remote.access import Access
from sysfleet.remote.keys import Identities
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.password import Password
from sysfleet.remote.route import Asked, route
from sysfleet.remote.target import Hop, Target
from sysfleet.rendering import Templates
from sysfleet.selection import select
from sysfleet.settings import DEFAULT_FILE, Settings, identity_paths, known_hosts_paths, parse, project_known_hosts
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
    def known_hosts(self) -> Path:
        """The project's own file of host keys, which learned ones go to; it need not be there."""
        return project_known_hosts(self.folder)

    @property
    def operator(self) -> str:
        """Who is at the keyboard, also behind sudo."""
        return self.environ.get("SUDO_USER") or self._user()

    def shared(self, *, learning: bool = False) -> Shared:
        """The keys, known hosts and limits of a run, read once; SetupError where they cannot be had.

        While host keys are learned, the project's own file of them need not be there yet.
        """
        ssh, privilege = self.settings.ssh, self.settings.privilege
        for name, value in (("[ssh] config", ssh.config), ("[store] url", self.settings.store.url)):
            if value is not None:
                raise UsageError(f"{name} is not there yet", hint="take it out: it would have no effect")
        home = Path(self.environ.get("HOME") or "/")
        identities = identity_paths(ssh, home=home, project=self.folder, exists=Path.is_file)
        known_hosts = known_hosts_paths(ssh, home=home, project=self.folder, exists=Path.is_file)
        unwritten = {self.known_hosts} if learning else set()
        passphrase, password = self._secret(ssh.passphrase_env), self._secret(ssh.password_env)
        privilege_password = self._secret(privilege.password_env)
        access = Access(
            known_hosts=KnownHosts.load(path for path in known_hosts if path not in unwritten or path.exists()),
            identities=Identities.load(
                identities,
                passphrase=lambda _path: passphrase,
                agent_socket=self.environ.get("SSH_AUTH_SOCK") if ssh.agent else None,
            ),
            connect_timeout_s=ssh.connect_timeout_s,
            password=self._passwords(password),
            privilege=privilege.method,
            privilege_password=_always(privilege_password),
        )
        return Shared(access, self._target)

    def connection(self, host: str) -> str:
        """The kind of connection to a host; UsageError for one that is not there yet."""
        kind = self.inventory.connection(host) or self.settings.ssh.connection
        if kind not in CONNECTIONS:
            raise UsageError(f"connection {kind} is not there yet", hint='use connection = "paramiko"')
        return kind

    def way(self, host: str) -> Target:
        """The way to a host of the inventory; UsageError where its bastions lead nowhere."""
        return self._target(self._asked(host) or Asked(host, host))

    def _target(self, asked: Asked) -> Target:
        user = self.settings.ssh.user or self._user()
        return route(asked, mark=secrets.token_hex(16), default_user=user, inventory=self._asked)

    def _asked(self, name: str) -> Asked | None:
        """What the inventory says of the way to a host, which another host names as its bastion."""
        if name not in self.inventory.hosts:
            return None
        way = self.inventory.connection_of(name, CONNECTIONS[self.connection(name)].name)
        address = way.hostname or name
        return Asked(name, address, way.port, way.username, self.inventory.proxy_jump(name))

    def _passwords(self, general: str | None) -> Callable[[Hop], Password | None]:
        """By server: its own password from the inventory, else the one for all; equal ones are one secret."""
        found: dict[str, Password] = {}

        def password(hop: Hop) -> Password | None:
            own = None
            if hop.name in self.inventory.hosts:
                own = self.inventory.connection_of(hop.name, CONNECTIONS[self.connection(hop.name)].name).password
            text = own.reveal() if own is not None else general
            return None if text is None else found.setdefault(text, Password(lambda: text))

        return password

    def _secret(self, variable: str | None) -> str | None:
        if variable is None:
            return None
        value = self.environ.get(variable)
        if value is None:
            raise UsageError(f"the environment variable {variable} is not set", hint="sysfleet.toml names it")
        return value

    def _user(self) -> str:
        return self.environ.get("USER") or getpass.getuser()


def _always(password: str | None) -> Callable[[Hop], Password | None]:
    secret = None if password is None else Password(lambda: password)
    return lambda _hop: secret


def _text(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} cannot be read: {error}") from error
