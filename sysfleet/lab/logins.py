"""The users of a lab host besides root: their accounts, passwords, keys and homes.

Gives the lines of the host's files, and makes the homes inside it; what they may become root with is `privilege`.
"""

from __future__ import annotations

import ctypes
import os
import re
import secrets
from collections.abc import Iterable, Iterator
from pathlib import Path

from sysfleet.errors import SetupError, UsageError
from sysfleet.lab import loaders
from sysfleet.lab.spec import Backend, HostSpec, Login, Mode

_FIRST_ID = 1000
_NAME = re.compile(r"[a-z_][a-z0-9_-]{0,31}", re.ASCII)
_TAKEN = {"root", "sshd", "nobody", "tty", "sudo", "shadow", "users", "nogroup"}
_LINE_ENDS = set("\0\r\n")

# BusyBox is ash by its name alone, and not every machine has it under this one.
_ASH = "/bin/ash"
_OWN_ASH = "/run/shells/ash"
_LIBRARIES = ("libcrypt.so.1", "libcrypt.so.2", None)


def check(specs: Iterable[HostSpec]) -> None:
    """Raise UsageError for users that cannot be made, and for an inventory that names one who is not there."""
    for spec in specs:
        names = [login.name for login in spec.logins]
        for login in spec.logins:
            _check(spec.name, login)
        if len(set(names)) != len(names):
            raise UsageError(f"{spec.name}: two users of one name")
        if spec.user not in {"root", *names}:
            raise UsageError(f"{spec.name}: the user {spec.user} is none of its logins", hint=", ".join(names))
        if any(set(line) & _LINE_ENDS for line in spec.sshd):
            raise UsageError(f"{spec.name}: a line of sshd_config with a line break")


def _check(host: str, login: Login) -> None:
    if not _NAME.fullmatch(login.name) or login.name in _TAKEN:
        raise UsageError(f"{host}: {login.name!r} cannot be the name of a user")
    if not login.shell.startswith("/") or set(login.shell) & set(":\n"):
        raise UsageError(f"{host}: {login.shell!r} cannot be a shell")
    if login.password is not None and (not login.password or set(login.password) & _LINE_ENDS):
        raise UsageError(f"{host}: the password of {login.name} is empty or has a line break")
    if "none" in login.sudo and len(login.sudo) > 1:
        raise UsageError(f"{host}: {login.name} cannot have sudo and have none")


def check_setting(spec: HostSpec, mode: Mode, backend: Backend) -> None:
    """Raise UsageError where such a lab cannot have this host, SetupError where the machine lacks a shell."""
    wishes = {"logins": spec.logins, "behind": spec.behind, "sshd": spec.sshd}
    wanted = [name for name, wish in wishes.items() if wish]
    if wanted and (mode != "namespaces" or backend != "openssh"):
        has = f"the backend {backend}" if mode == "namespaces" else "folders"
        raise UsageError(f"{spec.name}: {', '.join(wanted)} need namespaces and OpenSSH's sshd, this lab has {has}")
    for login in spec.logins:
        there = loaders.busybox() is not None if login.shell == _ASH else os.access(login.shell, os.X_OK)
        if not there:
            raise SetupError(f"{spec.name}: this machine has no {login.shell} to be the shell of {login.name}")


def has_passwords(spec: HostSpec) -> bool:
    """Whether the host has to take passwords."""
    return any(login.password is not None for login in spec.logins)


def passwd_lines(spec: HostSpec) -> str:
    """The users' lines of /etc/passwd."""
    return "".join(
        f"{login.name}:x:{uid}:{uid}:{login.name}:/home/{login.name}:{shell(login.shell)}\n"
        for uid, login in _numbered(spec)
    )


def group_lines(spec: HostSpec) -> str:
    """The users' lines of /etc/group: everybody has one of their own."""
    return "".join(f"{login.name}:x:{uid}:\n" for uid, login in _numbered(spec))


def shadow_lines(spec: HostSpec) -> str:
    """The users' lines of /etc/shadow; who has no password is not locked, as sshd takes `!` for that."""
    hashes = {login.name: "*" if login.password is None else _hash(login.password) for login in spec.logins}
    return "".join(f"{name}:{hashed}:19700:0:99999:7:::\n" for name, hashed in hashes.items())


def authorized_keys(spec: HostSpec, client_key: str) -> dict[str, str]:
    """For every user the file of the keys that let them in."""
    return {
        login.name: client_key if login.keys is None else "".join(f"{key.strip()}\n" for key in login.keys)
        for login in spec.logins
    }


def shell(path: str) -> str:
    """Where a shell is in a host: BusyBox ash has a place of its own where the machine has none of that name."""
    return _OWN_ASH if path == _ASH and not Path(_ASH).exists() else path


def make_homes(spec: HostSpec) -> None:
    """Inside the host: give every user a home that nobody else may look into, with what the spec put there."""
    for uid, login in _numbered(spec):
        home = Path("/home") / login.name
        home.mkdir(exist_ok=True)
        home.chmod(0o700)
        for path in (home, *home.rglob("*")):
            os.chown(path, uid, uid, follow_symlinks=False)
    program = loaders.busybox()
    if program is not None and _OWN_ASH in {shell(path) for path in (spec.shell, *(one.shell for one in spec.logins))}:
        Path(_OWN_ASH).parent.mkdir(exist_ok=True)
        Path(_OWN_ASH).symlink_to(program)


def _numbered(spec: HostSpec) -> Iterator[tuple[int, Login]]:
    return enumerate(spec.logins, start=_FIRST_ID)


def _hash(password: str) -> str:
    """The password as crypt(5) keeps it, with as few rounds as it allows: a lab's secrets are none."""
    setting = f"$6$rounds=1000${secrets.token_hex(4)}$"
    for name in _LIBRARIES:
        try:
            crypt = ctypes.CDLL(name).crypt
        except (OSError, AttributeError):
            continue
        crypt.restype = ctypes.c_char_p
        hashed = crypt(password.encode(), setting.encode())
        if isinstance(hashed, bytes) and hashed.startswith(b"$6$"):
            return hashed.decode("ascii")
    raise SetupError("passwords in a lab need libcrypt", hint="Debian: libcrypt1")
