"""Who writes a key after the loader, and what the kernel's command line sets before it."""

from __future__ import annotations

import pytest

from sysfleet.sysctl.key import Key
from sysfleet.sysctl.sources import SourceFile
from sysfleet.sysctl.writers import LaterWrite, later_write, of_command_line

FORWARD = Key("net.ipv4.ip_forward")
UFW = SourceFile("/etc/ufw/sysctl.conf", b"# x\nnet/ipv4/conf/all/log_martians=0\n")


def test_docker_turns_forwarding_on() -> None:
    assert later_write(FORWARD, ("docker",), (), "/etc/sysctl.d/a.conf") == LaterWrite("docker", "1")


def test_nobody_writes_what_nobody_is_known_to_write() -> None:
    assert later_write(Key("kernel.sysrq"), ("docker", "networkd", "ufw"), (UFW,), None) is None
    assert later_write(FORWARD, (), (UFW,), None) is None


def test_ufw_is_taken_at_its_files_word_with_the_line() -> None:
    key = Key("net.ipv4.conf.all.log_martians")
    assert later_write(key, ("ufw",), (UFW,), None) == LaterWrite("ufw", "0", UFW.path, 2)
    assert later_write(key, ("docker",), (UFW,), None) is None


@pytest.mark.parametrize(("interface", "known"), [("eth0", True), ("all", False), ("default", False)])
def test_networkd_writes_to_real_interfaces(interface: str, *, known: bool) -> None:
    found = later_write(Key(f"net.ipv6.conf.{interface}.accept_ra"), ("networkd",), (), None)
    assert (found is not None) is known


def test_tuned_wins_over_vendors_and_not_over_the_administrator() -> None:
    key = Key("vm.swappiness")
    assert later_write(key, ("tuned: balanced",), (), "/usr/lib/sysctl.d/a.conf") == LaterWrite("tuned: balanced", None)
    assert later_write(key, ("tuned: balanced",), (), None) is not None
    assert later_write(key, ("tuned: balanced",), (), "/etc/sysctl.d/a.conf") is None


def test_the_command_line_sets_keys_the_last_one_holds() -> None:
    line = "BOOT_IMAGE=/vmlinuz ro sysctl.kernel.panic=5 quiet sysctl.kernel/panic=7 sysctl.=x sysctl.vm.swappiness"
    assert of_command_line(line) == {Key("kernel.panic"): "7"}
