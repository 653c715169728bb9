"""Up, kill, restart, down: what begins, what ends with what, and what outlives what."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sysfleet.errors import FleetError, UsageError
from sysfleet.lab import HostSpec, Lab
from sysfleet.lab.processes import Process
from tests.support.lab import LabFactory, machine_processes, ssh

_STAYS = "setsid sh -c 'exec sleep {mark}' </dev/null >/dev/null 2>&1 & echo started"


def _leave_something_running(lab: Lab, host: str) -> str:
    """Start a process that survives its session, as a watchdog does; a text that its command line holds."""
    mark = f"8{os.getpid()}.{lab.hosts[host].port}"
    assert ssh(lab, host, _STAYS.format(mark=mark)).stdout == b"started\n"
    assert machine_processes(f"sleep {mark}")
    return f"sleep {mark}"


def _answers(lab: Lab, host: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", lab.hosts[host].port), 5) as connection:
            return connection.recv(4) == b"SSH-"
    except ConnectionRefusedError:
        return False


def test_killing_a_host_ends_everything_it_started_and_no_other(
    lab_factory: LabFactory, lab_kind: dict[str, Any]
) -> None:
    lab = lab_factory(HostSpec("a"), HostSpec("b"), **lab_kind)
    on_a, on_b = _leave_something_running(lab, "a"), _leave_something_running(lab, "b")
    lab.hosts["a"].kill()
    assert machine_processes(on_a) == []
    assert machine_processes(on_b)
    assert not _answers(lab, "a")
    assert _answers(lab, "b")
    assert [(host.name, host.state) for host in lab.status()] == [("a", "down"), ("b", "up")]
    with pytest.raises(FleetError, match="not up"):
        lab.hosts["a"].read("net.ipv4.ip_forward")


def test_killing_the_supervisor_ends_every_host(lab_factory: LabFactory, lab_kind: dict[str, Any]) -> None:
    lab = lab_factory(HostSpec("a"), HostSpec("b"), **lab_kind)
    left = [_leave_something_running(lab, name) for name in lab.hosts]
    hosts = [host.process for host in lab.hosts.values()]
    supervisor = Process(*json.loads((lab.folder / "lab.json").read_text(encoding="utf-8"))["supervisor"])
    os.kill(supervisor.pid, signal.SIGKILL)
    for process in [supervisor, *hosts]:
        assert process is not None
        assert process.wait(30)
    assert [machine_processes(mark) for mark in left] == [[], []]
    assert not lab.is_running()
    assert {host.state for host in lab.status()} == {"down"}
    lab.down()


def test_down_ends_everything_and_can_be_said_twice(lab_factory: LabFactory, lab_kind: dict[str, Any]) -> None:
    lab = lab_factory(HostSpec("a"), HostSpec("b"), **lab_kind)
    left = _leave_something_running(lab, "a")
    Lab.load(lab.folder).down()
    assert machine_processes(left) == []
    assert machine_processes(str(lab.folder)) == []
    assert not lab.is_running()
    lab.down()


def test_a_lab_ends_with_the_process_that_made_it(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    program = (
        "import os, signal, pathlib; from sysfleet.lab import Lab;"
        f"Lab.up(pathlib.Path({str(folder)!r}), 1); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, env=_environment())
    assert done.returncode == -signal.SIGKILL
    fields = json.loads((folder / "lab.json").read_text(encoding="utf-8"))
    assert Process(*fields["supervisor"]).wait(30)
    assert not Lab.load(folder).is_running()


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])}


def test_a_lab_can_outlive_the_process_that_made_it(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    program = f"import pathlib; from sysfleet.lab import Lab; Lab.up(pathlib.Path({str(folder)!r}), 1, outlive=True)"
    subprocess.run([sys.executable, "-c", program], check=True, env=_environment())
    lab = Lab.load(folder)
    try:
        assert ssh(lab, "web1", "true").status == 0
    finally:
        lab.down()


def test_a_restart_gives_fresh_values_and_a_new_boot_id_and_keeps_files(
    lab_factory: LabFactory, lab_kind: dict[str, Any]
) -> None:
    lab = lab_factory(HostSpec("a", values={"net.ipv4.ip_forward": "1"}), **lab_kind)
    host = lab.hosts["a"]
    shown = 'cat "$SYSFLEET_STAND_IN/proc/sys/kernel/random/boot_id"'
    before = ssh(lab, "a", shown).stdout.decode().strip()
    host.write("net.ipv4.tcp_fin_timeout", "23")
    ssh(lab, "a", 'for at in etc run var/lib root tmp; do echo yes >"$SYSFLEET_STAND_IN/$at/mine"; done')
    left = _leave_something_running(lab, "a")
    assert host.read("net.ipv4.ip_forward") == "1"
    lab.restart("a")
    after = ssh(lab, "a", shown).stdout.decode().strip()
    assert before != after == host.boot_id
    assert host.read("net.ipv4.ip_forward") == "0"
    assert host.read("net.ipv4.tcp_fin_timeout") != "23"
    assert machine_processes(left) == []
    listed = ssh(lab, "a", 'cd "$SYSFLEET_STAND_IN/"; ls -d etc/mine run/mine var/lib/mine root/mine tmp/mine')
    assert listed.stdout.split() == [b"etc/mine", b"root/mine", b"var/lib/mine"]


def test_a_restart_of_one_host_leaves_the_others_alone(lab_factory: LabFactory) -> None:
    lab = lab_factory(HostSpec("a"), HostSpec("b"))
    before = lab.hosts["b"].process
    lab.restart("a")
    assert lab.hosts["b"].process == before
    assert _answers(lab, "a")


def test_a_killed_host_comes_back_on_its_own_port(lab_factory: LabFactory, lab_kind: dict[str, Any]) -> None:
    lab = lab_factory(HostSpec("a"), **lab_kind)
    lab.hosts["a"].kill()
    lab.restart("a")
    assert ssh(lab, "a", "echo back").stdout == b"back\n"


def test_a_host_whose_init_is_killed_is_seen_to_be_down(lab_factory: LabFactory) -> None:
    lab = lab_factory(HostSpec("a"))
    process = lab.hosts["a"].process
    assert process is not None
    process.signal()
    assert process.wait(30)
    assert [host.state for host in lab.status()] == ["down"]
    lab.restart("a")
    assert ssh(lab, "a", "true").status == 0


def test_a_folder_holds_one_running_lab(lab_factory: LabFactory) -> None:
    lab = lab_factory(1)
    with pytest.raises(UsageError, match="already up"):
        Lab.up(lab.folder, 1)
    lab.down()
    with Lab.up(lab.folder, 1) as again:
        assert ssh(again, "web1", "true").status == 0


def test_a_folder_with_other_things_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(UsageError, match="not empty"):
        Lab.up(tmp_path, 1)


def test_a_file_is_no_folder_for_a_lab(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match="cannot be a lab's folder"):
        Lab.up(tmp_path / "file", 1)


def test_a_folder_without_a_lab_says_so(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no lab"):
        Lab.load(tmp_path)


def test_an_unknown_host_cannot_be_restarted(lab: Lab) -> None:
    with pytest.raises(UsageError, match="no host nobody"):
        lab.restart("nobody")


def test_a_lab_that_cannot_come_up_leaves_nothing_running(tmp_path: Path) -> None:
    folder = tmp_path / "lab"
    with pytest.raises(FleetError, match=r"a does not come up: net\.ipv4\.no_such_key = 1"):
        Lab.up(folder, [HostSpec("a", values={"net.ipv4.no_such_key": "1"})])
    assert machine_processes(str(folder)) == []
    with Lab.up(folder, 1) as lab:
        assert list(lab.hosts) == ["web1"]
