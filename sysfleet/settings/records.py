"""Every setting of sysfleet.toml: its name, type, unit, bounds, default and help, in one place.

Refuses to read anything; a password never stands here, only where it comes from.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

DEFAULT_IDENTITIES = ("id_ed25519", "id_ecdsa", "id_rsa")
PROJECT_KNOWN_HOSTS = "known_hosts"  # in the project folder

Connection = Literal["paramiko", "netmiko", "openssh"]

_HOUR_S = 3600
_DAY_S = 86400


def _setting(text: str, *, kind: str | None = None, unit: str | None = None, **bounds: Any) -> Meta:
    return Meta(description=text, title=kind, extra={"unit": unit}, **bounds)


_Text = Annotated[str, Meta(pattern=r"\A[^\x00-\x1f\x7f]+\Z")]
# An option of ssh(1) must not be smuggled in as a user's name.
_Login = Annotated[str, Meta(pattern=r"\A[^\x00-\x20\x7f-][^\x00-\x20\x7f]*\Z")]
_Variable = Annotated[str, Meta(pattern=r"\A[A-Za-z_][A-Za-z0-9_]*\Z")]
_Argv = Annotated[tuple[Annotated[str, Meta(pattern=r"\A[^\x00]+\Z")], ...], Meta(min_length=1)]

_VARIABLE_KIND = "the name of an environment variable"
_COMMAND_KIND = "a list of a program and its arguments"
_KEYRING_KIND = "the name of a service"
# A password put where its source belongs must not come back in a message.
UNREPEATED_KINDS = frozenset({_VARIABLE_KIND, _COMMAND_KIND, _KEYRING_KIND})
# What a shell, a sysctl.d reader and a log line all take without quoting; no component begins with a dot.
_NAME = r"[A-Za-z0-9_@+-][A-Za-z0-9._@+-]*"
_File = Annotated[str, Meta(pattern=rf"\A/etc(/{_NAME})*/{_NAME}\.conf\Z")]
_Glob = Annotated[str, Meta(pattern=r"\A[A-Za-z0-9_.:@*?!\[\]-]{1,64}\Z")]
_GLOBS_KIND = "a list of interface names and globs"
_Share = Annotated[int, Meta(ge=0)] | Annotated[str, Meta(pattern=r"\A[0-9]{1,9}%?\Z")]
_SHARE_KIND = "a number of hosts, or a percentage of the selection"


class Ssh(msgspec.Struct, frozen=True, kw_only=True):
    """How hosts are reached and known."""

    connection: Annotated[Connection, _setting("what speaks SSH, where the inventory does not choose")] = "paramiko"
    user: Annotated[_Login | None, _setting("login where the inventory names none", kind="a login name")] = None
    identity_files: Annotated[
        tuple[_Text, ...],
        _setting(
            "private keys; empty: id_ed25519, id_ecdsa and id_rsa in ~/.ssh, where present",
            kind="a list of paths",
        ),
    ] = ()
    known_hosts: Annotated[
        tuple[_Text, ...],
        _setting(
            "files of host keys; empty: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts, where present;"
            " known_hosts in the project folder is read as well",
            kind="a list of paths",
        ),
    ] = ()
    config: Annotated[
        _Text | None,
        _setting("the ssh_config to follow; not set: `~/.ssh/config`, where present", kind="a path, or `none`"),
    ] = None
    agent: Annotated[bool, _setting("whether keys of a running ssh-agent are offered")] = True
    connect_timeout_s: Annotated[
        float, _setting("longest wait for a connection and its login", unit="s", gt=0, le=_HOUR_S)
    ] = 10.0
    passphrase_env: Annotated[
        _Variable | None, _setting("holds the passphrase of encrypted private keys", kind=_VARIABLE_KIND)
    ] = None
    passphrase_command: Annotated[
        _Argv | None, _setting("prints the passphrase of encrypted private keys as its first line", kind=_COMMAND_KIND)
    ] = None
    passphrase_keyring: Annotated[
        _Text | None,
        _setting("of the system keyring, which holds the passphrase for each key file's path", kind=_KEYRING_KIND),
    ] = None
    passphrase_prompt: Annotated[
        bool, _setting("whether the passphrase of each encrypted private key is asked for on the terminal")
    ] = False
    password_env: Annotated[_Variable | None, _setting("holds the login password", kind=_VARIABLE_KIND)] = None
    password_command: Annotated[
        _Argv | None, _setting("prints the login password as its first line", kind=_COMMAND_KIND)
    ] = None
    password_keyring: Annotated[
        _Text | None, _setting("of the system keyring, which holds each login's password", kind=_KEYRING_KIND)
    ] = None
    password_prompt: Annotated[
        bool, _setting("whether the login password is asked for on the terminal, before the run")
    ] = False


class Privilege(msgspec.Struct, frozen=True, kw_only=True):
    """How root rights are had on a host."""

    method: Annotated[
        Literal["auto", "none", "sudo", "doas"],
        _setting("how a program becomes root; auto: not at all for root, else sudo, else doas"),
    ] = "auto"
    password_env: Annotated[
        _Variable | None, _setting("holds the password that sudo or doas asks for", kind=_VARIABLE_KIND)
    ] = None
    password_command: Annotated[
        _Argv | None, _setting("prints the password for sudo or doas as its first line", kind=_COMMAND_KIND)
    ] = None
    password_keyring: Annotated[
        _Text | None,
        _setting("of the system keyring, which holds each login's password for sudo or doas", kind=_KEYRING_KIND),
    ] = None
    password_prompt: Annotated[
        bool, _setting("whether the password for sudo or doas is asked for on the terminal, before the run")
    ] = False


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """How much at once, and for how long."""

    workers: Annotated[int, _setting("hosts worked on at the same time", unit="hosts", ge=1, le=1000)] = 50
    deadline_s: Annotated[float, _setting("longest time for one host, end to end", unit="s", gt=0, le=_DAY_S)] = 60.0
    confirm_timeout_s: Annotated[
        float,
        _setting(
            "how long a host waits for the proof over a new connection before it puts its change back by itself;"
            " 0: neither is there",
            unit="s",
            ge=0,
            le=_HOUR_S,
        ),
    ] = 60.0
    batch: Annotated[
        tuple[_Share, ...],
        _setting(
            "how far each batch of an apply goes, counted from the first host; the last is 100%",
            kind="a list of numbers of hosts and percentages",
            min_length=1,
        ),
    ] = ("1", "10%", "100%")
    max_failures: Annotated[
        _Share, _setting("hosts that may fail before anything is written there; one more stops", kind=_SHARE_KIND)
    ] = "10%"
    max_lost: Annotated[
        _Share, _setting("hosts that may be put back, unverified or gone after the write", kind=_SHARE_KIND)
    ] = "0"
    max_parallel_per: Annotated[
        tuple[_Text, ...],
        _setting("how many hosts of a group may be in an apply at the same time", kind="a list of GROUP=N"),
    ] = ()
    pause_s: Annotated[
        float, _setting("wait between two batches", kind="a number from 0 to 86400", unit="s", ge=0, le=_DAY_S)
    ] = 0.0
    on_abort: Annotated[
        Literal["keep", "revert"],
        _setting("what becomes of hosts that are changed already when a budget is used up; revert is not there yet"),
    ] = "keep"


class File(msgspec.Struct, frozen=True, kw_only=True):
    """The file that holds the settings on a host, and the interfaces it may name."""

    path: Annotated[_File, _setting("the file on the host", kind="an absolute path under /etc that ends in .conf")] = (
        "/etc/sysctl.d/99-zz-sysfleet.conf"
    )
    comments: Annotated[
        Literal["none", "short", "full"], _setting("how much of each setting's story stands above it")
    ] = "short"
    interfaces: Annotated[
        tuple[_Glob, ...],
        _setting("globs that a setting for all interfaces is written for", kind=_GLOBS_KIND),
    ] = ("en*", "eth*", "em[0-9]*", "bond*", "team*", "br[0-9]*", "vlan*", "ib*", "wl*", "ww*")
    foreign_interfaces: Annotated[
        tuple[_Glob, ...],
        _setting("interfaces that other programs make and own; they are left alone", kind=_GLOBS_KIND),
    ] = (
        *("veth*", "cali*", "cilium*", "lxc*", "docker*", "br-*", "virbr*", "vnet*", "tun*", "tap*", "wg*"),
        *("tailscale*", "zt*", "ppp*", "podman*", "cni*", "flannel*", "weave*", "antrea*", "ovn*", "ovs*"),
        *("vxlan*", "genev*", "azv*", "kube-*", "nodelocaldns*", "lxdbr*", "incusbr*"),
        *("fwbr*", "fwln*", "fwpr*", "sit[0-9]*", "ip6tnl*", "gre*", "erspan*", "ip_vti*", "ip6_vti*"),
    )


class Boot(msgspec.Struct, frozen=True, kw_only=True):
    """What is said where the value at the next boot cannot be known."""

    unknown: Annotated[
        Literal["drift", "accept"], _setting("an unknown value at boot is drift, or accepted with a note")
    ] = "drift"


_Treatment = Literal["block", "keep", "leave_out"]


class Missing(msgspec.Struct, frozen=True, kw_only=True):
    """What is done about wanted keys that a host does not have.

    `block`: `apply` refuses the host. `keep`: the line stays in the file, and it is drift until the key is there.
    `leave_out`: no line; the row counts it.
    """

    unknown_key: Annotated[_Treatment, _setting("a key that no kernel is known to have")] = "block"
    module_not_loaded: Annotated[_Treatment, _setting("a key of a module that is not loaded")] = "keep"
    kernel_too_old: Annotated[_Treatment, _setting("a key that newer kernels have")] = "leave_out"
    compiled_out: Annotated[_Treatment, _setting("a key that this kernel was built without")] = "leave_out"
    ipv6_off: Annotated[_Treatment, _setting("a key of IPv6 where that is off")] = "leave_out"
    other_namespace: Annotated[_Treatment, _setting("a key that this container does not have")] = "leave_out"


class Store(msgspec.Struct, frozen=True, kw_only=True):
    """Where the index of past runs lies."""

    url: Annotated[_Text | None, _setting("database of runs; empty: a file beside the journal", kind="a URL")] = None


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """All settings of a project; each section's defaults hold where the file is silent."""

    ssh: Ssh = Ssh()
    privilege: Privilege = Privilege()
    run: Run = Run()
    file: File = File()
    boot: Boot = Boot()
    missing: Missing = Missing()
    store: Store = Store()


def identity_paths(ssh: Ssh, *, home: Path, project: Path, exists: Callable[[Path], bool]) -> tuple[Path, ...]:
    """The private keys to offer: those set, relative to the project, else the usual ones that exist."""
    if ssh.identity_files:
        return tuple(_resolved(name, home, project) for name in ssh.identity_files)
    return tuple(path for name in DEFAULT_IDENTITIES if exists(path := home / ".ssh" / name))


def known_hosts_paths(ssh: Ssh, *, home: Path, project: Path, exists: Callable[[Path], bool]) -> tuple[Path, ...]:
    """The files of host keys: those set, relative to the project, else the usual ones; then the project's own."""
    usual = (home / ".ssh" / "known_hosts", Path("/etc/ssh/ssh_known_hosts"))
    found = [_resolved(name, home, project) for name in ssh.known_hosts] or [path for path in usual if exists(path)]
    own = project_known_hosts(project)
    return (*found, own) if own not in found and exists(own) else tuple(found)


def project_known_hosts(project: Path) -> Path:
    """The project's own file of host keys, which learned ones are written to; it need not be there."""
    return project / PROJECT_KNOWN_HOSTS


def ssh_config_path(ssh: Ssh, *, home: Path, project: Path) -> Path | None:
    """The ssh_config that is set, relative to the project; None: the usual ones."""
    return None if ssh.config is None else _resolved(ssh.config, home, project)


def _resolved(name: str, home: Path, project: Path) -> Path:
    if name == "~" or name.startswith("~/"):
        return home / name[2:]
    return project / name
