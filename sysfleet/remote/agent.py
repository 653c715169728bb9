"""An ssh-agent: which keys it holds, and its signatures (draft-miller-ssh-agent). Knows no file and no host."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

from sysfleet.errors import SetupError
from sysfleet.remote.evidence import clean
from sysfleet.remote.packed import number, sized, text

if TYPE_CHECKING:
    from sysfleet.remote.agent_key import AgentKey

_TIMEOUT_S = 10.0
_LIMIT_BYTES = 1 << 20
# draft-miller-ssh-agent, 5.1
_REQUEST_IDENTITIES, _IDENTITIES_ANSWER, _SIGN_REQUEST, _SIGN_RESPONSE = 11, 12, 13, 14


class Agent:
    """One connection to an ssh-agent, shared by all threads; asked for one signature at a time."""

    def __init__(self, path: str) -> None:
        self._lock = threading.Lock()
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            self._socket.settimeout(_TIMEOUT_S)
            self._socket.connect(path)
        except OSError as error:
            self._socket.close()
            raise SetupError(
                f"the ssh-agent at {path} cannot be reached: {error.strerror or error}",
                hint="start it, or unset SSH_AUTH_SOCK",
            ) from error

    def held(self) -> list[tuple[AgentKey, str]]:
        """The keys that the agent holds now, each with its comment, cleaned."""
        from sysfleet.remote.agent_key import AgentKey

        kind, answer = self._ask(bytes([_REQUEST_IDENTITIES]))
        if kind != _IDENTITIES_ANSWER:
            raise SetupError(f"the ssh-agent at {self._path} gives no keys")
        try:
            count, rest = number(answer)
            found = []
            for _ in range(count):
                blob, rest = text(rest)
                comment, rest = text(rest)
                found.append((AgentKey(self, blob), clean(comment)))
        except (ValueError, IndexError) as error:
            raise SetupError(f"the ssh-agent at {self._path} is not understood") from error
        return found

    def sign(self, blob: bytes, data: bytes, flags: int) -> bytes | None:
        """The agent's signature over the data, or None when it refuses."""
        request = bytes([_SIGN_REQUEST]) + sized(blob) + sized(data) + flags.to_bytes(4, "big")
        kind, answer = self._ask(request)
        return text(answer)[0] if kind == _SIGN_RESPONSE else None

    def close(self) -> None:
        """End the connection."""
        self._socket.close()

    def _ask(self, message: bytes) -> tuple[int, bytes]:
        with self._lock:
            self._socket.sendall(sized(message))
            size, _ = number(self._read(4))
            if not 0 < size <= _LIMIT_BYTES:
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
