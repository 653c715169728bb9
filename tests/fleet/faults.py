"""Sixty lab hosts and the row that each of them has: the table behind docs/reference/faults.md.

One lab holds them all, and one `apply` meets them all. Pure data.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sysfleet.lab import Fault, HostSpec, Loader, Login
from sysfleet.lab.spec import Sudo

ROOT_PASSWORD = "correct horse"
KEY = "net.ipv4.tcp_fin_timeout"
ASKED: Mapping[str, Any] = {"sysctl": {KEY: 30}}


@dataclass(frozen=True)
class Case:
    """One behaviour: the host that shows it, its status, and what its row's message holds, as regular expressions."""

    behaviour: str
    host: HostSpec
    status: str
    says: tuple[str, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)  # key to verdict


_LOADERS: Mapping[str, Loader] = {"busybox_only": "alpine", "openwrt": "none"}


def _faulty(behaviour: str, fault: Fault, status: str, *says: str, **fields: Any) -> Case:
    settings = fields.pop("settings", {})
    spec = HostSpec(
        fault.replace("_", "-"),
        groups=("web",),
        faults=(fault,),
        loader=_LOADERS.get(fault),
        data=fields.pop("data", ASKED),
        **fields,
    )
    return Case(behaviour, spec, status, says, settings)


def _host(behaviour: str, name: str, status: str, *says: str, **fields: Any) -> Case:
    settings = fields.pop("settings", {})
    fields.setdefault("data", ASKED)
    return Case(behaviour, HostSpec(name, groups=("web",), **fields), status, says, settings)


def _login(behaviour: str, name: str, status: str, *says: str, **fields: Any) -> Case:
    user = Login("ops", **fields)
    spec = HostSpec(name, groups=("web",), logins=(user,), user="ops", data=ASKED)
    return Case(behaviour, spec, status, says)


def _sudo(*modes: Sudo) -> dict[str, Any]:
    return {"password": ROOT_PASSWORD, "sudo": modes}


_SECONDS = r"\d+(\.\d+)? s"

CASES: tuple[Case, ...] = (
    # The way.
    _host("refuses the connection", "refuses", "unreachable", "refuse", refuse=True),
    _faulty("black hole: every SYN is dropped", "black_hole", "unreachable", _SECONDS),
    _host("accepts the connection and is silent", "silent", "unreachable", _SECONDS, hang=True),
    _faulty("is slow: one byte a second", "slow", "unreachable", _SECONDS),
    _faulty("drops the connection in the middle of the reading", "drops_mid_read", "unreachable"),
    _faulty("drops the connection in the middle of a write", "drops_mid_write", "unreachable", "state unknown"),
    # The host's key.
    _faulty("shows another host key", "other_host_key", "rejected", "SHA256:.*known_hosts:\\d+ says .*SHA256:"),
    _faulty("shows a key that nobody knows", "no_known_key", "rejected", "unknown.*SHA256:"),
    _faulty("shows a revoked key", "revoked_key", "rejected", "revoked.*SHA256:.*known_hosts:\\d+"),
    # The login.
    _faulty("refuses the login", "login_refused", "rejected", "client_key|id_"),
    # Root rights.
    _login("sudo without a password", "sudo-nopasswd", "changed", sudo=("nopasswd",)),
    _login("sudo with a password", "sudo-password", "changed", **_sudo("password")),
    _login("sudo that lectures", "sudo-lecture", "changed", **_sudo("password", "lecture")),
    _login("sudo that wants a terminal", "sudo-requiretty", "changed", **_sudo("password", "requiretty")),
    _login("sudo on a terminal of its own", "sudo-use-pty", "changed", **_sudo("password", "use_pty")),
    _login("not in sudoers", "not-in-sudoers", "denied", "sudoers", password=ROOT_PASSWORD),
    _login("login shell is bash", "bash", "changed", sudo=("nopasswd",), shell="/bin/bash"),
    _login("login shell is csh", "csh", "changed", sudo=("nopasswd",), shell="/bin/csh"),
    _login("login shell is fish", "fish", "changed", sudo=("nopasswd",), shell="/usr/bin/fish"),
    _login("login shell is nologin", "nologin", "failed", "not available", shell="/usr/sbin/nologin"),
    _faulty("a wanted key cannot be read", "key_unreadable", "denied", "net.ipv4.tcp_fin_timeout"),
    # What it says.
    _faulty("floods: a gigabyte", "floods", "failed", "more than"),
    _faulty("floods, in its frame", "floods_in_frame", "failed", "more than"),
    _faulty("sends binary", "sends_binary", "failed"),
    _faulty("sends escape sequences", "sends_escapes", "failed"),
    _faulty("sends the end mark of another host", "sends_other_mark", "failed"),
    _faulty("sends a line without an end", "endless_line", "failed", "more than"),
    _faulty("a value with escape sequences", "escapes_in_value", "blocked"),
    # Its disk.
    _faulty("/etc is read-only", "etc_read_only", "blocked", "[Rr]ead-only"),
    _faulty("the disk is full", "disk_full", "blocked|failed", "[Nn]o space"),
    _faulty("/etc/sysctl.d is a link", "sysctl_d_is_link", "changed|blocked"),
    _faulty("our file is immutable", "file_immutable", "blocked", "immutable|not permitted"),
    _faulty("our file is somebody else's", "file_of_others", "blocked", "not ours"),
    # Its kernel.
    _faulty("/proc/sys is read-only as a whole", "proc_sys_read_only", "blocked"),
    _faulty("one key is read-only", "key_read_only", "blocked", KEY, settings={KEY: "readonly"}),
    _host("one key is not there", "absent-key", "changed|drifted|blocked", absent=(KEY,), settings={KEY: "missing"}),
    _host(
        "a value that the kernel rounds",
        "rounds",
        "changed",
        data={"sysctl": {KEY: 30, "net.ipv4.icmp_ratelimit": 1001}},
        settings={"net.ipv4.icmp_ratelimit": "rewritten|ok"},
    ),
    _host(
        "a value that the kernel refuses",
        "refuses-value",
        "reverted|blocked",
        "tcp_congestion_control",
        data={"sysctl": {KEY: 30, "net.ipv4.tcp_congestion_control": "nosuch"}},
    ),
    # Its programs.
    _faulty("no flock", "no_flock", "blocked|failed", "flock"),
    _faulty("a sync that takes no names", "plain_sync", "changed"),
    _faulty("no mktemp", "no_mktemp", "changed"),
    _faulty("BusyBox only", "busybox_only", "changed|blocked"),
    # Its sessions.
    _faulty("banner, motd, and a profile that prints and changes directory", "noisy_start_files", "changed"),
    _faulty("`set -e` in a start file", "start_file_set_e", "changed"),
    _faulty("another locale", "foreign_locale", "changed"),
    _faulty("PATH is not set", "no_path", "changed"),
    # Its owner.
    _faulty("NixOS", "nixos", "blocked", "NixOS"),
    _faulty("Talos", "talos", "blocked", "Talos"),
    _faulty("a read-only image", "image_read_only", "blocked", "[Rr]ead-only"),
    _faulty("OpenWrt", "openwrt", "blocked", "OpenWrt"),
    # And between them, hosts with nothing wrong.
    *(_host("nothing is wrong", f"well{number}", "changed") for number in range(1, 11)),
)

# What the row says, for people; the patterns above are what the test holds it to.
WORDS: Mapping[str, str] = {
    "refuses": "the phase (TCP connect) and the kernel's words",
    "black-hole": "the phase (TCP connect), and after how long",
    "silent": "the phase (waiting for the banner), and after how long",
    "slow": "the phase, and after how long: one limit for all of it, not for each byte",
    "drops-mid-read": "the phase (read)",
    "drops-mid-write": "the phase (change), and that its state is unknown",
    "other-host-key": "both fingerprints, and the file and line that says otherwise",
    "no-known-key": "the fingerprint",
    "revoked-key": "the fingerprint, and the file and line that revokes it",
    "login-refused": "what was offered",
    "not-in-sudoers": "sudo's own words",
    "nologin": "the login shell's own words",
    "key-unreadable": "the key",
    "floods": "how much was taken; no more is kept",
    "floods-in-frame": "how much was taken; no more is kept",
    "sends-binary": "that it is not an answer, with the end of it made printable",
    "sends-escapes": "that it is not an answer, with nothing a terminal would obey",
    "sends-other-mark": "that the program did not come to its end",
    "endless-line": "how much was taken; no more is kept",
    "escapes-in-value": "the key; the value is shown with nothing a terminal would obey",
    "etc-read-only": "the folder, and that it is mounted read-only; nothing is changed",
    "disk-full": "the kernel's words; found before the first value is written",
    "sysctl-d-is-link": "the folder; nothing is changed",
    "file-immutable": "the file and the kernel's words; nothing is changed",
    "file-of-others": "that the file is not ours; nothing is changed",
    "proc-sys-read-only": "the keys; nothing is changed",
    "key-read-only": "the key, with the verdict `readonly`; nothing is changed",
    "absent-key": "the setting has the verdict `missing`, with the reason",
    "rounds": "nothing: it is as wanted; the setting is `rewritten` where the kernel shows another number",
    "refuses-value": "the key and the kernel's words; all is put back",
    "no-flock": "what is missing; nothing is changed",
    "busybox-only": "what is missing, where this BusyBox lacks a program",
    "nixos": "the owner",
    "talos": "the owner",
    "image-read-only": "the folder that is read-only",
    "openwrt": "the owner",
}

# The phase in which each is met.
PHASES: Mapping[str, str] = {
    **dict.fromkeys(("refuses", "black-hole", "silent", "slow"), "connect"),
    **dict.fromkeys(("other-host-key", "no-known-key", "revoked-key", "login-refused"), "connect"),
    **dict.fromkeys(("drops-mid-read", "nologin", "key-unreadable", "floods", "floods-in-frame"), "read"),
    **dict.fromkeys(("sends-binary", "sends-escapes", "sends-other-mark", "endless-line"), "read"),
    **dict.fromkeys(("escapes-in-value", "etc-read-only", "sysctl-d-is-link", "file-of-others"), "plan"),
    **dict.fromkeys(("proc-sys-read-only", "key-read-only", "nixos", "talos", "image-read-only", "openwrt"), "plan"),
    **dict.fromkeys(("not-in-sudoers", "disk-full", "file-immutable", "refuses-value", "no-flock"), "change"),
    **dict.fromkeys(("busybox-only", "drops-mid-write"), "change"),
}
