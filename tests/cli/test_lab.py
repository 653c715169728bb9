"""`sysfleet lab`: up, status, restart and down, with hosts that differ as they are told to."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from sysfleet.errors import ExitCode
from sysfleet.lab import Fault, Lab
from tests.cli.conftest import Shell
from tests.support.needs import needs, needs_namespaces

DIFFERENT = (
    *("--value", "net.ipv4.tcp_fin_timeout=45"),
    *("--rival", "net.ipv4.tcp_rfc1337=0"),
    *("--absent", "net.ipv4.tcp_sack"),
)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "lab"
    yield path
    if (path / "lab.json").exists():
        Lab.load(path).down()


def test_a_lab_goes_up_and_down_and_its_hosts_are_as_they_were_told_to_be(shell: Shell, folder: Path) -> None:
    up = shell("lab", "up", "-n", "2", "--dir", str(folder), *DIFFERENT).gives(ExitCode.OK)
    assert up.out.startswith(f"2 hosts up in {folder}")
    status = shell("lab", "status", "--dir", str(folder)).gives(ExitCode.OK)
    assert [line.split()[:2] for line in status.out.splitlines()[1:3]] == [["web1", "up"], ["db1", "up"]]
    host = Lab.load(folder).hosts["web1"]
    assert host.read("net.ipv4.tcp_fin_timeout") == "45"
    assert host.read("net.ipv4.tcp_sack") is None
    assert (host.etc / "sysctl.d/99-zzz-rival.conf").read_text() == "net.ipv4.tcp_rfc1337 = 0\n"
    drift = shell("--project", str(folder), "check", "--limit", "web1").gives(ExitCode.DRIFT)
    assert "/etc/sysctl.d/99-zzz-rival.conf:1 wins at boot with 0" in drift.out
    before = host.boot_id
    shell("lab", "restart", "web1", "--dir", str(folder)).gives(ExitCode.OK)
    assert host.boot_id != before
    shell("lab", "down", "--dir", str(folder)).gives(ExitCode.OK)
    shell("lab", "status", "--dir", str(folder)).gives(ExitCode.HOST_FAILED)


def test_a_faulty_lab_has_a_host_of_each_fault(shell: Shell, folder: Path) -> None:
    needs_namespaces()
    needs("busybox")
    number = len(get_args(Fault))
    up = shell("lab", "up", "--faulty", "--dir", str(folder)).gives(ExitCode.OK)
    assert up.out.startswith(f"{number} hosts up in {folder}")
    assert len(Lab.load(folder).hosts) == number


@pytest.mark.parametrize("option", ["--value", "--rival"])
def test_a_difference_without_a_value_is_a_usage_error(shell: Shell, folder: Path, option: str) -> None:
    refused = shell("lab", "up", "--dir", str(folder), option, "net.ipv4.ip_forward").gives(ExitCode.USAGE)
    assert refused.err == f"sysfleet: {option} net.ipv4.ip_forward is not KEY=VALUE ({option} net.ipv4.ip_forward=1)\n"
    assert not folder.exists()
