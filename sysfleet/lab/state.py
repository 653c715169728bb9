"""What a lab leaves in its folder for others to find: lab.json, and the socket that its supervisor answers on."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sysfleet.errors import SetupError, UsageError
from sysfleet.lab.processes import Process

SCHEMA = 1
LOG = "lab.log"
CLIENT_KEY = "id_ed25519"
_STATE = "lab.json"
_SOCKET = "lab.sock"
_ANSWER_TIMEOUT_S = 300.0


def exists(folder: Path) -> bool:
    """Whether there is a lab in this folder, running or not."""
    return (folder / _STATE).is_file()


def write(folder: Path, fields: Mapping[str, Any]) -> None:
    """Replace lab.json in one step."""
    beside = folder / f".{_STATE}.new"
    beside.write_text(json.dumps({"schema": SCHEMA, **fields}, indent=1), encoding="utf-8")
    beside.replace(folder / _STATE)


def read(folder: Path) -> dict[str, Any]:
    """What lab.json says; UsageError where there is no lab."""
    try:
        fields = json.loads((folder / _STATE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(f"there is no lab in {folder}", hint="sysfleet lab up --dir DIR makes one") from None
    except ValueError as error:
        raise UsageError(f"{folder / _STATE} cannot be read: {error}") from None
    if not isinstance(fields, dict) or fields.get("schema") != SCHEMA:
        raise UsageError(f"{folder / _STATE} was written by another version of sysfleet")
    return fields


def supervisor(fields: Mapping[str, Any]) -> Process | None:
    """The lab's daemon, if that very process still runs."""
    process = Process(*fields["supervisor"])
    return process if process.is_alive() else None


def listen(folder: Path) -> socket.socket:
    """Make the socket that the supervisor answers on, for its own user alone."""
    (folder / _SOCKET).unlink(missing_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    before = os.umask(0o077)
    try:
        with _short_path(folder) as path:
            listener.bind(path)
    finally:
        os.umask(before)
    listener.listen()
    return listener


def stop_listening(folder: Path) -> None:
    """Take the socket's file away."""
    (folder / _SOCKET).unlink(missing_ok=True)


def ask(folder: Path, **request: Any) -> dict[str, Any]:
    """Have the supervisor do something; its answer, or SetupError with what it says went wrong."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(_ANSWER_TIMEOUT_S)
        try:
            with _short_path(folder) as path:
                connection.connect(path)
            connection.sendall(json.dumps(request).encode() + b"\n")
            answer = json.loads(b"".join(iter(lambda: connection.recv(1 << 16), b"")))
        except (OSError, ValueError) as error:
            raise SetupError(f"the lab in {folder} does not answer: {error}", hint="see its lab.log") from error
    if "error" in answer:
        raise SetupError(str(answer["error"]))
    return dict(answer)


@contextmanager
def _short_path(folder: Path) -> Iterator[str]:
    """The socket's name within the 107 bytes that unix(7) allows, wherever the folder is."""
    handle = os.open(folder, os.O_PATH | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{handle}/{_SOCKET}"
    finally:
        os.close(handle)
