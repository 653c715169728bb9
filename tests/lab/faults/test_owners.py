"""Hosts whose sysctl files belong to another system, and what shows it."""

import pytest

from sysfleet.lab import Lab
from tests.support.lab import ssh

_SHOWN = {
    "nixos": ("/etc/NIXOS", "/run/current-system/.", "/etc/static/sysctl.d/60-nixos.conf", "/nix/store"),
    "talos": ("/etc/machine-id",),
    "image-read-only": ("/run/ostree-booted",),
    "openwrt": ("/etc/openwrt_release", "/etc/config/network", "/etc/init.d/sysctl", "/etc/rc.d/S11sysctl"),
}
_IDS = {"nixos": "nixos", "talos": "talos", "image-read-only": "fedora", "openwrt": "openwrt"}


@pytest.mark.parametrize("name", _SHOWN)
def test_an_owner_shows_in_files_and_in_the_name_of_the_system(faulty: Lab, name: str) -> None:
    for path in _SHOWN[name]:
        assert ssh(faulty, name, f"test -e {path}").status == 0
        assert ssh(faulty, "no-mktemp", f"test -e {path}").status != 0
    assert f"ID={_IDS[name]}".encode() in ssh(faulty, name, "cat /etc/os-release").stdout.splitlines()


def test_the_drop_in_of_nixos_is_a_link_into_the_store_and_loaded(faulty: Lab) -> None:
    drop_in = "/etc/sysctl.d/60-nixos.conf"
    answer = ssh(faulty, "nixos", f"readlink -f {drop_in}; cat {drop_in}")
    assert answer.stdout.startswith(b"/nix/store/")
    assert answer.stdout.endswith(b"/60-nixos.conf\nnet.ipv4.tcp_mtu_probing = 1\n")


def test_openwrt_has_its_program_for_settings(faulty: Lab) -> None:
    assert b"network.lan" in ssh(faulty, "openwrt", "uci show").stdout
