"""How a lab finds out what this machine gives it, and says so."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sysfleet.errors import SetupError, UsageError
from sysfleet.lab import HostSpec, Lab
from tests.support.lab import LabFactory, ssh
from tests.support.skips import NOT_ON_THIS_KERNEL

# What a container does: with part of /proc covered, no fresh one can be mounted in a namespace below.
_IN_A_CONTAINER = """\
import pathlib, sys
from sysfleet.errors import FleetError
from sysfleet.lab import Lab, linux

linux.unshare(linux.CLONE_NEWUSER)
pathlib.Path("/proc/self/setgroups").write_text("deny")
pathlib.Path("/proc/self/uid_map").write_text("0 {UID} 1")
pathlib.Path("/proc/self/gid_map").write_text("0 {GID} 1")
linux.unshare(linux.CLONE_NEWNS)
linux.make_mounts_private()
linux.mount_fresh("tmpfs", pathlib.Path("/proc/irq"))
try:
    with Lab.up(pathlib.Path(sys.argv[1]), 1, mode=sys.argv[2] or None) as lab:
        print(lab.mode, lab.reason, lab.backend, sep="|")
except FleetError as error:
    print("refused", error.message, sep="|")
"""


def _in_a_container(folder: Path, mode: str) -> list[str]:
    program = _IN_A_CONTAINER.replace("{UID}", str(os.geteuid())).replace("{GID}", str(os.getegid()))
    return _run_python(program, str(folder), mode).stdout.strip().split("|")


_IN_A_CHANGED_NAMESPACE = """\
import json, pathlib
from sysfleet.lab import linux, probe

linux.unshare(linux.CLONE_NEWUSER | linux.CLONE_NEWNET)
conf = pathlib.Path("/proc/sys/net/ipv4/conf")
(conf / "all/forwarding").write_text("1")
(conf / "default/rp_filter").write_text("2")
print(json.dumps(probe.inherited_values()))
"""


def test_what_a_machine_hands_down_to_namespaces_is_found_forwarding_first() -> None:
    done = _run_python(_IN_A_CHANGED_NAMESPACE)
    found = json.loads(done.stdout)
    assert {"net.ipv4.conf.all.forwarding": "0", "net.ipv4.conf.default.rp_filter": "0"}.items() <= found.items()
    assert next(iter(found)).endswith(".forwarding")


def _run_python(program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    search = os.pathsep.join([str(Path(__file__).parents[2]), *sys.path])
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": search},
    )
    if "unshare" in done.stderr or "mount" in done.stderr:
        pytest.skip(f"{NOT_ON_THIS_KERNEL} {done.stderr.splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    return done


def test_where_a_write_in_a_namespace_fails_a_folder_stands_in_and_says_why(tmp_path: Path) -> None:
    mode, reason, backend = _in_a_container(tmp_path / "lab", "")
    assert (mode, backend) == ("folder", "asyncssh")
    assert reason.startswith("namespaces are refused here: ")


def test_where_namespaces_are_demanded_their_refusal_is_an_error(tmp_path: Path) -> None:
    outcome, message = _in_a_container(tmp_path / "lab", "namespaces")
    assert outcome == "refused"
    assert message.startswith("namespaces are refused here: ")


def test_a_folder_can_be_asked_for(lab_factory: LabFactory) -> None:
    lab = lab_factory(1, mode="folder")
    assert (lab.mode, lab.reason, lab.backend) == ("folder", "asked for", "asyncssh")
    assert Lab.load(lab.folder).reason == "asked for"


def test_a_folder_cannot_have_openssh(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="backend openssh needs namespaces"):
        Lab.up(tmp_path / "lab", 1, mode="folder", backend="openssh")


def test_nothing_of_the_probe_is_left(lab: Lab) -> None:
    assert not (lab.folder / ".probe").exists()


@pytest.fixture
def folder_lab(lab_factory: LabFactory) -> Lab:
    return lab_factory(HostSpec("a"), HostSpec("b"), mode="folder")


def test_every_command_is_told_where_the_stand_in_is(folder_lab: Lab) -> None:
    host = folder_lab.hosts["a"]
    assert ssh(folder_lab, "a", 'printf %s "$SYSFLEET_STAND_IN"').stdout.decode() == str(host.root)
    assert host.run(["sh", "-c", 'printf %s "$SYSFLEET_STAND_IN"']).stdout.decode() == str(host.root)


def test_a_stand_in_holds_values_files_and_a_boot_id_of_its_own(folder_lab: Lab) -> None:
    listing = 'cd "$SYSFLEET_STAND_IN" && ls -d etc/sysctl.d var/lib run proc/sys/net/ipv6/conf/eth0/forwarding'
    assert len(ssh(folder_lab, "a", listing).stdout.split()) == 4
    shown = 'cat "$SYSFLEET_STAND_IN/proc/sys/kernel/random/boot_id" "$SYSFLEET_STAND_IN/etc/hostname"'
    answers = [ssh(folder_lab, name, shown).stdout.decode().split() for name in ("a", "b")]
    assert answers == [[folder_lab.hosts[name].boot_id, name] for name in ("a", "b")]


def test_one_stand_in_does_not_see_what_is_written_to_another(folder_lab: Lab) -> None:
    ssh(folder_lab, "a", 'echo 23 >"$SYSFLEET_STAND_IN/proc/sys/net/ipv4/tcp_fin_timeout"')
    assert folder_lab.hosts["a"].read("net.ipv4.tcp_fin_timeout") == "23"
    assert folder_lab.hosts["b"].read("net.ipv4.tcp_fin_timeout") != "23"


def test_a_command_that_forgets_the_stand_in_cannot_write_to_the_machine(folder_lab: Lab) -> None:
    for target in ("/proc/sys/vm/swappiness", "/proc/sys/net/ipv4/ip_forward", "/usr/x", "/etc/x"):
        assert ssh(folder_lab, "a", f": >>{target}").status != 0, target
        assert folder_lab.hosts["a"].run(["sh", "-c", f": >>{target}"]).returncode != 0, target


def test_no_secret_of_the_machine_is_copied(folder_lab: Lab) -> None:
    assert not list(folder_lab.hosts["a"].root.glob("proc/sys/**/*stable_secret*"))
    assert not list(folder_lab.hosts["a"].root.glob("proc/sys/**/tcp_fastopen_key"))


def test_the_lab_refuses_what_it_cannot_have(tmp_path: Path) -> None:
    with pytest.raises((SetupError, UsageError)):
        Lab.up(tmp_path / "lab", [HostSpec("a", files={"/opt/x": b""})])
