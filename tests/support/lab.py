"""Labs for tests: one small one for the session, and a factory for those that a test wants to itself.

`ssh` is a strict client of its own, so that the lab is not judged by the code that it is there to test.
"""

from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import asyncssh
import pytest

from sysfleet.errors import SetupError
from sysfleet.lab import HostSpec, Lab, LabHost, standard_hosts
from tests.support.skips import NOT_ON_THIS_KERNEL

LabFactory = Callable[..., Lab]

# What a lab can be made of; a test that takes `lab_kind` runs once with each.
LAB_KINDS: dict[str, dict[str, Any]] = {
    "openssh": {"mode": "namespaces", "backend": "openssh"},
    "asyncssh": {"mode": "namespaces", "backend": "asyncssh"},
    "folder": {"mode": "folder"},
}


class Answer(NamedTuple):
    """What a command over SSH gave."""

    status: int | None
    stdout: bytes
    stderr: bytes
    signal: str | None


def connect(lab: Lab, host: LabHost | str, **options: Any) -> Any:
    """A strict connection to a lab host, as asyncssh's `connect` gives it."""
    port = (lab.hosts[host] if isinstance(host, str) else host).port
    login = {"username": "root", "client_keys": [str(lab.client_key)], "known_hosts": str(lab.known_hosts)}
    return asyncssh.connect("127.0.0.1", port, config=None, agent_path=None, **{**login, **options})


def ssh(lab: Lab, host: LabHost | str, command: str, *, stdin: bytes = b"", **options: Any) -> Answer:
    """Run a command on a lab host as its operator would, with the lab's own key."""

    async def run() -> Answer:
        async with connect(lab, host, **options) as connection:
            done = await connection.run(command, input=stdin, encoding=None)
            signal = done.exit_signal[0] if done.exit_signal else None
            return Answer(None if signal else done.exit_status, _bytes(done.stdout), _bytes(done.stderr), signal)

    return asyncio.run(run())


def _bytes(data: object) -> bytes:
    assert isinstance(data, bytes)
    return data


def make_lab(folder: Path, hosts: int | list[HostSpec], **options: Any) -> Lab:
    """Bring up a lab, or skip where this machine cannot have that kind."""
    try:
        return Lab.up(folder, hosts, **options)
    except SetupError as error:
        if "namespaces are refused" in error.message:
            pytest.skip(f"{NOT_ON_THIS_KERNEL} {error.message}")
        if error.message.startswith("backend openssh needs"):
            pytest.skip(error.message)
        raise


@contextmanager
def one_lab_a_kind(folder: Path, hosts: list[HostSpec]) -> Iterator[Callable[[str], Lab]]:
    """A function that gives the lab of a kind, brought up when it is first asked for, whatever the order."""
    with ExitStack() as stack:

        @cache
        def lab_of(kind: str) -> Lab:
            lab = make_lab(folder / kind, hosts, **LAB_KINDS[kind])
            stack.callback(_discard, lab)
            return lab

        yield lab_of


@pytest.fixture
def lab_factory(tmp_path: Path) -> Iterator[LabFactory]:
    """Makes labs that end with the test: `lab_factory(4)` or `lab_factory(HostSpec(…), …, mode="folder")`."""
    labs: list[Lab] = []

    def make(*hosts: HostSpec | int, **options: Any) -> Lab:
        specs = [spec for part in hosts for spec in ([part] if isinstance(part, HostSpec) else standard_hosts(part))]
        labs.append(make_lab(tmp_path / f"lab{len(labs)}", specs, **options))
        return labs[-1]

    yield make
    for lab in labs:
        _discard(lab)


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Four standard hosts, one a role, of whatever kind this machine can have. Leave them as they were."""
    running = make_lab(tmp_path_factory.mktemp("session") / "lab", 4)
    yield running
    _discard(running)


@pytest.fixture(params=LAB_KINDS)
def lab_kind(request: pytest.FixtureRequest) -> dict[str, Any]:
    """Options for `lab_factory`: every kind of lab in turn."""
    return LAB_KINDS[request.param]


def _discard(lab: Lab) -> None:
    """Take a lab down; of its files only the thousands that stand for a kernel go at once."""
    lab.down()
    for host in lab.hosts.values():
        shutil.rmtree(host.root / "proc", ignore_errors=True)


def machine_processes(text: str) -> list[int]:
    """Numbers of the machine's processes whose command line holds this text, zombies left out."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal() and int(entry.name) != os.getpid():
            try:
                line = (entry / "cmdline").read_bytes()
            except OSError:
                continue
            if text.encode() in line.replace(b"\0", b" "):
                found.append(int(entry.name))
    return found
