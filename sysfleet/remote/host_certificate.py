"""Host certificates: whether an authority that is trusted for a host has vouched for the key it shows.

Follows OpenSSH's PROTOCOL.certkeys. Refuses to know which authorities are trusted, and what time it is.
"""

from __future__ import annotations

from dataclasses import dataclass

from paramiko.message import Message
from paramiko.pkey import PKey, UnknownKeyType
from paramiko.ssh_exception import SSHException

from sysfleet.remote.known_hosts import HostKey, names_match

SUFFIX = "-cert-v01@openssh.com"

_HOST = 2
# How many fields of the public key stand between the nonce and the serial number.
_KEY_FIELDS = {"ssh-ed25519": 1, "ssh-rsa": 2, "ecdsa-sha2-nistp256": 2, "ecdsa-sha2-nistp384": 2} | {
    "ecdsa-sha2-nistp521": 2
}
_WEAK = frozenset({"ssh-rsa", "ssh-dss"})


@dataclass(frozen=True, slots=True)
class HostCertificate:
    """What a certificate says, and whether its signature is that of its authority."""

    authority: HostKey
    kind: int
    principals: tuple[str, ...]
    valid_from: int
    valid_until: int
    critical: bytes
    signed: bool

    def problem(self, name: str, authorities: tuple[HostKey, ...], now_s: float) -> str | None:
        """Why it does not make the host trusted under this name and at this time; None when it does."""
        if self.authority not in authorities:
            return f"its certificate is of an authority that is not trusted: {self.authority}"
        if not self.signed:
            return "the signature of its certificate is wrong"
        if self.kind != _HOST:
            return "its certificate is not for hosts"
        if not self.valid_from <= now_s < self.valid_until:
            return "its certificate is not valid at this time"
        if self.critical:
            return "its certificate has conditions that are not understood"
        if not any(names_match(principal, name) for principal in self.principals):
            return f"its certificate is not for this name, but for {', '.join(self.principals) or 'none'}"
        return None


def read_certificate(blob: bytes) -> HostCertificate | None:
    """The certificate in what a host shows as its key; None for what is none, or makes no sense."""
    message = Message(blob)
    try:
        type_ = message.get_text()
        if not type_.endswith(SUFFIX):
            return None
        for _ in range(1 + _KEY_FIELDS.get(type_.removesuffix(SUFFIX), 0)):
            message.get_binary()
        message.get_int64()  # serial number
        kind = message.get_int()
        message.get_binary()  # its name, for logs
        principals = _texts(message.get_binary())
        valid_from, valid_until = message.get_int64(), message.get_int64()
        critical = message.get_binary()
        message.get_binary()  # extensions
        message.get_binary()  # reserved
        authority = message.get_binary()
        body = message.get_so_far()
        signature = message.get_binary()
        signer = HostKey(Message(authority).get_text(), authority)
        signed = _signed(signer, body, signature)
    except (SSHException, UnknownKeyType, ValueError, IndexError):
        return None
    return HostCertificate(signer, kind, principals, valid_from, valid_until, critical, signed)


def _texts(packed: bytes) -> tuple[str, ...]:
    message = Message(packed)
    found = []
    while message.get_remainder():
        found.append(message.get_text())
    return tuple(found)


def _signed(signer: HostKey, body: bytes, signature: bytes) -> bool:
    if Message(signature).get_text() in _WEAK:
        return False
    key = PKey.from_type_string(signer.type, signer.blob)
    return bool(key.verify_ssh_sig(body, Message(signature)))
