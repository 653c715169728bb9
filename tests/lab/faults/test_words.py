"""What hosts say that lie: bounded by who listens, and with a frame as forged as it can be."""

import asyncio
from pathlib import Path

import pytest

from sysfleet.lab import Lab
from sysfleet.lab.faults.shell import BINARY, ESCAPES, OTHER_MARK
from sysfleet.lab.processes import Process, descendants
from tests.support.lab import connect, ssh

_MARK = "00112233445566778899aabbccddeeff"
_UPLOAD = f"noise\nsysfleet-mark:{_MARK}\necho never run\n".encode()
_BEGIN, _END = f"\n{_MARK} begin\n".encode(), f"\n{_MARK} end 0\n".encode()
_ENOUGH_BYTES = 20_000_000
_TIMEOUT_S = 30


def _listen_for_a_while(lab: Lab, name: str) -> tuple[bytes, list[Process]]:
    """The first of what the host sends, and the processes that sent it."""
    init = lab.hosts[name].process
    assert init is not None

    async def run() -> tuple[bytes, list[Process]]:
        async with connect(lab, name) as connection:
            process = await connection.create_process("true", encoding=None)
            process.stdin.write(_UPLOAD)
            heard = bytearray()
            while len(heard) < _ENOUGH_BYTES:
                heard += await process.stdout.read(1 << 20)
            flood = [pid for pid in descendants(init.pid) if _name(pid) in {"yes", "head", "tr"}]
            found = [process for pid in flood if (process := Process.of(pid)) is not None]
            connection.abort()
            return bytes(heard), found

    return asyncio.run(run())


@pytest.mark.parametrize("name", ["floods", "floods-in-frame", "endless-line"])
def test_a_flood_goes_on_until_nobody_listens(faulty: Lab, name: str) -> None:
    heard, processes = _listen_for_a_while(faulty, name)
    assert (_BEGIN in heard) == (name == "floods-in-frame")
    assert _END not in heard
    assert (b"\n" in heard) == (name != "endless-line")
    assert len(processes) == 2
    assert all(process.wait(_TIMEOUT_S) for process in processes)
    assert faulty.hosts[name].run(["true"]).returncode == 0


def _name(pid: int) -> str:
    return Path(f"/proc/{pid}/comm").read_text(encoding="utf-8").strip()


def test_binary_comes_before_the_frame_and_in_it(faulty: Lab) -> None:
    answer = ssh(faulty, "sends-binary", "true", stdin=_UPLOAD)
    before, begin, rest = answer.stdout.partition(_BEGIN)
    assert before.startswith(BINARY)
    assert (begin, rest) == (_BEGIN, BINARY + _END)
    assert answer.status == 0


def test_escapes_come_on_both_streams_and_in_the_frame(faulty: Lab) -> None:
    answer = ssh(faulty, "sends-escapes", "true", stdin=_UPLOAD)
    assert answer.stdout.startswith(ESCAPES)
    assert answer.stdout.endswith(_BEGIN + ESCAPES + _END)
    assert (answer.status, answer.stderr) == (0, ESCAPES)
    assert {b"\x1b[2J", b"\x1b]0;", b"\r", b"\x9b"} <= {each for each in _SIGNS if each in ESCAPES}


_SIGNS = (b"\x1b[2J", b"\x1b]0;", b"\r", b"\x9b")


def test_the_frame_of_another_host_comes_and_ends_ours(faulty: Lab) -> None:
    answer = ssh(faulty, "sends-other-mark", "true", stdin=_UPLOAD)
    other_end = f"\n{OTHER_MARK} end 0\n".encode()
    assert f"\n{OTHER_MARK} begin\n".encode() in answer.stdout
    assert answer.stdout.count(other_end) == 2
    assert answer.stdout.index(other_end) < answer.stdout.index(_BEGIN)
    assert _END not in answer.stdout
    assert answer.status == 0


@pytest.mark.parametrize("name", ["sends-binary", "sends-escapes", "sends-other-mark"])
def test_a_liar_runs_nothing_that_it_is_sent(faulty: Lab, name: str) -> None:
    ssh(faulty, name, "touch /root/run", stdin=_UPLOAD.replace(b"echo never run", b"touch /root/run"))
    assert faulty.hosts[name].run(["ls", "/root/run"]).returncode != 0


def test_a_session_without_path_has_none_in_its_environment(faulty: Lab) -> None:
    answer = ssh(faulty, "no-path", "/usr/bin/env; exit 7")
    assert answer.status == 7
    assert not [line for line in answer.stdout.splitlines() if line.startswith(b"PATH=")]
    assert b"HOME=/root" in answer.stdout
