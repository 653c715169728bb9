"""What one lab host is to be like. Pure records; how a host is made so is not their business."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Literal, Self, get_args

from sysfleet.errors import UsageError
from sysfleet.lab.faults.names import OF_ROOT_S_SHELL, WAY, Fault, clash

Loader = Literal["systemd", "procps", "alpine", "openrc", "none"]
Backend = Literal["openssh", "asyncssh"]
Mode = Literal["namespaces", "folder"]
Sudo = Literal["nopasswd", "password", "requiretty", "use_pty", "lecture", "ticket", "none"]


@dataclass(frozen=True, slots=True)
class Login:
    """A user besides root: `keys` are public key lines; None lets in the lab's own key.

    `sudo` and `doas` say what the user may become root with; `password` is for the login (a host whose users have
    one takes passwords, keyboard-interactive too) and for sudo and doas alike.
    """

    name: str
    shell: str = "/bin/sh"
    password: str | None = None
    keys: tuple[str, ...] | None = None
    sudo: tuple[Sudo, ...] = ("none",)
    doas: Literal["none", "nopass", "password"] = "none"


_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_OWN_FOLDERS = ("/etc/", "/run/", "/home/", "/var/lib/", "/root/", "/usr/lib/sysctl.d/", "/usr/local/lib/sysctl.d/")
MAX_INTERFACES = 4000


@dataclass(frozen=True, slots=True)
class HostSpec:
    """One host: `values` are set once, before the loader's first run; `absent` keys have no file at all.

    `loader` None means the first that this machine has a program for. `refuse` closes the port; `hang` accepts
    connections and is silent. `files` are written before the first boot, those below /run and /home at every boot.
    `logins` are users besides root; `user` is the one that the inventory names. `behind` names the lab host that is
    the only way in: the port is open in its network alone. `sshd` are further lines of sshd_config, the first to be
    read.
    """

    name: str
    groups: tuple[str, ...] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    interfaces: int = 1
    drop_ins: int = 0
    files: Mapping[str, bytes] = field(default_factory=dict)
    values: Mapping[str, str] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    loader: Loader | None = None
    loader_enabled: bool = True
    shell: str = "/bin/sh"
    refuse: bool = False
    hang: bool = False
    faults: tuple[Fault, ...] = ()
    logins: tuple[Login, ...] = ()
    user: str = "root"
    behind: str | None = None
    sshd: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """The record as plain JSON; file contents are base64."""
        fields = asdict(self)
        fields["files"] = {path: base64.b64encode(data).decode() for path, data in self.files.items()}
        return fields

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Self:
        """The record that `to_json` gave."""
        lists = {name: tuple(fields[name]) for name in ("groups", "absent", "faults", "sshd")}
        spec = cls(**{**fields, **lists, "logins": tuple(_login(login) for login in fields["logins"])})
        return replace(spec, files={path: base64.b64decode(data) for path, data in spec.files.items()})


def _login(fields: Mapping[str, Any]) -> Login:
    keys = fields["keys"]
    return Login(**{**fields, "keys": None if keys is None else tuple(keys), "sudo": tuple(fields["sudo"])})


def check_specs(specs: Sequence[HostSpec]) -> None:
    """Raise UsageError for hosts that cannot be made."""
    if not specs:
        raise UsageError("a lab needs at least one host")
    seen: set[str] = set()
    for spec in specs:
        if not _NAME.fullmatch(spec.name):
            raise UsageError(f"{spec.name!r} is no host name", hint="lower-case letters, digits and dashes, at most 63")
        if spec.name in seen:
            raise UsageError(f"two lab hosts are called {spec.name}")
        seen.add(spec.name)
        if not 1 <= spec.interfaces <= MAX_INTERFACES:
            raise UsageError(f"{spec.name}: a lab host has 1 to {MAX_INTERFACES} interfaces besides lo")
        for path in spec.files:
            _check_path(spec.name, path)
        for key in (*spec.values, *spec.absent):
            key_path(key)
        _check_faults(spec)


def _check_faults(spec: HostSpec) -> None:
    unknown = sorted(set(spec.faults) - set(get_args(Fault)))
    if unknown:
        raise UsageError(f"{spec.name}: {unknown[0]} is no fault of a lab host", hint=", ".join(get_args(Fault)))
    if found := clash(spec.faults):
        raise UsageError(f"{spec.name}: the faults {' and '.join(found)} do not go together")
    for fault in spec.faults:
        if fault in WAY and (spec.refuse or spec.hang or spec.behind is not None):
            raise UsageError(f"{spec.name}: the fault {fault} needs a port that is this machine's and answers")
        if fault == "drops_mid_read" and spec.sshd:
            raise UsageError(f"{spec.name}: the fault {fault} and lines of sshd_config do not go together")
        if fault in OF_ROOT_S_SHELL and spec.user != "root":
            raise UsageError(f"{spec.name}: the fault {fault} is of root's login shell, and the user is {spec.user}")


def _check_path(name: str, path: str) -> None:
    if not path.startswith(_OWN_FOLDERS) or ".." in PurePosixPath(path).parts or path.endswith("/"):
        raise UsageError(f"{name}: {path} is not below a lab host's own folders", hint=", ".join(_OWN_FOLDERS))


def key_path(key: str) -> PurePosixPath:
    """Where a key's file is below /proc/sys; the first separator decides which one it is (sysctl.d(5))."""
    separator = re.search(r"[./]", key)
    text = key.translate(str.maketrans("./", "/.")) if separator and separator[0] == "." else key
    path = PurePosixPath(text)
    if path.is_absolute() or len(path.parts) < 2 or ".." in path.parts:
        raise UsageError(f"{key!r} is no sysctl key")
    return path
