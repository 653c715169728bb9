"""An SSH server from PyPI alone for a lab host: public keys, and commands run by the login shell.

Runs as a process of its own on a socket it inherits; `sysfleet.lab.hostinit` and `standin` start it. Once it
serves, its Python's own files may be out of sight, so everything it needs is imported before.
"""

from __future__ import annotations

import asyncio
import asyncio.streams
import concurrent.futures.thread
import encodings.idna
import os
import signal
import socket
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import asyncssh
from typing_extensions import override

from sysfleet.lab import etc
from sysfleet.lab.faults.files import BANNER

# asyncio asks for these when it first needs them.
_NEEDED_LATER = (concurrent.futures.thread, encodings.idna)

_CHUNK_BYTES = 1 << 16
_LOGIN_TIMEOUT_S = 60
# What the client may close under us at any time.
_GONE = (BrokenPipeError, ConnectionResetError, asyncssh.Error)


def run(listener: socket.socket, root: Path, environment: Mapping[str, str]) -> None:
    """Serve for ever; `root` is where the host's files are, SHELL in `environment` runs the commands."""
    os.chdir(environment["HOME"])
    with asyncio.Runner() as runner:
        runner.run(_Server(root, environment).serve(listener))


class _Login(asyncssh.SSHServer):
    """Lets root in with a key of the host's own list."""

    def __init__(self, root: Path) -> None:
        self._authorized_keys = root / etc.AUTHORIZED_KEYS
        self._banner = root / BANNER
        self._connection: asyncssh.SSHServerConnection | None = None

    @override
    def connection_made(self, conn: asyncssh.SSHServerConnection) -> None:
        self._connection = conn

    @override
    def begin_auth(self, username: str) -> bool:
        if self._connection is not None and username == "root":
            self._connection.set_authorized_keys(str(self._authorized_keys))
            if self._banner.exists():
                self._connection.send_auth_banner(self._banner.read_text(encoding="utf-8"))
        return True


class _Server:
    def __init__(self, root: Path, environment: Mapping[str, str]) -> None:
        self._root = root
        self._environment = environment
        self._endings: dict[int, asyncio.Future[int]] = {}

    async def serve(self, listener: socket.socket) -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGCHLD, self._reap)
        acceptor = await asyncssh.listen(
            sock=listener,
            config=None,
            server_factory=lambda: _Login(self._root),
            server_host_keys=[str(self._root / etc.HOST_KEY)],
            process_factory=self._run_command,
            encoding=None,
            login_timeout=_LOGIN_TIMEOUT_S,
            allow_pty=False,
            agent_forwarding=False,
        )
        await acceptor.wait_closed()

    def _reap(self) -> None:
        """Collect every child that has ended, adopted ones too."""
        with suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    break
                if pid in self._endings:
                    self._endings.pop(pid).set_result(os.waitstatus_to_exitcode(status))

    def _spawn(self, command: str | None, peer: tuple[Any, ...]) -> tuple[int, list[int]]:
        """Start the shell; our ends of its standard streams and its number."""
        shell = self._environment["SHELL"]
        words = [shell, "-c", command] if command is not None else [f"-{Path(shell).name}"]
        connection = {"SSH_CONNECTION": f"{peer[0]} {peer[1]} 127.0.0.1 22", "SSH_CLIENT": f"{peer[0]} {peer[1]} 22"}
        environment = {**self._environment, **connection}
        stdin, to_stdin = os.pipe()
        from_stdout, stdout = os.pipe()
        from_stderr, stderr = os.pipe()
        theirs = [stdin, stdout, stderr]
        try:
            pid = os.posix_spawn(
                shell,
                words,
                environment,
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, number) for number, fd in enumerate(theirs)],
                setsid=True,
                # Python ignores these two; programs expect the default.
                setsigdef=[signal.SIGPIPE, signal.SIGXFSZ],
            )
        finally:
            for fd in theirs:
                os.close(fd)
        return pid, [to_stdin, from_stdout, from_stderr]

    async def _run_command(self, process: asyncssh.SSHServerProcess[bytes]) -> None:
        peer = process.get_extra_info("peername")
        pid, ours = self._spawn(process.command, peer)
        ending: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._endings[pid] = ending
        feeding = asyncio.create_task(_feed(process.stdin, ours[0]))
        # As with OpenSSH, a command lives on when its client has gone; its next write fails.
        await asyncio.gather(_drain(ours[1], process.stdout), _drain(ours[2], process.stderr))
        status = await ending
        feeding.cancel()
        with suppress(*_GONE):
            if status < 0:
                process.exit_with_signal(signal.Signals(-status).name.removeprefix("SIG"))
            else:
                process.exit(status)


async def _feed(source: asyncssh.SSHReader[bytes], fd: int) -> None:
    """Pass what the client sends to the program's input, no faster than it reads."""
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(fd, "wb", 0))
    writer = asyncio.StreamWriter(transport, protocol, None, loop)
    try:
        with suppress(*_GONE):
            while chunk := await source.read(_CHUNK_BYTES):
                writer.write(chunk)
                await writer.drain()
    finally:
        writer.close()


async def _drain(fd: int, target: asyncssh.SSHWriter[bytes]) -> None:
    """Pass what the program writes to the client, no faster than that takes it."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader(limit=_CHUNK_BYTES)
    transport, _ = await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", 0))
    try:
        with suppress(*_GONE):
            while chunk := await reader.read(_CHUNK_BYTES):
                target.write(chunk)
                await target.drain()
    finally:
        transport.close()
