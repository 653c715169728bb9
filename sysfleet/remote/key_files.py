"""One key file: what can sign, or the public half, or why it cannot be used.

Reads the formats that `ssh` reads: its own, PEM and PKCS#8, with a passphrase or without. Asks nobody by itself.
"""

from __future__ import annotations

import base64
import binascii
import copy
import re
from collections.abc import Callable
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from sysfleet.errors import SetupError
from sysfleet.remote.evidence import clean
from sysfleet.remote.packed import text

if TYPE_CHECKING:
    from paramiko.pkey import PKey

Passphrase = Callable[[str], str | None]
"""Gives the passphrase of a key file by its path, or None."""

HINT_FORMAT = "ed25519, ecdsa and rsa keys can be used; `ssh-keygen -p -f FILE` rewrites them in OpenSSH's format"
HINT_MISSING = "set [ssh] identity_files, or make a key with ssh-keygen"
_OPENSSH_MAGIC = b"openssh-key-v1\0"
_PUBLIC = re.compile(r"(?:ssh-|ecdsa-|sk-)[a-z0-9@.-]+ +([A-Za-z0-9+/=]+)")
_CERTIFICATE = b"-cert-v01@openssh.com"

Why = Literal["missing", "locked", "unusable"]


@dataclass(frozen=True, slots=True)
class KeyFile:
    """What is in a file: a key that can sign, or else why there is none; `public` is the public half, if that shows.

    `certificate` is what stands in a certificate's file, which has no key of its own.
    """

    path: Path
    key: PKey | None = None
    public: bytes | None = None
    certificate: bytes | None = None
    why: Why | None = None
    words: str = ""

    def refuse(self) -> SetupError:
        """The error for a file that was asked for by name."""
        hint = HINT_MISSING if self.why == "missing" else HINT_FORMAT
        return SetupError(f"cannot read the key {self.path}: {self.words}", hint=hint)


def read_key_file(path: Path, passphrase: Passphrase | None) -> KeyFile:
    """Read one file; never raises for what is in it, or that it is not there."""
    try:
        content = path.read_text("ascii", "replace")
    except OSError as error:
        return KeyFile(path, why="missing", words=error.strerror or str(error))
    public = _public_half(content)
    if public is not None:
        certificate = public if _CERTIFICATE in public[:64] else None
        return KeyFile(path, public=public, certificate=certificate)
    try:
        return _private(path, content, passphrase)
    except (ValueError, TypeError, binascii.Error) as error:
        return KeyFile(path, why="unusable", words=clean(str(error)))


def _private(path: Path, content: str, passphrase: Passphrase | None) -> KeyFile:
    from paramiko.ssh_exception import PasswordRequiredException, SSHException

    beside = path.with_name(path.name + ".pub")
    public = _shown(content)
    if public is None and beside.is_file():
        public = _public_half(beside.read_text("ascii", "replace"))
    secret: str | None = None
    try:
        return KeyFile(path, _opened(content, None), public)
    except PasswordRequiredException:
        secret = passphrase(str(path)) if passphrase is not None else None
    except SSHException as error:
        return KeyFile(path, public=public, why="unusable", words=clean(str(error)))
    if not secret:
        return KeyFile(path, public=public, why="locked", words="needs a passphrase")
    try:
        return KeyFile(path, _opened(content, secret), public)
    except (SSHException, ValueError):
        return KeyFile(path, public=public, why="locked", words="its passphrase is not accepted")


def _opened(content: str, secret: str | None) -> PKey:
    if "-----BEGIN OPENSSH PRIVATE KEY-----" not in content:
        content, secret = _rewritten(content, secret), None
    return _kind(content).from_private_key(StringIO(content), password=secret)


def _rewritten(content: str, secret: str | None) -> str:
    """A key in PEM or PKCS#8, as OpenSSH writes it; what opens it is the library's."""
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives import serialization
    from paramiko.ssh_exception import PasswordRequiredException

    if "PRIVATE KEY-----" not in content:
        raise ValueError("it is of no kind that can be used here")
    try:
        key = serialization.load_pem_private_key(content.encode(), secret.encode() if secret else None)
        text_bytes = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
        )
    except TypeError as error:
        if secret is None:
            raise PasswordRequiredException(str(error)) from error
        raise ValueError(str(error)) from error
    except UnsupportedAlgorithm as error:
        raise ValueError(str(error)) from error
    return text_bytes.decode()


def _kind(content: str) -> type[PKey]:
    from paramiko import ECDSAKey, Ed25519Key, RSAKey

    blob = _shown(content)
    name = text(blob)[0] if blob is not None else b""
    if name == b"ssh-rsa":
        return RSAKey
    if name == b"ssh-ed25519":
        return Ed25519Key
    if name.startswith(b"ecdsa-sha2-nistp"):
        return ECDSAKey
    raise ValueError("it is of no kind that can be used here")


def _shown(content: str) -> bytes | None:
    """The public half, which OpenSSH's own format shows even of a locked key; None for any other format."""
    _, begin, rest = content.partition("-----BEGIN OPENSSH PRIVATE KEY-----")
    body, end, _ = rest.partition("-----END")
    if not begin or not end:
        return None
    data = base64.b64decode(body)
    if not data.startswith(_OPENSSH_MAGIC):
        return None
    rest_of_key = data[len(_OPENSSH_MAGIC) :]
    for _ in ("cipher", "key derivation", "its options"):
        _, rest_of_key = text(rest_of_key)
    return text(rest_of_key[4:])[0]


def _public_half(content: str) -> bytes | None:
    found = _PUBLIC.match(content)
    if found is None:
        return None
    try:
        return base64.b64decode(found[1], validate=True)
    except binascii.Error:
        return None


def certified(key: PKey, certificate: bytes, path: Path) -> PKey | None:
    """The key with a certificate in the file at `path`, if it is that key's; paramiko would take any."""
    own = text(key.asbytes())[1]
    _, nonce_and_rest = text(certificate)
    if not text(nonce_and_rest)[1].startswith(own):
        return None
    signed = copy.copy(key)
    signed.load_certificate(str(path))
    return signed
