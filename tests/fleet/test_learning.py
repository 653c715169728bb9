"""The project's file of host keys, and who is learned when names or answers are in the way."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from sysfleet.errors import UsageError
from sysfleet.fleet.host_keys_file import append, check_writable
from sysfleet.fleet.learning import in_parallel, unambiguous
from sysfleet.remote.known_hosts import HostKey, KnownHosts
from sysfleet.remote.learn import NewKey, new_key
from sysfleet.remote.target import Hop

HEAD = b"\0\0\0\x0bssh-ed25519"

# One run: it is told when to begin, so that several begin together.
RUN = """
import sys
from pathlib import Path
from tests.fleet.test_learning import key
from sysfleet.fleet.host_keys_file import append
keys = [key(f"10.0.{sys.argv[2]}.{n}", 1) for n in range(100)] + [key(f"10.9.9.{n}", 1) for n in range(100)]
print("ready", flush=True)
sys.stdin.readline()
for each in keys:
    append(Path(sys.argv[1]), [each])
"""
# A disk that takes half of it.
FULL = """
import resource, sys
from pathlib import Path
from tests.fleet.test_learning import key
from sysfleet.errors import UsageError
from sysfleet.fleet.host_keys_file import append
resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
try:
    append(Path(sys.argv[1]), [key("10.0.0.1", 1), key("10.0.0.2", 1)])
except UsageError as error:
    print(error)
"""


def key(address: str, number: int) -> NewKey:
    return new_key(Hop(name=address, address=address), HostKey("ssh-ed25519", HEAD + number.to_bytes(36, "big")))


def test_what_is_there_stays_with_its_mode_and_its_unended_last_line(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("# mine\r\nnonsense")
    path.chmod(0o640)
    new = [key("10.0.0.1", 1), key("10.0.0.2", 2)]
    assert append(path, new) == tuple(new)
    assert path.read_bytes() == f"# mine\r\nnonsense\n{new[0].line}\n{new[1].line}\n".encode()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640


def test_a_name_that_has_a_key_by_now_keeps_it(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    first = key("10.0.0.1", 1)
    append(path, [first])
    assert append(path, [key("10.0.0.1", 2), first]) == ()
    assert path.read_text() == f"{first.line}\n"


def test_runs_at_the_same_time_lose_no_line_and_write_none_twice(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", RUN, str(path), str(number)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        for number in range(3)
    ]
    for run in runs:
        assert run.stdout is not None
        assert run.stdout.readline() == b"ready\n"
    for run in runs:
        run.communicate(b"\n", timeout=60)
        assert run.returncode == 0
    lines = path.read_text().splitlines()
    assert len(lines) == len(set(lines)) == 400
    hosts = KnownHosts.load([path])
    assert hosts.notes == []


def test_a_full_disk_leaves_no_half_line(tmp_path: Path) -> None:
    path = tmp_path / "known_hosts"
    path.write_text("# mine\n")
    done = subprocess.run([sys.executable, "-c", FULL, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout.startswith(f"{path} cannot be written: ")
    assert path.read_text() == "# mine\n"


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    import os

    path = tmp_path / "known_hosts"
    os.mkfifo(path)
    for act in (lambda: check_writable(path), lambda: append(path, [key("10.0.0.1", 1)])):
        with pytest.raises(UsageError, match="cannot be written: it is not a file"):
            act()
    with pytest.raises(UsageError, match="cannot be written"):
        append(tmp_path / "no folder" / "known_hosts", [key("10.0.0.1", 1)])


def test_servers_that_share_a_name_and_not_a_key_are_left_out() -> None:
    one, other, alone = key("10.0.0.1", 1), key("10.0.0.1", 2), key("10.0.0.2", 3)
    assert unambiguous([one, alone, other]) == [alone]
    assert unambiguous([one, alone, one]) == [one, alone, one]


def test_what_is_not_back_in_time_is_none_and_holds_up_nobody() -> None:
    released = threading.Event()

    def work(number: int) -> int:
        if number == 1:
            released.wait()
        return number * 10

    try:
        assert in_parallel(work, [0, 1, 2], workers=2, limit_s=0.1) == [0, None, 20]
    finally:
        released.set()
    assert in_parallel(work, [], workers=2, limit_s=0.1) == []
