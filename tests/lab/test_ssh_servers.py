"""What both SSH servers of the lab owe a client, with and without namespaces."""

import asyncio
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import asyncssh
import pytest

from sysfleet.lab import HostSpec, Lab
from tests.support.lab import LAB_KINDS, connect, one_lab_a_kind, ssh


@pytest.fixture(scope="module")
def labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Lab]]:
    specs = [HostSpec("a"), HostSpec("b", shell="/bin/bash")]
    with one_lab_a_kind(tmp_path_factory.mktemp("servers"), specs) as lab_of:
        yield lab_of


@pytest.fixture(params=LAB_KINDS)
def lab_of_two(request: pytest.FixtureRequest, labs: Callable[[str], Lab]) -> Lab:
    return labs(request.param)


def test_status_and_both_streams_come_back_apart(lab_of_two: Lab) -> None:
    answer = ssh(lab_of_two, "a", "echo out; echo err >&2; exit 7")
    assert (answer.status, answer.stdout, answer.stderr) == (7, b"out\n", b"err\n")


def test_a_signal_is_told_by_name(lab_of_two: Lab) -> None:
    assert ssh(lab_of_two, "a", "kill -TERM $$").signal == "TERM"


def test_every_byte_passes_in_and_out(lab_of_two: Lab) -> None:
    data = bytes(range(256)) * 4096
    assert ssh(lab_of_two, "a", "cat", stdin=data).stdout == data


def test_much_output_comes_whole(lab_of_two: Lab) -> None:
    answer = ssh(lab_of_two, "a", "head -c 20000000 /dev/zero; head -c 3000000 /dev/zero >&2")
    assert (answer.status, len(answer.stdout), len(answer.stderr)) == (0, 20_000_000, 3_000_000)


def test_much_input_waits_for_a_program_that_does_not_read_yet(lab_of_two: Lab) -> None:
    data = os.urandom(8_000_000)

    async def run() -> bytes:
        async with connect(lab_of_two, "a") as connection:
            reader = await connection.create_process("until [ -e go ]; do sleep 0.05; done; sha256sum", encoding=None)
            reader.stdin.write(data)
            reader.stdin.write_eof()
            await connection.run("touch go", check=True)
            done = await reader.wait()
            await connection.run("rm go", check=True)
            return bytes(done.stdout)

    assert asyncio.run(run()).split()[0].decode() == hashlib.sha256(data).hexdigest()


def test_a_program_that_reads_nothing_ends_all_the_same(lab_of_two: Lab) -> None:
    assert ssh(lab_of_two, "a", "exit 3", stdin=b"x" * 4_000_000).status == 3


def test_the_login_shell_runs_the_command(lab_of_two: Lab) -> None:
    assert ssh(lab_of_two, "a", 'echo "${BASH_VERSION:+bash}"').stdout == b"\n"
    assert ssh(lab_of_two, "b", 'echo "${BASH_VERSION:+bash}"').stdout == b"bash\n"


def test_a_command_starts_in_an_empty_home(lab_of_two: Lab) -> None:
    answer = ssh(lab_of_two, "a", 'test "$PWD" = "$HOME" && ls -A')
    assert (answer.status, answer.stdout) == (0, b"")


def test_python_leaves_no_ignored_signal_behind(lab_of_two: Lab) -> None:
    ignored = ssh(lab_of_two, "a", "grep SigIgn /proc/self/status").stdout.split()[1]
    assert not int(ignored, 16) & 1 << 12, "SIGPIPE is ignored"


def test_a_key_that_was_not_made_for_the_lab_is_refused(lab_of_two: Lab) -> None:
    stranger = asyncssh.generate_private_key("ssh-ed25519")
    with pytest.raises(asyncssh.PermissionDenied):
        ssh(lab_of_two, "a", "true", client_keys=[stranger])


def test_only_root_gets_in(lab_of_two: Lab) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        ssh(lab_of_two, "a", "true", username="nobody")


def test_no_password_is_taken(lab_of_two: Lab) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        ssh(lab_of_two, "a", "true", client_keys=[], password="")


def test_every_host_has_a_key_of_its_own(lab_of_two: Lab, tmp_path: Path) -> None:
    a, b = lab_of_two.hosts["a"], lab_of_two.hosts["b"]
    assert a.host_key != b.host_key
    swapped = tmp_path / "known_hosts"
    swapped.write_text(f"[127.0.0.1]:{a.port} {b.host_key}\n", encoding="utf-8")
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        ssh(lab_of_two, "a", "true", known_hosts=str(swapped))


def test_many_commands_at_once_do_not_mix(lab_of_two: Lab) -> None:
    async def run() -> list[bytes]:
        async with connect(lab_of_two, "a") as connection:
            running = (connection.run(f"cat; echo {n}", input=b"%d " % n, encoding=None) for n in range(8))
            return [done.stdout for done in await asyncio.gather(*running)]

    assert asyncio.run(run()) == [b"%d %d\n" % (n, n) for n in range(8)]
