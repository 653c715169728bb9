"""Commands over real hosts: what is printed, what is asked, what the codes are."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from sysfleet.errors import ExitCode
from sysfleet.lab import HostSpec, Lab
from sysfleet.outcome import report_from_json
from sysfleet.sample import sample_folder
from sysfleet.store.journal import load, runs
from tests.cli.conftest import Builder, Shell
from tests.support.lab import LabFactory

FILE = "/etc/sysctl.d/99-zz-sysfleet.conf"


@pytest.fixture
def fleet(lab_factory: LabFactory) -> Lab:
    """Four hosts, one a role, as they are before anybody hardens them."""
    return lab_factory(4, templates=sample_folder("templates"))


def test_the_whole_way_of_a_fleet(fleet: Lab, shell: Shell) -> None:
    """One lab for all of it, since each step is what the next one begins from."""
    project = ("--project", str(fleet.folder))

    checked = shell(*project, "check").gives(ExitCode.DRIFT)
    assert [line.split()[2] for line in checked.out.splitlines()[1:5]] == ["drifted"] * 4
    assert "\n4 hosts: 4 drifted\n" in checked.out
    assert "\n4 hosts: bastion1,db1,router1,web1\n  key  " in checked.out
    assert checked.err == ""

    planned = shell(*project, "plan", "--limit", "web1").gives(ExitCode.DRIFT)
    assert f"  +++ {FILE}\n" in planned.out
    assert "  +net.ipv4.tcp_rfc1337 = 1\n" in planned.out

    declined = shell(*project, "apply", typed="n\n").gives(ExitCode.DRIFT)
    assert declined.err == "apply to 4 hosts? [y/N] nothing was written\n"
    assert not (fleet.hosts["web1"].root / FILE[1:]).exists()

    rendered = shell(*project, "render", "web1").gives(ExitCode.OK)
    applied = shell(*project, "apply", typed="y\n").gives(ExitCode.OK)
    assert applied.out.endswith("\n4 hosts: 4 changed\n")
    assert fleet.hosts["web1"].read("net.ipv4.tcp_rfc1337") == "1"
    assert (fleet.hosts["web1"].root / FILE[1:]).read_text() == rendered.out

    again = shell(*project, "check").gives(ExitCode.OK)
    assert again.out.endswith("\n4 hosts: 4 ok\n")
    twice = shell(*project, "apply", typed="").gives(ExitCode.OK)
    assert (twice.out.splitlines()[-1], twice.err) == ("4 hosts: 4 ok", "")


def test_json_is_the_report_and_nothing_else(fleet: Lab, shell: Shell) -> None:
    ended = shell("--project", str(fleet.folder), "plan", "--format", "json", "-v").gives(ExitCode.DRIFT)
    found = report_from_json(ended.out.encode())
    assert json.loads(ended.out)["schema"] == 1
    assert (found.command, found.summary) == ("plan", {"hosts": 4, "drifted": 4})
    (journal,) = runs(fleet.folder)
    assert journal.stem == found.run
    assert sorted(row.host for row in load(journal).hosts) == [row.host for row in found.hosts]


def test_verbose_tells_each_host_as_it_is_done(fleet: Lab, shell: Shell) -> None:
    ended = shell("--project", str(fleet.folder), "check", "-v").gives(ExitCode.DRIFT)
    assert sorted(line.split()[:2] for line in ended.err.splitlines()) == [
        [f"{host}:", "drifted"] for host in ("bastion1", "db1", "router1", "web1")
    ]


def test_hosts_that_cannot_be_reached_have_rows_and_their_error_stands_once(shell: Shell, project: Builder) -> None:
    ended = shell("--project", project(), "check").gives(ExitCode.HOST_FAILED)
    assert [line.split()[0] for line in ended.out.splitlines()[:4]] == ["host", "db1", "web1", "web2"]
    assert "\n3 hosts: 3 unreachable\n" in ended.out
    assert sum("db1,web[1-2]: connect: " in line for line in ended.out.splitlines()) == 1


def test_a_file_cannot_be_rendered_without_its_host(shell: Shell, project: Builder) -> None:
    ended = shell("--project", project(), "render", "web1").gives(ExitCode.HOST_FAILED)
    assert ended.out == ""
    assert ended.err.startswith("sysfleet: web1: ")
    assert "there is no host wbe1" in shell("--project", project(), "render", "wbe1").gives(ExitCode.USAGE).err


def test_quiet_leaves_out_what_is_as_wanted_and_the_detail(
    lab_factory: LabFactory, shell: Shell, tmp_path: Path
) -> None:
    lab = lab_factory(HostSpec("web1", groups=("web",)), HostSpec("web2", groups=("web",), refuse=True))
    (lab.folder / "templates").mkdir()
    (lab.folder / "templates" / "base.conf.j2").write_text("net.ipv4.tcp_rfc1337 = 1\n")
    (lab.folder / "templates" / "web.conf.j2").write_text("")
    shell("--project", lab.folder, "apply", "--yes").gives(ExitCode.HOST_FAILED)
    lines = shell("--project", lab.folder, "check", "-q").gives(ExitCode.HOST_FAILED).out.splitlines()
    assert [line.split()[0] for line in lines[:2]] == ["host", "web2"]
    assert lines[3] == "2 hosts: 1 ok, 1 unreachable"


def launched(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sysfleet", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def test_an_interrupt_ends_the_run_with_a_row_for_every_host(lab_factory: LabFactory) -> None:
    lab = lab_factory(
        HostSpec("web1", groups=("web",)),
        HostSpec("web2", groups=("web",), hang=True),
        templates=sample_folder("templates"),
    )
    with launched("--project", str(lab.folder), "check", "-v", "--set", "ssh.connect_timeout_s=60") as running:
        assert running.stderr is not None
        assert running.stderr.readline().startswith("web1: drifted ")
        os.kill(running.pid, signal.SIGINT)
        out, err = running.communicate(timeout=30)
    assert running.returncode == ExitCode.INTERRUPTED, out + err
    assert [line.split()[0:3:2] for line in out.splitlines()[1:3]] == [["web1", "drifted"], ["web2", "interrupted"]]
    assert "interrupted: nothing new is begun" in err


def test_a_demo_that_is_stopped_takes_its_lab_down(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "sysfleet", "demo", "-n", "3"],
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        assert running.stdout is not None
        for line in running.stdout:
            if line.startswith("It is up"):
                break
        running.terminate()
        _, err = running.communicate(timeout=60)
    assert running.returncode == ExitCode.INTERRUPTED, err
    assert list(tmp_path.iterdir()) == []


def test_the_demo_tells_its_story(shell: Shell, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    ended = shell("demo", "-n", "3").gives(ExitCode.OK)
    steps = [line.split(":")[0] for line in ended.out.splitlines() if line.startswith("===")]
    assert steps == ["=== sysfleet check", "=== sysfleet plan", "=== sysfleet apply --yes", "=== sysfleet check"]
    assert list(tmp_path.iterdir()) == []
