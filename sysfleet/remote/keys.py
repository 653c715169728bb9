"""What the run proves itself with: private keys, certificates and agent keys, loaded once for all hosts.

Knows files and an agent's socket by the paths it is given; reads no environment and asks nobody.
"""

from __future__ import annotations

import base64
import copy
import socket
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from sysfleet.errors import SetupError
from sysfleet.remote.evidence import clean

if TYPE_CHECKING:
    from paramiko.pkey import PKey

Passphrase = Callable[[str], str | None]
"""Gives the passphrase of a key file by its path, or None."""

_AGENT_TIMEOUT_S = 10.0
_AGENT_LIMIT_BYTES = 1 << 20
_HINT_FORMAT = "ed25519, ecdsa and rsa keys in OpenSSH's format can be used; `ssh-keygen -p -f FILE` rewrites others"
_OPENSSH_MAGIC = b"openssh-key-v1\0"
# draft-miller-ssh-agent, 5.1
_REQUEST_IDENTITIES, _IDENTITIES_ANSWER, _SIGN_REQUEST, _SIGN_RESPONSE = 11, 12, 13, 14


@dataclass(frozen=True)
class Identity:
    """A key that can sign, and where it comes from."""

    key: PKey
    origin: str


@dataclass(frozen=True)
class Identities:
    """Every key of a run in the order in which hosts are offered them."""

    keys: tuple[Identity, ...] = ()
    agent: Agent | None = None
    _worked: dict[str, Identity] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def load(
        cls,
        files: Iterable[str | Path] = (),
        passphrase: Passphrase | None = None,
        agent_socket: str | None = None,
    ) -> Identities:
        """Load key files (each with its `-cert.pub` beside it) and the agent's keys; SetupError says what is
        missing.

        Files come first, in their order: they were named for this run. What the agent holds too is kept once.
        """
        found = [key for file in files for key in _load_file(Path(file), passphrase)]
        agent = Agent(agent_socket) if agent_socket else None
        if agent is not None:
            have = {identity.key.asbytes() for identity in found}
            found += [identity for identity in agent.identities() if identity.key.asbytes() not in have]
        return cls(tuple(found), agent)

    def offered(self, user: str) -> tuple[Identity, ...]:
        """The keys in the order to try for this user: first the one that the last host took."""
        first = self._worked.get(user)
        return self.keys if first is None else (first, *(one for one in self.keys if one is not first))

    def worked(self, user: str, identity: Identity) -> None:
        """Remember, for the hosts to come, that a host took this key."""
        self._worked[user] = identity

    def close(self) -> None:
        """End the connection to the agent, if there is one."""
        if self.agent is not None:
            self.agent.close()


class Agent:
    """One connection to an ssh-agent, shared by all threads; asked for one signature at a time."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(_AGENT_TIMEOUT_S)
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise SetupError(
                f"cannot reach the ssh-agent at {path}: {error.strerror or error}",
                hint="start it, or unset SSH_AUTH_SOCK",
            ) from error

    def identities(self) -> list[Identity]:
        """The keys that the agent holds now."""
        from sysfleet.remote.agent_key import AgentKey

        kind, answer = self._ask(bytes([_REQUEST_IDENTITIES]))
        if kind != _IDENTITIES_ANSWER:
            raise SetupError(f"the ssh-agent at {self._path} gives no keys")
        try:
            count, rest = _number(answer)
            found = []
            for _ in range(count):
                blob, rest = _text(rest)
                comment, rest = _text(rest)
                found.append(Identity(AgentKey(self, blob), f"agent: {clean(comment)}"))
        except (ValueError, IndexError) as error:
            raise SetupError(f"the ssh-agent at {self._path} is not understood") from error
        return found

    def sign(self, blob: bytes, data: bytes, flags: int) -> bytes | None:
        """The agent's signature over the data, or None when it refuses."""
        request = bytes([_SIGN_REQUEST]) + _sized(blob) + _sized(data) + flags.to_bytes(4, "big")
        kind, answer = self._ask(request)
        return _text(answer)[0] if kind == _SIGN_RESPONSE else None

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _ask(self, message: bytes) -> tuple[int, bytes]:
        with self._lock:
            self._socket.sendall(_sized(message))
            size, _ = _number(self._read(4))
            if not 0 < size <= _AGENT_LIMIT_BYTES:
                raise ConnectionError("the ssh-agent's answer has no sensible size")
            answer = self._read(size)
        return answer[0], answer[1:]

    def _read(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            more = self._socket.recv(size - len(data))
            if not more:
                raise ConnectionError("the ssh-agent hung up")
            data += more
        return data


def _load_file(path: Path, passphrase: Passphrase | None) -> list[Identity]:
    # The same key with its certificate goes first: a host that takes certificates often takes no bare key.
    from paramiko.ssh_exception import PasswordRequiredException, SSHException

    try:
        text = path.read_text("ascii", "replace")
        kind = _kind(path, text)
        try:
            key: PKey = kind.from_private_key(StringIO(text))
        except PasswordRequiredException:
            secret = passphrase(str(path)) if passphrase is not None else None
            if not secret:
                raise SetupError(
                    f"the key {path} needs a passphrase",
                    hint="give it ([ssh] passphrase_env), or use an agent",
                ) from None
            key = _unlocked(path, kind, text, secret)
        found = [Identity(key, str(path))]
        certificate = path.with_name(path.name + "-cert.pub")
        if certificate.exists():
            signed = copy.copy(key)
            signed.load_certificate(str(certificate))
            found.insert(0, Identity(signed, str(certificate)))
    except OSError as error:
        raise SetupError(
            f"cannot read the key {path}: {error.strerror}",
            hint="set [ssh] identity_files, or make a key with ssh-keygen",
        ) from error
    except (SSHException, ValueError) as error:
        raise SetupError(f"cannot read the key {path}: {clean(str(error))}", hint=_HINT_FORMAT) from error
    return found


def _unlocked(path: Path, kind: type[PKey], text: str, secret: str) -> PKey:
    from paramiko.ssh_exception import SSHException

    try:
        return kind.from_private_key(StringIO(text), password=secret)
    except (SSHException, ValueError) as error:
        raise SetupError(f"the passphrase of the key {path} is not accepted") from error


def _kind(path: Path, text: str) -> type[PKey]:
    from paramiko import ECDSAKey, Ed25519Key, RSAKey

    if "-----BEGIN RSA PRIVATE KEY-----" in text:
        return RSAKey
    if "-----BEGIN EC PRIVATE KEY-----" in text:
        return ECDSAKey
    name = _openssh_type(text)
    if name == b"ssh-rsa":
        return RSAKey
    if name == b"ssh-ed25519":
        return Ed25519Key
    if name.startswith(b"ecdsa-sha2-nistp"):
        return ECDSAKey
    raise SetupError(f"the key {path} is of no kind that can be used here", hint=_HINT_FORMAT)


def _openssh_type(text: str) -> bytes:
    """The key type that OpenSSH's own format shows even of an encrypted key; empty for any other format."""
    _, begin, rest = text.partition("-----BEGIN OPENSSH PRIVATE KEY-----")
    body, end, _ = rest.partition("-----END")
    if not begin or not end:
        return b""
    data = base64.b64decode(body)
    if not data.startswith(_OPENSSH_MAGIC):
        return b""
    rest_of_key = data[len(_OPENSSH_MAGIC) :]
    for _ in ("cipher", "key derivation", "its options"):
        _, rest_of_key = _text(rest_of_key)
    public, _ = _text(rest_of_key[4:])
    return _text(public)[0]


def _sized(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def _number(data: bytes) -> tuple[int, bytes]:
    if len(data) < 4:
        raise ValueError("the data end too early")
    return int.from_bytes(data[:4], "big"), data[4:]


def _text(data: bytes) -> tuple[bytes, bytes]:
    size, rest = _number(data)
    if size > len(rest):
        raise ValueError("the data end too early")
    return rest[:size], rest[size:]
