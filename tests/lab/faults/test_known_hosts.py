"""Hosts that the lab's project has another key for, none, or a revoked one; and one that takes nobody's."""

import asyncssh
import pytest

from sysfleet.lab import HostSpec, Lab
from tests.support.lab import LabFactory, ssh


def _lines(lab: Lab, name: str) -> list[str]:
    place = f"[127.0.0.1]:{lab.hosts[name].port} "
    return [line for line in lab.known_hosts.read_text(encoding="utf-8").splitlines() if place in line]


def test_another_host_key_is_a_good_key_and_not_this_host_s(faulty: Lab) -> None:
    [line] = _lines(faulty, "other-host-key")
    key = line.partition(" ")[2]
    asyncssh.import_public_key(key)
    assert key != faulty.hosts["other-host-key"].host_key
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        ssh(faulty, "other-host-key", "true")


def test_a_host_without_a_known_key_has_no_line(faulty: Lab) -> None:
    assert _lines(faulty, "no-known-key") == []
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        ssh(faulty, "no-known-key", "true")


def test_a_revoked_key_is_the_host_s_own(faulty: Lab) -> None:
    host = faulty.hosts["revoked-key"]
    assert _lines(faulty, "revoked-key") == [f"@revoked [127.0.0.1]:{host.port} {host.host_key}"]
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        ssh(faulty, "revoked-key", "true")


def test_a_host_that_refuses_the_login_has_the_right_host_key(faulty: Lab) -> None:
    with pytest.raises(asyncssh.PermissionDenied):
        ssh(faulty, "login-refused", "true")


def test_folders_have_these_faults_too(lab_factory: LabFactory) -> None:
    lab = lab_factory(
        HostSpec("other", faults=("other_host_key",)), HostSpec("login", faults=("login_refused",)), mode="folder"
    )
    with pytest.raises(asyncssh.HostKeyNotVerifiable):
        ssh(lab, "other", "true")
    with pytest.raises(asyncssh.PermissionDenied):
        ssh(lab, "login", "true")
