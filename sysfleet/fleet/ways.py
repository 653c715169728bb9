"""The ways to a project's hosts: the ssh_config that is followed, and the keys and host keys that it names.

Reads files; contacts nobody, and knows no inventory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path

from sysfleet.errors import Problem, UsageError
from sysfleet.remote.keys import Identities, Keyring
from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.ssh_config import SshConfig
from sysfleet.remote.ssh_ways import KeyChoice, Surroundings, TrustChoice, Ways
from sysfleet.remote.target import Target
from sysfleet.settings import Ssh, identity_paths, known_hosts_paths, project_known_hosts, ssh_config_path

_SHOWN = 3


def ways_of(ssh: Ssh, *, home: Path, folder: Path, environ: Mapping[str, str], local_user: str) -> Ways | None:
    """What the ssh_config says: the one that is set, else the user's own where there is one; None for neither."""
    around = Surroundings(home, local_user, environ)
    if ssh.config is not None and ssh.config.lower() == "none":
        return None
    path = ssh_config_path(ssh, home=home, project=folder)
    if path is not None:
        return Ways(SshConfig.load(path, home=home), around)
    own = home / ".ssh" / "config"
    return Ways(SshConfig.load(own, home=home, check_owner=home.stat().st_uid), around) if own.is_file() else None


def check_ways(way: Callable[[str], Target], hosts: Iterable[str]) -> None:
    """Find every host's way; UsageError with every line of the ssh_config that cannot be followed, and for whom."""
    found: dict[Problem, list[str]] = {}
    hint = None
    for host in hosts:
        try:
            way(host)
        except UsageError as error:
            if not error.problems:
                raise
            hint = error.hint
            for problem in error.problems:
                found.setdefault(problem, []).append(host)
    if found:
        problems = [replace(problem, what=f"{problem.what}; for {_named(names)}") for problem, names in found.items()]
        raise UsageError("the ssh_config cannot be followed for every host", problems=problems, hint=hint)


def _named(hosts: list[str]) -> str:
    more = len(hosts) - _SHOWN
    return ", ".join(hosts[:_SHOWN]) + (f" and {more} more hosts" if more > 0 else "")


class Files:
    """Keys and host keys of a run by the files that the ssh_config names, each opened once."""

    def __init__(self, ssh: Ssh, keyring: Keyring, *, home: Path, folder: Path) -> None:
        self._ssh = ssh
        self._keyring = keyring
        self._home = home
        self._folder = folder
        self._known: dict[TrustChoice, KnownHosts] = {}

    def identities(self, choice: KeyChoice) -> Identities:
        """The keys of these files, or the usual ones; what is missing is left out, as ssh does."""
        files = choice.files
        if files is None:
            files = identity_paths(self._ssh, home=self._home, project=self._folder, exists=Path.is_file)
        return self._keyring.identities(files, choice.agent if self._ssh.agent else None, only=choice.only)

    def known_hosts(self, choice: TrustChoice) -> KnownHosts:
        """The host keys of these files, those of the usual ones that they do not stand for, and the project's own."""
        found = self._known.get(choice)
        if found is None:
            user, everybodys = self._home / ".ssh" / "known_hosts", Path("/etc/ssh/ssh_known_hosts")
            usual = known_hosts_paths(self._ssh, home=self._home, project=self._folder, exists=Path.is_file)
            files = [
                *((user,) if choice.users is None else choice.users),
                *((everybodys,) if choice.everybodys is None else choice.everybodys),
                project_known_hosts(self._folder),
            ]
            if self._ssh.known_hosts:  # set for this project, so it is asked besides
                files += usual
            found = self._known[choice] = KnownHosts.load(path for path in dict.fromkeys(files) if path.is_file())
        return found
