"""Hosts whose sysctl files belong to another system, which would undo or not survive what is written to them.

- `nixos`: `/etc/NIXOS`, `/run/current-system`, and `60-nixos.conf` is a link through `/etc/static` into the store.
- `talos`: says so in os-release; /etc is read-only and no package manager has been there.
- `image_read_only`: booted from an image (`/run/ostree-booted`, os-release's IMAGE_ID); the root and /etc are
  read-only, /run, /tmp, /var and /home are not.
- `openwrt`: `/etc/openwrt_release`, uci, its init script for sysctl and its drop-in; programs are BusyBox's.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sysfleet.lab import linux
from sysfleet.lab.faults.names import Fault

_STORE = "nix/store"
_NIX_SYSTEM = f"{_STORE}/0c9yhl6p0aq5rkfmd5v1s2m4v1jxb0bz-nixos-system-lab-24.11"
_NIX_ETC = f"{_STORE}/z3q8wvd3c1yjs0fdj1k6q0c0ggw5vqnh-etc/etc"

_UCI = "#!/bin/sh\necho \"network.lan.ipaddr='192.168.1.1'\"\n"
_OPENWRT_SYSCTL = """\
#!/bin/sh /etc/rc.common
START=11
start() {
    for CONF in /etc/sysctl.d/*.conf /etc/sysctl.conf; do
        [ -f "$CONF" ] && sysctl -e -p "$CONF" >&-
    done
}
"""

_FILES: dict[Fault, dict[str, str]] = {
    "nixos": {
        "etc/NIXOS": "",
        "etc/os-release": 'ID=nixos\nNAME=NixOS\nVERSION_ID="24.11"\nPRETTY_NAME="NixOS 24.11 (Vicuna)"\n',
    },
    "talos": {
        "etc/os-release": 'ID=talos\nNAME=Talos\nVERSION_ID=v1.9.1\nPRETTY_NAME="Talos (v1.9.1)"\n',
        "etc/machine-id": "4b1f0d5e6a7c4f2e9d8b3a6c5f1e2d70\n",
    },
    "image_read_only": {
        "etc/os-release": 'ID=fedora\nNAME="Fedora Linux"\nVERSION_ID=41\nVARIANT_ID=iot\n'
        'PRETTY_NAME="Fedora Linux 41 (IoT Edition)"\nIMAGE_ID=fedora-iot\nIMAGE_VERSION=41.20250101.0\n',
    },
    "openwrt": {
        "etc/os-release": 'ID=openwrt\nID_LIKE="lede openwrt"\nNAME=OpenWrt\nVERSION_ID="23.05.5"\n'
        'PRETTY_NAME="OpenWrt 23.05.5"\n',
        "etc/openwrt_release": "DISTRIB_ID='OpenWrt'\nDISTRIB_RELEASE='23.05.5'\n",
        "etc/config/network": "config interface 'lan'\n\toption ipaddr '192.168.1.1'\n",
        "etc/init.d/sysctl": _OPENWRT_SYSCTL,
        "etc/sysctl.conf": "# Defaults are configured in /etc/sysctl.d/* and can be customized in this file\n",
        "etc/sysctl.d/10-default.conf": "net.ipv4.conf.default.arp_ignore = 1\nnet.ipv4.tcp_fin_timeout = 30\n",
    },
}
_LINKS: dict[Fault, dict[str, str]] = {
    "nixos": {"etc/static": f"/{_NIX_ETC}", "etc/sysctl.d/60-nixos.conf": "/etc/static/sysctl.d/60-nixos.conf"},
    "openwrt": {"etc/rc.d/S11sysctl": "../init.d/sysctl"},
}

# Programs of their own, by name.
PROGRAMS: dict[Fault, dict[str, str]] = {"openwrt": {"uci": _UCI}}

_WRITABLE = ("run", "tmp", "var", "home")


def write_files(root: Path, faults: Collection[Fault]) -> None:
    """Write what outlives a boot below `root`."""
    for fault in faults:
        for name, text in _FILES.get(fault, {}).items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
            if path.parent.name == "init.d":
                path.chmod(0o755)
        for name, target in _LINKS.get(fault, {}).items():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            (root / name).symlink_to(target)


def show(new_root: Path, faults: Collection[Fault]) -> None:
    """Make what is there once the host has booted; OSError where this machine has a Nix store of its own."""
    if "nixos" in faults:
        (new_root / _NIX_SYSTEM).mkdir(parents=True)
        (new_root / "run/current-system").symlink_to(f"/{_NIX_SYSTEM}")
        folder = new_root / _NIX_ETC / "sysctl.d"
        folder.mkdir(parents=True)
        (folder / "60-nixos.conf").write_text("net.ipv4.tcp_mtu_probing = 1\n", encoding="utf-8")
    if "image_read_only" in faults:
        (new_root / "run/ostree-booted").touch()


def seal(faults: Collection[Fault]) -> None:
    """Make the root read-only where it is so; last of all, from inside."""
    if "image_read_only" in faults:
        for name in _WRITABLE:
            linux.bind(Path("/") / name, Path("/") / name, read_only=False)
        linux.remount(Path("/"), read_only=True)
