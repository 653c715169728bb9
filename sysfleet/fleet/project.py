"""One project folder, read and validated: settings, inventory, templates, and what its connections share."""

from __future__ import annotations

import getpass
import secrets
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sysfleet.errors import InventoryError, UsageError
from sysfleet.fleet.openssh import openssh_client
from sysfleet.fleet.passwords import Ask, Source, Sources, children_environ
from sysfleet.fleet.ways import Files, check_ways, ways_of
from sysfleet.plugins.connections import CONNECTIONS, Shared
from sysfleet.policy.entries import FleetInventory, HostEntry
from sysfleet.policy.inventory import DEFAULTS_FILE, GROUPS_FILE, HOSTS_FILE, parse_inventory
from sysfleet.remote.access import Access
from sysfleet.remote.keys import Identities, Keyring
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.password import Password
from sysfleet.remote.route import Asked, Rules, route
from sysfleet.remote.ssh_ways import Ways
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
    environ: Mapping[str, str] = field(repr=False)
    sources: Sources
    ways: Ways | None = None
    """What an ssh_config says of the ways to hosts; the system's ssh reads its own."""

    @classmethod
    def read(
        cls, folder: Path, settings: Settings | None = None, *, environ: Mapping[str, str], ask: Ask | None = None
    ) -> Project:
        """Read a project folder; SetupError with every problem in it. `ask` asks a person for a secret."""
        if settings is None:
            settings = parse(_text(folder, DEFAULT_FILE), DEFAULT_FILE)
        sources = Sources.of(settings, environ, ask)
        templates = Templates.load(folder / "templates")
        names = (HOSTS_FILE, GROUPS_FILE, DEFAULTS_FILE)
        if not (folder / HOSTS_FILE).is_file():
            raise InventoryError(f"there is no {HOSTS_FILE}", hint="sysfleet init DIR makes a project")
        hosts, groups, defaults = (_text(folder, name) for name in names)
        inventory = parse_inventory(hosts, groups, defaults, known_roles=templates.roles, files=names)
        rendering = Rendering(inventory, templates, settings.file.interfaces)
        home, user = Path(environ.get("HOME") or "/"), environ.get("USER") or getpass.getuser()
        ways = ways_of(settings.ssh, home=home, folder=folder, environ=environ, local_user=user)
        return cls(folder, settings, inventory, rendering, environ, sources, ways)

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

    def shared(self, hosts: Sequence[str] = (), *, root: bool = False, learning: bool = False) -> Shared:
        """The keys, known hosts and limits of a run, read once; SetupError where they cannot be had.

        Passwords for the ways to these hosts are fetched now; one for root only where `root` rights may be needed.
        While host keys are learned, the project's own file of them need not be there yet.
        """
        ssh, privilege = self.settings.ssh, self.settings.privilege
        if self.settings.store.url is not None:
            raise UsageError("[store] url is not there yet", hint="take it out: it would have no effect")
        check_ways(self.way, hosts)
        kinds = {self.connection(host) for host in hosts}
        home = Path(self.environ.get("HOME") or "/")
        identities = identity_paths(ssh, home=home, project=self.folder, exists=Path.is_file)
        known_hosts = known_hosts_paths(ssh, home=home, project=self.folder, exists=Path.is_file)
        unwritten = {self.known_hosts} if learning else set()
        passphrase = self.sources.passphrase
        self._fetch(hosts, root=root)
        environ = children_environ(self.settings, self.environ)
        keyring = Keyring(None if passphrase is None else passphrase.text)
        files = Files(ssh, keyring, home=home, folder=self.folder)
        access = Access(
            known_hosts=KnownHosts.load(path for path in known_hosts if path not in unwritten or path.exists()),
            # Keys that ssh alone can use need not be such as can be loaded here.
            identities=Identities()
            if kinds == {"openssh"}
            else keyring.identities(
                identities, self.environ.get("SSH_AUTH_SOCK") if ssh.agent else None, required=True
            ),
            connect_timeout_s=ssh.connect_timeout_s,
            password=_passwords(self._login_password),
            privilege=privilege.method,
            privilege_password=_passwords(self._root_password if root else lambda _hop: None),
            environ=environ,
            openssh=openssh_client(ssh, self.folder, environ) if "openssh" in kinds else None,
        )
        return Shared(access, lambda asked: self._target(asked, files))

    def connection(self, host: str) -> str:
        """The kind of connection to a host; UsageError for one that is not there yet."""
        kind = self.inventory.connection(host) or self.settings.ssh.connection
        if kind not in CONNECTIONS:
            raise UsageError(f"connection {kind} is not there yet", hint='use connection = "paramiko"')
        return kind

    def plugin(self, host: str) -> str:
        """The connection plugin of a host; UsageError where it cannot do as the inventory asks."""
        plugin = CONNECTIONS[self.connection(host)]
        way = self.inventory.connection_of(host, plugin.name)
        problem = plugin.problem(way.platform, way.extras or {})
        if problem is not None:
            raise UsageError(f"{host}: {problem}", hint=f"see its connection_options for {plugin.name}")
        if not plugin.sends_passwords and (way.password is not None or self.sources.login is not None):
            setting = "its password in the inventory" if self.sources.login is None else self.sources.login.setting
            raise UsageError(
                f"{host}: connection {self.connection(host)} cannot log in with a password, and there is {setting}",
                hint='take the password out, or use connection = "paramiko" for this host',
            )
        return plugin.name

    def way(self, host: str) -> Target:
        """The way to a host of the inventory; UsageError where its bastions lead nowhere."""
        return self._target(self._asked(host) or Asked(host, host))

    def _target(self, asked: Asked, files: Files | None = None) -> Target:
        user = self.settings.ssh.user
        rules = Rules(
            inventory=self._asked,
            default_user=user or self._user(),
            default_said=user is not None,
            # The system's ssh reads it for itself.
            config=None if self.connection(asked.name) == "openssh" else self.ways,
            loader=files,
        )
        return route(asked, mark=secrets.token_hex(16), rules=rules)

    def _asked(self, name: str) -> Asked | None:
        """What the inventory says of the way to a host, which another host names as its bastion."""
        if name not in self.inventory.hosts:
            return None
        way = self.inventory.connection_of(name, CONNECTIONS[self.connection(name)].name)
        address = way.hostname or name
        return Asked(name, address, way.port, way.username, self.inventory.proxy_jump(name))

    def _fetch(self, hosts: Iterable[str], *, root: bool) -> None:
        """Fetch what a run to these hosts may be asked for, before it begins and anything is shown of it."""
        if self.sources.login is None and self.sources.root is None:
            return
        ways = {host: self.way(host) for host in hosts}
        # Whom ssh logs in as where nobody says so is known to its own configuration alone.
        known = [way for host, way in ways.items() if way.user_said or self.connection(host) != "openssh"]
        _fetched(self.sources.login, {hop.user for way in known for hop in (way, *way.jumps)})
        method = self.settings.privilege.method
        needy = {way.user for way in known if method != "auto" or way.user != "root"}
        if root and method != "none" and (needy or len(known) < len(ways)):
            _fetched(self.sources.root, needy)

    def _login_password(self, hop: Hop) -> str | None:
        """A server's own password from the inventory, else the one for its login."""
        if hop.name in self.inventory.hosts:
            own = self.inventory.connection_of(hop.name, CONNECTIONS[self.connection(hop.name)].name).password
            if own is not None:
                return own.reveal()
        return self.sources.login.text(hop.user) if self.sources.login is not None else None

    def _root_password(self, hop: Hop) -> str | None:
        return self.sources.root.text(hop.user) if self.sources.root is not None else None

    def _user(self) -> str:
        return self.environ.get("USER") or getpass.getuser()


def _fetched(source: Source | None, logins: set[str]) -> None:
    """Fetch a secret; one that every login has for itself is to be there for one of them at least."""
    if source is None:
        return
    texts = [source.text(login) for login in sorted(logins)] if source.own else [source.text("")]
    if texts and not any(texts):
        raise UsageError(
            f"{source.what} is to come from {source.setting}, which has none for {', '.join(sorted(logins))}",
            hint="put it there: keyring set SERVICE LOGIN",
        )


def _passwords(text_of: Callable[[Hop], str | None]) -> Callable[[Hop], Password | None]:
    """By server; equal texts are one secret, so that a wrong one is tried on one host."""
    found: dict[str, Password] = {}

    def password(hop: Hop) -> Password | None:
        text = text_of(hop)
        return None if text is None else found.setdefault(text, Password(lambda: text))

    return password


def _text(folder: Path, name: str) -> str:
    try:
        return (folder / name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{name} cannot be read: {error}") from error
