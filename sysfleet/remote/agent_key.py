"""A key that an ssh-agent holds, in the shape that paramiko signs with. Of the agent it knows only `sign`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from paramiko.message import Message
from paramiko.pkey import PKey
from paramiko.ssh_exception import SSHException
from typing_extensions import override

if TYPE_CHECKING:
    from sysfleet.remote.agent import Agent

# draft-miller-ssh-agent, 4.5.1: which hash an RSA key signs with.
_FLAGS = {"rsa-sha2-256": 2, "rsa-sha2-512": 4}


class AgentKey(PKey):
    """Signs by asking the agent; a certificate is offered as the agent holds it."""

    # paramiko's own asks over one socket from several threads at once, and shows a certificate as its bare
    # key.

    def __init__(self, agent: Agent, blob: bytes) -> None:
        self.public_blob = None
        self._agent = agent
        self._blob = blob
        self._name = Message(blob).get_text()

    @override
    def asbytes(self) -> bytes:
        return self._blob

    @override
    def get_name(self) -> str:
        return self._name

    @override
    def can_sign(self) -> bool:
        return True

    @override
    def sign_ssh_data(self, data: bytes, algorithm: str | None = None) -> bytes:  # type: ignore[override]
        flags = next((flag for name, flag in _FLAGS.items() if (algorithm or "").startswith(name)), 0)
        signature = self._agent.sign(self._blob, data, flags)
        if signature is None:
            raise SSHException("the agent refuses to sign")
        return signature
