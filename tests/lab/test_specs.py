"""What lab hosts may be asked to be like."""

import json
from pathlib import PurePosixPath

import pytest

from sysfleet.errors import UsageError
from sysfleet.lab import HostSpec, mixed_hosts, standard_hosts
from sysfleet.lab.spec import check_specs, key_path


def test_standard_hosts_are_named_by_role_in_turn() -> None:
    hosts = standard_hosts(6)
    assert [host.name for host in hosts] == ["web1", "db1", "router1", "bastion1", "web2", "db2"]
    assert [host.groups for host in hosts[:2]] == [("web",), ("db",)]


def test_the_mixed_fifty_hold_what_they_are_named_for() -> None:
    hosts = mixed_hosts()
    check_specs(hosts)
    assert len(hosts) == 50
    assert sum(host.refuse or host.hang for host in hosts) == 5
    assert max(host.interfaces for host in hosts) == 2000
    assert max(host.drop_ins for host in hosts) == 400
    assert sum(host.values.get("net.ipv4.ip_forward") == "1" for host in hosts) == 3


def test_a_spec_survives_json() -> None:
    spec = HostSpec("web1", groups=("web",), files={"/etc/x": b"\x00\xff"}, absent=("net.ipv4.tcp_ecn",), hang=True)
    assert HostSpec.from_json(json.loads(json.dumps(spec.to_json()))) == spec


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (HostSpec("Web1"), "no host name"),
        (HostSpec("../x"), "no host name"),
        (HostSpec("a", interfaces=0), "interfaces"),
        (HostSpec("a", files={"/usr/bin/sh": b""}), "own folders"),
        (HostSpec("a", files={"/etc/../../x": b""}), "own folders"),
        (HostSpec("a", absent=("net/../../etc",)), "no sysctl key"),
        (HostSpec("a", values={"swappiness": "1"}), "no sysctl key"),
    ],
)
def test_a_host_that_cannot_be_made_is_refused(spec: HostSpec, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        check_specs([spec])


def test_two_hosts_of_one_name_are_refused() -> None:
    with pytest.raises(UsageError, match="two lab hosts"):
        check_specs([HostSpec("a"), HostSpec("a")])


@pytest.mark.parametrize(
    ("key", "path"),
    [
        ("net.ipv4.ip_forward", "net/ipv4/ip_forward"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net/ipv4/conf/eth0.100/rp_filter"),
    ],
)
def test_the_first_separator_of_a_key_decides(key: str, path: str) -> None:
    assert key_path(key) == PurePosixPath(path)
