"""Hosts that lack programs, as their shells see it."""

import pytest

from sysfleet.lab import Lab
from sysfleet.lab.loaders import busybox
from tests.support.lab import ssh

# The shell of a BusyBox may have an applet of this name itself.
_LOOKED_FOR = [("flock", "dash"), ("flock", "bash"), ("flock", "busybox sh"), ("mktemp", "dash"), ("mktemp", "bash")]


@pytest.fixture(autouse=True)
def _needs_busybox() -> None:
    if busybox() is None:
        pytest.skip("the program busybox is not installed")


@pytest.mark.parametrize(("program", "shell"), _LOOKED_FOR)
def test_a_program_is_found_on_all_hosts_but_the_one_without(faulty: Lab, program: str, shell: str) -> None:
    looked_for = f"{shell} -c 'command -v {program}'"
    assert ssh(faulty, f"no-{program}", looked_for).status != 0
    assert ssh(faulty, "nixos", looked_for).status == 0
    assert ssh(faulty, f"no-{program}", f"dash -c '{program} --version'").status == 127


def test_a_plain_sync_takes_no_operands(faulty: Lab) -> None:
    assert ssh(faulty, "plain-sync", "sync").status == 0
    answer = ssh(faulty, "plain-sync", "sync /etc/hostname")
    assert (answer.status, b"extra operand" in answer.stderr) == (1, True)
    assert ssh(faulty, "nixos", "sync /etc/hostname").status == 0


@pytest.mark.parametrize("name", ["busybox-only", "openwrt"])
def test_busybox_can_be_all_that_there_is(faulty: Lab, name: str) -> None:
    answer = ssh(faulty, name, "for name in sh ls awk head; do readlink -f /bin/$name; done; ls --help 2>&1")
    assert answer.stdout.splitlines()[:4] == [b"/opt/lab/busybox"] * 4
    assert b"BusyBox" in answer.stdout
    for program in ("bash", "perl", "python3", "systemctl", "sudo"):
        assert ssh(faulty, name, f"command -v {program}").status != 0
