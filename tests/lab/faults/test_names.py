"""Which faults a host can have together, and in which kind of lab."""

from typing import get_args

import pytest

from sysfleet.errors import UsageError
from sysfleet.lab import Fault, HostSpec, Login, faulty_hosts
from sysfleet.lab.faults.names import IN_A_FOLDER
from sysfleet.lab.faults.setting import check_setting
from sysfleet.lab.spec import check_specs

_FAULTS: tuple[Fault, ...] = get_args(Fault)


def test_there_is_a_host_of_each_fault() -> None:
    hosts = faulty_hosts()
    check_specs(hosts)
    assert [host.faults for host in hosts] == [(fault,) for fault in _FAULTS]
    assert {host.name.replace("-", "_") for host in hosts} == set(_FAULTS)
    assert {host.groups for host in hosts} == {("web",)}


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (HostSpec("a", faults=("no_such",)), "no_such is no fault"),  # type: ignore[arg-type]
        (HostSpec("a", faults=("slow", "black_hole")), "slow and black_hole do not go together"),
        (HostSpec("a", faults=("floods", "drops_mid_read")), "do not go together"),
        (HostSpec("a", faults=("file_of_others", "file_immutable")), "do not go together"),
        (HostSpec("a", faults=("disk_full", "sysctl_d_is_link")), "do not go together"),
        (HostSpec("a", faults=("nixos", "talos")), "do not go together"),
        (HostSpec("a", faults=("no_known_key", "revoked_key")), "do not go together"),
        (HostSpec("a", faults=("slow",), refuse=True), "slow needs a port"),
        (HostSpec("a", faults=("black_hole",), hang=True), "black_hole needs a port"),
        (HostSpec("a", faults=("slow",), behind="b"), "slow needs a port"),
        (HostSpec("a", faults=("drops_mid_read",), sshd=("MaxStartups 1",)), "drops_mid_read and lines"),
        (HostSpec("a", faults=("floods",), user="ops", logins=(Login("ops"),)), "the user is ops"),
    ],
)
def test_faults_that_cannot_be_are_refused_by_name(spec: HostSpec, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_specs([spec])


def test_faults_of_different_kinds_go_together() -> None:
    faults: tuple[Fault, ...] = ("slow", "revoked_key", "etc_read_only", "no_flock", "no_path", "key_read_only")
    check_specs([HostSpec("a", faults=faults)])


@pytest.mark.parametrize("fault", sorted(set(_FAULTS) - IN_A_FOLDER))
def test_a_folder_cannot_have_faults_of_a_kernel_or_a_shell(fault: Fault) -> None:
    with pytest.raises(UsageError, match=f"the fault {fault} needs namespaces"):
        check_setting(HostSpec("a", faults=(fault,)), "folder")


@pytest.mark.parametrize("fault", sorted(IN_A_FOLDER))
def test_a_folder_can_have_the_others(fault: Fault) -> None:
    check_setting(HostSpec("a", faults=(fault,)), "folder")
