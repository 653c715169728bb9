"""`--learn-host-keys` over a lab: who is learned, who is not, who is asked, and what the file holds afterwards."""

from __future__ import annotations

import re
import stat
from pathlib import Path

import pytest

from sysfleet.errors import ExitCode
from sysfleet.lab import HostSpec, Lab
from tests.cli.conftest import Builder, Shell
from tests.remote.servers import make_key, public
from tests.support.lab import LabFactory

WEB = ("web",)


@pytest.fixture
def lab(lab_factory: LabFactory) -> Lab:
    """Two hosts as they are wanted, one that refuses connections, and a project that knows no keys."""
    lab = lab_factory(
        HostSpec("web1", groups=WEB), HostSpec("web2", groups=WEB), HostSpec("web3", groups=WEB, refuse=True)
    )
    (lab.folder / "templates").mkdir()
    (lab.folder / "templates" / "base.conf.j2").write_text("")
    (lab.folder / "templates" / "web.conf.j2").write_text("")
    lab.known_hosts.write_text("# keys of the lab")
    return lab


def line(lab: Lab, host: str) -> str:
    return f"[127.0.0.1]:{lab.hosts[host].port} {' '.join(lab.hosts[host].host_key.split()[:2])}"


def statuses(out: str) -> dict[str, str]:
    return {line.split()[0]: line.split()[2] for line in out.splitlines()[1:4]}


def test_unknown_hosts_are_learned_once_and_work_at_once(lab: Lab, shell: Shell) -> None:
    check = ("--project", lab.folder, "check")
    assert statuses(shell(*check).gives(ExitCode.HOST_FAILED).out)["web1"] == "rejected"

    learned = shell(*check, "--learn-host-keys").gives(ExitCode.HOST_FAILED)
    assert statuses(learned.out) == {"web1": "ok", "web2": "ok", "web3": "unreachable"}
    shown = learned.err.splitlines()
    assert shown[0].startswith(f"web1  [127.0.0.1]:{lab.hosts['web1'].port}  ssh-ed25519 SHA256:")
    assert shown[1].startswith(f"web2  [127.0.0.1]:{lab.hosts['web2'].port}  ssh-ed25519 SHA256:")
    assert shown[2:] == [f"2 keys added to {lab.known_hosts}"]
    written = lab.known_hosts.read_text()
    assert written == f"# keys of the lab\n{line(lab, 'web1')}\n{line(lab, 'web2')}\n"

    again = shell(*check, "--learn-host-keys").gives(ExitCode.HOST_FAILED)
    assert again.err == "no unknown host showed a key\n"
    assert statuses(again.out)["web1"] == "ok"
    assert lab.known_hosts.read_text() == written
    shell("--project", lab.folder, "apply", "--yes", "--limit", "web1").gives(ExitCode.OK)


def test_only_selected_hosts_are_learned_and_the_file_is_made_if_it_is_not_there(lab: Lab, shell: Shell) -> None:
    lab.known_hosts.unlink()
    ended = shell("--project", lab.folder, "plan", "--limit", "web2", "--learn-host-keys").gives(ExitCode.OK)
    assert ended.err.endswith(f"\n1 key added to {lab.known_hosts}\n")
    assert lab.known_hosts.read_text() == line(lab, "web2") + "\n"
    assert stat.S_IMODE(lab.known_hosts.stat().st_mode) & 0o133 == 0


def test_a_key_that_is_another_or_revoked_is_not_learned(lab: Lab, shell: Shell, tmp_path: Path) -> None:
    other = public(make_key(tmp_path / "other"))
    revoked = line(lab, "web2").split(" ", 1)[1]
    before = f"[127.0.0.1]:{lab.hosts['web1'].port} {other}\n@revoked * {revoked}\n"
    lab.known_hosts.write_text(before)
    ended = shell("--project", lab.folder, "check", "--learn-host-keys", "--limit", "web[12]").gives(
        ExitCode.HOST_FAILED
    )
    assert [line.split()[2] for line in ended.out.splitlines()[1:3]] == ["rejected", "rejected"]
    assert "is not the known one" in ended.out
    assert ended.err.startswith("web2: its key was not learned: the host key of ")
    assert "is revoked" in ended.err
    assert lab.known_hosts.read_text() == before


def test_a_host_of_a_trusted_authority_is_not_learned(lab: Lab, shell: Shell, tmp_path: Path) -> None:
    before = f"@cert-authority [127.0.0.1]:* {public(make_key(tmp_path / 'ca'))}\n"
    lab.known_hosts.write_text(before)
    ended = shell("--project", lab.folder, "check", "--learn-host-keys").gives(ExitCode.HOST_FAILED)
    assert ended.err == "no unknown host showed a key\n"
    assert lab.known_hosts.read_text() == before


@pytest.mark.parametrize(("typed", "is_written"), [("y\n", True), ("n\n", False), ("", False)])
def test_a_person_is_asked(lab: Lab, shell: Shell, typed: str, is_written: bool) -> None:
    before = lab.known_hosts.read_text()
    ended = shell("--project", lab.folder, "check", "--learn-host-keys", "-q", typed=typed)
    shown = ended.err.splitlines()
    assert shown[0].startswith("web1  [127.0.0.1]:")
    told = f"2 keys added to {lab.known_hosts}" if is_written else "nothing was added"
    assert shown[2] == f"add 2 keys to known_hosts? [y/N] {told}"
    assert (lab.known_hosts.read_text() != before) is is_written
    assert ("rejected" in ended.out) is not is_written


def test_it_is_refused_together_with_apply(shell: Shell, project: Builder) -> None:
    ended = shell("--project", project(), "apply", "--yes", "--learn-host-keys").gives(ExitCode.USAGE)
    assert "sysfleet check --learn-host-keys" in ended.err
    assert ended.out == ""
    assert "--learn-host-keys" not in shell("apply", "--help").out


def test_a_file_that_cannot_be_written_is_an_error_before_anybody_is_asked(shell: Shell, project: Builder) -> None:
    folder = project(known_hosts=None)
    (folder / "known_hosts").mkdir()
    (folder / "sysfleet.toml").unlink()
    ended = shell("--project", folder, "check", "--learn-host-keys").gives(ExitCode.USAGE)
    assert ended.err == f"sysfleet: {folder / 'known_hosts'} cannot be written: it is not a file\n"


def test_what_is_wrong_in_a_template_comes_before_any_learning(lab: Lab, shell: Shell) -> None:
    (lab.folder / "templates" / "web.conf.j2").write_text("{{ nobody }}\n")
    before = lab.known_hosts.read_text()
    ended = shell("--project", lab.folder, "check", "--learn-host-keys").gives(ExitCode.USAGE)
    assert "SHA256:" not in ended.err
    assert lab.known_hosts.read_text() == before


def test_a_server_with_two_names_is_learned_once(lab: Lab, shell: Shell) -> None:
    hosts = lab.folder / "inventory" / "hosts.yaml"
    alias = f"web9:\n  hostname: 127.0.0.1\n  port: {lab.hosts['web1'].port}\n  groups: [web]\n"
    hosts.write_text(hosts.read_text() + alias)
    ended = shell("--project", lab.folder, "check", "--learn-host-keys", "--limit", "web1 | web9").gives(ExitCode.OK)
    assert ended.err.endswith(f"\n1 key added to {lab.known_hosts}\n")
    assert lab.known_hosts.read_text() == f"# keys of the lab\n{line(lab, 'web1')}\n"


def behind_a_bastion(lab_factory: LabFactory) -> Lab:
    hosts = (HostSpec(name, groups=WEB, behind="bastion1") for name in ("web1", "web2"))
    lab = lab_factory(HostSpec("bastion1", groups=("bastion",)), *hosts, mode="namespaces", backend="openssh")
    (lab.folder / "templates").mkdir()
    for name in ("base", "web", "bastion"):
        (lab.folder / "templates" / f"{name}.conf.j2").write_text("")
    lab.known_hosts.write_text("")
    return lab


def test_a_bastion_is_learned_before_the_hosts_behind_it(lab_factory: LabFactory, shell: Shell) -> None:
    lab = behind_a_bastion(lab_factory)
    check = ("--project", lab.folder, "check", "--learn-host-keys", "--limit", "web*")
    ended = shell(*check, typed="y\ny\n").gives(ExitCode.OK)
    said = re.findall(r"(\S+) +\[127|(add \d key)", ended.err)
    assert ["".join(one) for one in said] == ["bastion1", "add 1 key", "web1", "web2", "add 2 key"]
    assert ended.err.endswith(f"3 keys added to {lab.known_hosts}\n")
    assert lab.known_hosts.read_text() == "".join(f"{line(lab, host)}\n" for host in ("bastion1", "web1", "web2"))


def test_behind_a_bastion_that_is_declined_or_lets_nobody_in_nothing_is_learned(
    lab_factory: LabFactory, shell: Shell
) -> None:
    lab = behind_a_bastion(lab_factory)
    check = ("--project", lab.folder, "check", "--learn-host-keys", "--limit", "web*")
    shell(*check, typed="n\n").gives(ExitCode.HOST_FAILED)
    assert lab.known_hosts.read_text() == ""

    (lab.hosts["bastion1"].etc / "ssh" / "authorized_keys").write_text("")
    for keys in (lab.hosts["bastion1"].etc / "ssh").glob("authorized_keys*/*"):
        keys.write_text("")
    ended = shell(*check).gives(ExitCode.HOST_FAILED)
    assert "web1: its key was not learned: bastion bastion1: " in ended.err
    assert lab.known_hosts.read_text() == f"{line(lab, 'bastion1')}\n"
