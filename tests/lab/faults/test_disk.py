"""Disks that refuse: what can be read still can, what is written is not there."""

import json
import os
import shutil
import signal
from pathlib import Path

import pytest

from sysfleet.lab import HostSpec, Lab
from sysfleet.planning.content import HEADER
from tests.support.lab import LabFactory, ssh

_MANAGED = "/etc/sysctl.d/99-zz-sysfleet.conf"
_SITE = "/etc/sysctl.d/50-site-0001.conf"


def _refused(lab: Lab, name: str, command: str) -> bytes:
    """What the host says when it refuses this; the reading of another file shows that it is well else."""
    answer = ssh(lab, name, f"cat {_SITE} >/dev/null && {{ {command}; }} && echo done")
    assert answer.status != 0
    assert b"done" not in answer.stdout
    return answer.stderr


@pytest.mark.parametrize("name", ["etc-read-only", "talos", "image-read-only"])
def test_nothing_can_be_written_below_a_read_only_etc(faulty: Lab, name: str) -> None:
    for path in ("/etc/new", "/etc/sysctl.d/new", _SITE):
        assert b"ead-only file system" in _refused(faulty, name, f"echo x >>{path}")
    assert ssh(faulty, name, "echo x >/var/lib/new && echo x >/run/new && echo x >/tmp/new").status == 0


def test_an_image_has_a_read_only_root(faulty: Lab) -> None:
    assert b"ead-only file system" in _refused(faulty, "image-read-only", "mkdir /new")
    assert ssh(faulty, "etc-read-only", "mkdir /new").status == 0


def test_a_full_disk_takes_no_byte_and_gives_what_it_has(faulty: Lab) -> None:
    for command in (f"cat {_SITE} >/etc/sysctl.d/new.conf", f"cat {_SITE} {_SITE} >/etc/sysctl.d/.new"):
        assert b"No space left" in _refused(faulty, "disk-full", command)
    assert b"tcp_keepalive_intvl" in ssh(faulty, "disk-full", "cat /etc/sysctl.d/50-site-0002.conf").stdout
    assert ssh(faulty, "disk-full", "echo x >/etc/new").status == 0


def test_the_folder_of_settings_can_be_a_link(faulty: Lab) -> None:
    answer = ssh(faulty, "sysctl-d-is-link", f"readlink /etc/sysctl.d; cat {_SITE}")
    assert answer.stdout.startswith(b"/var/lib/sysctl.d\n# Site setting 1.\n")
    assert ssh(faulty, "sysctl-d-is-link", "touch /etc/sysctl.d/new && ls /var/lib/sysctl.d/new").status == 0


def test_an_immutable_file_is_ours_and_cannot_be_changed_in_any_way(faulty: Lab) -> None:
    before = ssh(faulty, "file-immutable", f"cat {_MANAGED}").stdout
    assert before.startswith(HEADER.encode() + b"\n")
    for command in (
        f"echo x >>{_MANAGED}",
        f"touch /etc/sysctl.d/.new && mv /etc/sysctl.d/.new {_MANAGED}",
        f"rm {_MANAGED}",
        f"test -w {_MANAGED}",
    ):
        _refused(faulty, "file-immutable", command)
    assert ssh(faulty, "file-immutable", f"cat {_MANAGED}").stdout == before
    assert ssh(faulty, "file-immutable", "touch /etc/sysctl.d/other").status == 0


def test_root_of_this_machine_sets_the_immutable_flag_itself(faulty: Lab) -> None:
    if os.geteuid() != 0:
        pytest.skip("not on this kernel: only root sets the immutable flag")
    flags = ssh(faulty, "file-immutable", f"lsattr {_MANAGED}").stdout.split()[0]
    assert b"i" in flags


def test_a_file_of_others_is_not_ours(faulty: Lab) -> None:
    content = ssh(faulty, "file-of-others", f"cat {_MANAGED}").stdout
    assert content
    assert not content.startswith(HEADER.encode())


@pytest.mark.parametrize("by_signal", [False, True])
def test_nothing_is_left_of_a_lab_with_a_bad_disk(lab_factory: LabFactory, by_signal: bool) -> None:
    faults = ("file_immutable", "disk_full", "etc_read_only", "image_read_only", "sysctl_d_is_link")
    specs = [HostSpec(fault.replace("_", "-"), faults=(fault,)) for fault in faults]  # type: ignore[arg-type]
    lab = lab_factory(*specs, mode="namespaces")
    for name in lab.hosts:
        lab.restart(name)
    if by_signal:
        inits = [host.process for host in lab.hosts.values()]
        os.kill(_supervisor(lab), signal.SIGKILL)
        assert all(process is not None and process.wait(30) for process in inits)
    lab.down()
    assert str(lab.folder) not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    shutil.rmtree(lab.folder / "hosts")


def _supervisor(lab: Lab) -> int:
    return int(json.loads((lab.folder / "lab.json").read_text(encoding="utf-8"))["supervisor"][0])
