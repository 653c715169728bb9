"""What the run proves itself with: private keys, certificates and agent keys, each loaded once for all hosts.

Knows files and agents' sockets by the paths it is given; reads no environment and asks nobody.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sysfleet.errors import SetupError
from sysfleet.remote.agent import Agent
from sysfleet.remote.key_files import KeyFile, Passphrase, certified, read_key_file

if TYPE_CHECKING:
    from paramiko.pkey import PKey


@dataclass(frozen=True)
class Identity:
    """A key that can sign, and where it comes from."""

    key: PKey
    origin: str


@dataclass(frozen=True)
class Identities:
    """Keys in the order in which hosts are offered them; `left_out` says of others why they are not."""

    keys: tuple[Identity, ...] = ()
    left_out: tuple[str, ...] = ()
    keyring: Keyring | None = field(default=None, repr=False, compare=False)
    _worked: dict[str, Identity] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def load(
        cls,
        files: Iterable[str | Path] = (),
        passphrase: Passphrase | None = None,
        agent_socket: str | None = None,
    ) -> Identities:
        """Load key files (each with its `-cert.pub` beside it) and the agent's keys; SetupError for what is no key.

        Files come first, in their order: they were named for this run. What the agent holds too is kept once.
        """
        return Keyring(passphrase).identities(tuple(Path(file) for file in files), agent_socket, required=True)

    def offered(self, user: str) -> tuple[Identity, ...]:
        """The keys in the order to try for this user: first the one that the last host took."""
        first = self._worked.get(user)
        return self.keys if first is None else (first, *(one for one in self.keys if one is not first))

    def worked(self, user: str, identity: Identity) -> None:
        """Remember, for the hosts to come, that a host took this key."""
        self._worked[user] = identity

    @property
    def notes(self) -> tuple[str, ...]:
        """What the run is to be told of all its agents: those that give no keys."""
        return () if self.keyring is None else self.keyring.notes

    def close(self) -> None:
        """End the connections to agents, also those of the other identities of this run."""
        if self.keyring is not None:
            self.keyring.close()


class Keyring:
    """Every key file and every agent of a run, each opened once, however many hosts name it."""

    def __init__(self, passphrase: Passphrase | None = None) -> None:
        self._passphrase = passphrase
        self._files: dict[Path, KeyFile] = {}
        self._agents: dict[str, Agent] = {}
        self._agent_keys: dict[str, list[Identity]] = {}
        self._silent: dict[str, str] = {}  # agents that give no keys, and why: they are asked once
        self._made: dict[tuple[object, ...], Identities] = {}

    @property
    def notes(self) -> tuple[str, ...]:
        """Which agents give no keys, and why."""
        return tuple(self._silent.values())

    def identities(
        self, files: tuple[Path, ...], agent_socket: str | None, *, only: bool = False, required: bool = False
    ) -> Identities:
        """The keys that these files name, then the other ones of an agent, which `only` leaves out.

        A file that is missing or is no key is a SetupError where it is `required`, else it is left out, as is one
        that stays locked: its public half may be in the agent.
        """
        wanted = (files, agent_socket, only)
        found = self._made.get(wanted)
        if found is None:
            found = self._made[wanted] = self._gathered(files, agent_socket, only=only, required=required)
        return found

    def close(self) -> None:
        """End the connections to agents."""
        for agent in self._agents.values():
            agent.close()

    def _gathered(self, files: tuple[Path, ...], agent_socket: str | None, *, only: bool, required: bool) -> Identities:
        read = [self._file(path) for path in files]
        for file in read:
            if required and file.why in {"missing", "unusable"}:
                raise file.refuse()
        left_out: list[str] = []
        held = self._held(agent_socket, left_out)
        named = {file.public for file in read if file.public} | {file.key.asbytes() for file in read if file.key}
        # Also those that only the agent can sign with: hosts hang up before they have seen all that an agent holds.
        found = [one for file in read for one in self._of_file(file, read) or _named(file, held)]
        have = {one.key.asbytes() for one in found}
        found += [one for one in held if one.key.asbytes() not in have and (not only or one.key.asbytes() in named)]
        have |= {one.key.asbytes() for one in found}
        left_out[:0] = [f"{file.path} ({file.words})" for file in read if file.why and file.public not in have]
        return Identities(tuple(found), tuple(left_out), self)

    def _file(self, path: Path) -> KeyFile:
        found = self._files.get(path)
        if found is None:
            found = self._files[path] = read_key_file(path, self._passphrase)
        return found

    def _of_file(self, file: KeyFile, read: list[KeyFile]) -> list[Identity]:
        """The key of a file, with its certificates first: a host that takes certificates often takes no bare key."""
        if file.key is None:
            return []
        found = [Identity(file.key, str(file.path))]
        beside = file.path.with_name(file.path.name + "-cert.pub")
        certificates = [*([self._file(beside)] if beside.is_file() else []), *read]
        for certificate in reversed(certificates):
            if certificate.certificate is None or certificate.path in {Path(one.origin) for one in found}:
                continue
            signed = certified(file.key, certificate.certificate, certificate.path)
            if signed is not None:
                found.insert(0, Identity(signed, str(certificate.path)))
        return found

    def _held(self, agent_socket: str | None, left_out: list[str]) -> list[Identity]:
        """The keys of an agent. One that is gone ends no run: there may be other keys, or a password."""
        if not agent_socket:
            return []
        found = self._agent_keys.get(agent_socket)
        if found is None and agent_socket not in self._silent:
            try:
                agent = self._agents[agent_socket] = Agent(agent_socket)
                found = [Identity(key, f"agent: {comment}") for key, comment in agent.held()]
                self._agent_keys[agent_socket] = found
            except SetupError as error:
                self._silent[agent_socket] = error.message
            except OSError as error:
                self._silent[agent_socket] = f"the ssh-agent at {agent_socket} does not answer: {error}"
        if found is None:
            left_out.append(self._silent[agent_socket])
        return found or []


def _named(file: KeyFile, held: list[Identity]) -> list[Identity]:
    """The agent's key of which a file has the public half alone, or stays locked."""
    return [one for one in held if one.key.asbytes() == file.public]
