"""Real SSH servers on loopback: OpenSSH's sshd, one process a connection, with keys made for the test."""

from __future__ import annotations

import getpass
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support.needs import needs


def make_key(path: Path, kind: str = "ed25519", passphrase: str = "") -> Path:
    """A key pair; the path of the private half."""
    subprocess.run([needs("ssh-keygen"), "-q", "-t", kind, "-N", passphrase, "-C", "", "-f", str(path)], check=True)
    return path


def public(path: Path) -> str:
    """The public half, type and key."""
    return " ".join(path.with_name(path.name + ".pub").read_text().split()[:2])


class Server:
    """Listens on a port that the system chose, and starts an sshd for each connection."""

    def __init__(self, folder: Path, *options: str) -> None:
        folder.mkdir(exist_ok=True)
        self.user = getpass.getuser()
        self.host_key = make_key(folder / "host_key")
        self.authorized = folder / "authorized_keys"
        self.authorized.touch()
        self._log = (folder / "log").open("wb")
        self._config = folder / "sshd_config"
        settings = [
            *options,
            f"HostKey {self.host_key}",
            f"AuthorizedKeysFile {self.authorized}",
            "StrictModes no",
            "UsePAM no",
            "PidFile none",
            "LogLevel ERROR",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
        ]
        self._config.write_text("\n".join(settings) + "\n")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)  # sshd wants it, also where it is not used
        self._program = needs("sshd")
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._sessions: list[subprocess.Popen[bytes]] = []
        self.connections = 0
        self.to_drop: list[bytes] = []  # what the next connections hear instead of a banner
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def known_hosts_line(self) -> str:
        """The line that makes this server known."""
        return f"[127.0.0.1]:{self.port} {public(self.host_key)}\n"

    def authorize(self, key: Path, options: str = "") -> None:
        """Let this key log in."""
        with self.authorized.open("a") as file:
            file.write(f"{options} {public(key)}\n".lstrip())

    def kill(self) -> None:
        """End every connection as a crash would: all processes of it, at once."""
        for session in self._sessions:
            # The server before its children: it must not live to tell that one of them died.
            for pid in reversed(list(_tree(session.pid))):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            session.wait()
        self._sessions.clear()

    def configure(self, *options: str) -> None:
        """Further options of sshd_config, for the connections to come."""
        self._config.write_text("\n".join(options) + "\n" + self._config.read_text())

    @contextmanager
    def hanging(self) -> Iterator[None]:
        """Stop every process of every connection for the time of the block: nothing is read, nothing answered."""
        pids = [pid for session in self._sessions for pid in _tree(session.pid)]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in pids:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def close(self) -> None:
        """Stop listening, and end every connection."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        self.kill()
        self._log.close()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            with connection:
                if self.to_drop:
                    connection.sendall(self.to_drop.pop(0))
                    continue
                self._sessions.append(
                    subprocess.Popen(
                        [self._program, "-i", "-e", "-f", str(self._config)],
                        stdin=connection.fileno(),
                        stdout=connection.fileno(),
                        stderr=self._log,
                    )
                )


def _tree(pid: int) -> Iterator[int]:
    with suppress(OSError):
        for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
            yield from _tree(int(child))
    yield pid


@contextmanager
def server(folder: Path, *options: str) -> Iterator[Server]:
    """A server for the time of the block."""
    one = Server(folder, *options)
    try:
        yield one
    finally:
        one.close()


@contextmanager
def silent_port() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]
