"""The seam to a host: run one program over an open connection.

Every way in (paramiko, netmiko, the OpenSSH client) satisfies `Session`; nothing above knows which one it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Completed:
    """A program that ran: exit status, both streams as bytes (already without the frame), seconds."""

    status: int
    stdout: bytes
    stderr: bytes
    elapsed_s: float


class Session(Protocol):
    """An open, verified connection to one host."""

    def run(self, program: bytes, *, deadline: float, limit_bytes: int, privileged: bool) -> Completed:
        """Run a shell program and wait for its end.

        `deadline` is a reading of `time.monotonic()`. Raises CommandTimeout after it, ConnectionLost when the
        connection ends first, PrivilegeDenied when `privileged` rights are not to be had, CommandFailed when
        more than `limit_bytes` come back or the program never began.
        """

    def close(self) -> None:
        """End the connection, from any thread, at once; a running program ends with ConnectionLost."""
