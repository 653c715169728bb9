"""The host keys that are trusted: known_hosts files, parsed once a run into dictionaries, and the check.

paramiko's own reader is quadratic, stops at a marker and knows no patterns; this one follows sshd(8),
SSH_KNOWN_HOSTS FILE FORMAT. It never learns a key, and it speaks to nobody.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from typing_extensions import override

from sysfleet.errors import HostKeyRejected, SetupError
from sysfleet.remote.evidence import clean

_HINT_UNKNOWN = "prove the key another way, then add it to known_hosts, which check --learn-host-keys does"
_HINT_CHANGED = "somebody may be in between, or the host was set up anew: prove the key before you replace the line"


# An RSA key signs in two ways; its own name stands for a third, with SHA-1, which nobody asks for here.
_ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256")}
_CERTIFICATES = tuple(
    f"{name}-cert-v01@openssh.com"
    for name in (
        "ssh-ed25519",
        "ecdsa-sha2-nistp256",
        "ecdsa-sha2-nistp384",
        "ecdsa-sha2-nistp521",
        "rsa-sha2-512",
        "rsa-sha2-256",
    )
)


@dataclass(frozen=True, slots=True)
class HostKey:
    """One public key: its type and the blob that hosts show."""

    type: str
    blob: bytes

    @property
    def fingerprint(self) -> str:
        """The key as people compare it: `SHA256:…`."""
        return "SHA256:" + base64.b64encode(hashlib.sha256(self.blob).digest()).decode().rstrip("=")

    @override
    def __str__(self) -> str:
        return f"{self.type} {self.fingerprint}"


@dataclass(frozen=True, slots=True)
class Known:
    """One line: a key, and where it stands."""

    key: HostKey
    file: str
    line: int
    names: str = field(repr=False)

    @property
    def place(self) -> str:
        """`file:line`."""
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class _Hashed:
    salt: bytes
    digest: bytes
    known: Known


class KnownHosts:
    """What all files say; frozen after loading, shared by every connection of a run."""

    def __init__(self) -> None:
        self._plain: dict[str, list[Known]] = {}
        self._patterns: list[tuple[_Names, Known]] = []
        self._hashed: list[_Hashed] = []
        self._authorities: list[tuple[_Names, Known]] = []
        self._revoked: dict[bytes, list[tuple[_Names, Known]]] = {}
        self._found: dict[str, list[Known]] = {}  # hashed lines cost a walk, and a host is looked up several times
        self._files: list[str] = []
        self.notes: list[str] = []

    @classmethod
    def load(cls, paths: Iterable[str | Path]) -> KnownHosts:
        """Read these files; a line that makes no sense is left out and noted.

        A file that cannot be read is a SetupError.
        """
        found = cls()
        for path in paths:
            try:
                data = Path(path).read_bytes()
            except OSError as error:
                raise SetupError(
                    f"cannot read the host keys in {path}: {error.strerror}",
                    hint="set [ssh] known_hosts, or connect to each host once with ssh",
                ) from error
            found.add(data, str(path))
        return found

    def add(self, data: bytes, file: str) -> None:
        """Take in the lines of one file."""
        self._found.clear()
        self._files.append(file)
        for number, line in enumerate(data.split(b"\n"), 1):
            if line[:1] in {b"#", b""} or line.isspace():
                continue
            try:
                self._add(line.decode("utf-8"), file, number)
            except (ValueError, binascii.Error) as error:
                self.notes.append(f"{file}:{number}: line left out: {error}")

    def _add(self, line: str, file: str, number: int) -> None:
        fields = line.split(None, 4)
        marker = fields.pop(0) if fields[0].startswith("@") else ""
        if len(fields) < 3:
            raise ValueError("it has no names, key type and key")
        names, type_, text = fields[:3]
        known = Known(HostKey(type_, _blob(type_, text)), file, number, names)
        if marker == "@revoked":
            self._revoked.setdefault(known.key.blob, []).append((_Names(names), known))
        elif marker == "@cert-authority":
            self._authorities.append((_Names(names), known))
        elif marker:
            raise ValueError(f"the marker {marker} is unknown")
        elif names.startswith("|"):
            self._hashed.append(_Hashed(*_hash_of(names), known))
        elif any(char in names for char in "*?!"):
            self._patterns.append((_Names(names), known))
        else:
            for name in names.lower().split(","):
                self._plain.setdefault(name, []).append(known)

    def lookup(self, name: str, port: int = 22) -> tuple[HostKey, ...]:
        """The keys that are trusted for the host, hashed lines only where no other line has any."""
        return tuple(known.key for known in self._known(spelled_name(name, port)))

    def algorithms(self, name: str, port: int = 22) -> tuple[str, ...]:
        """The names of the algorithms to ask the host for: it is to show a known key, if it has one."""
        found: list[str] = list(_CERTIFICATES) if self.authorities(name, port) else []
        for key in self.lookup(name, port):
            found += _ALGORITHMS.get(key.type, (key.type,))
        return tuple(dict.fromkeys(found))

    def authorities(self, name: str, port: int = 22) -> tuple[HostKey, ...]:
        """The keys whose certificates are trusted for the host."""
        spelled = spelled_name(name, port)
        return tuple(known.key for names, known in self._authorities if names.match(spelled))

    def check(self, name: str, port: int, key: HostKey) -> None:
        """Return if this very key is trusted for the host; else HostKeyRejected says what is known."""
        spelled = spelled_name(name, port)
        self.check_revoked(name, port, key)
        known = self._known(spelled)
        if any(one.key == key for one in known):
            return
        if any(one.key == key for one in self._known_hashed(spelled)):
            return
        if known:
            same_type = [one for one in known if one.key.type == key.type] or known
            raise HostKeyRejected(
                f"the host key of {_shown(spelled)} is not the known one: it shows {key}, "
                f"{same_type[0].place} says {same_type[0].key}",
                phase="connect",
                hint=_HINT_CHANGED,
            )
        raise HostKeyRejected(
            f"the host key of {_shown(spelled)} is unknown: it shows {key}, "
            f"and is in none of: {', '.join(dict.fromkeys(self._files)) or 'no file at all'}",
            phase="connect",
            hint=_HINT_UNKNOWN,
        )

    def told(self, name: str, port: int = 22) -> str:
        """Which keys are known for the host, and where that stands, for people."""
        known = self._known(spelled_name(name, port))
        return ", ".join(f"{one.key.type} ({one.place})" for one in known)

    def check_revoked(self, name: str, port: int, key: HostKey) -> None:
        """Raise HostKeyRejected if the key is revoked for the host."""
        spelled = spelled_name(name, port)
        for names, known in self._revoked.get(key.blob, ()):
            if names.match(spelled):
                raise HostKeyRejected(
                    f"the host key of {_shown(spelled)} is revoked: {key}, {known.place}",
                    phase="connect",
                    hint="give the host a new key",
                )

    def _known(self, spelled: str) -> list[Known]:
        found = self._found.get(spelled)
        if found is None:
            found = list(self._plain.get(spelled, ()))
            found += [known for names, known in self._patterns if names.match(spelled)]
            found = self._found[spelled] = found or list(self._known_hashed(spelled))
        return found

    def _known_hashed(self, spelled: str) -> Iterator[Known]:
        name = spelled.encode()
        for one in self._hashed:
            if hmac.digest(one.salt, name, "sha1") == one.digest:
                yield one.known


class _Names:
    """The first field of a line as a test: patterns, of which a negated one that matches settles it."""

    def __init__(self, field: str) -> None:
        self._hashed = _hash_of(field) if field.startswith("|") else None
        self._yes: list[re.Pattern[str]] = []
        self._no: list[re.Pattern[str]] = []
        if self._hashed is None:
            for name in field.lower().split(","):
                negated = name.startswith("!")
                (self._no if negated else self._yes).append(_compiled(name.removeprefix("!")))

    def match(self, spelled: str) -> bool:
        if self._hashed is not None:
            salt, digest = self._hashed
            return hmac.digest(salt, spelled.encode(), "sha1") == digest
        if any(pattern.fullmatch(spelled) for pattern in self._no):
            return False
        return any(pattern.fullmatch(spelled) for pattern in self._yes)


def names_match(pattern: str, name: str) -> bool:
    """Whether a name of a certificate, which may have `*` and `?`, is that of the host."""
    return _compiled(pattern.lower()).fullmatch(name.lower()) is not None


def _compiled(name: str) -> re.Pattern[str]:
    # Only * and ? are special: the brackets of [host]:port are not.
    parts = (".*" if char == "*" else "." if char == "?" else re.escape(char) for char in re.sub(r"\*+", "*", name))
    return re.compile("".join(parts), re.DOTALL)


def spelled_name(name: str, port: int) -> str:
    """The host as a line of known_hosts names it."""
    return name.lower() if port == 22 else f"[{name.lower()}]:{port}"


def _shown(spelled: str) -> str:
    return clean(spelled, limit=120)


def _hash_of(field: str) -> tuple[bytes, bytes]:
    parts = field.split("|")
    if len(parts) != 4 or parts[1] != "1":
        raise ValueError("the hashed name is not of the form |1|salt|hash")
    return base64.b64decode(parts[2], validate=True), base64.b64decode(parts[3], validate=True)


def _blob(type_: str, text: str) -> bytes:
    blob = base64.b64decode(text, validate=True)
    head = type_.encode()
    if not blob.startswith(len(head).to_bytes(4, "big") + head):
        raise ValueError(f"the key is not of the type {type_}")
    return blob
