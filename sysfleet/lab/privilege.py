"""What the users of a lab host may become root with: sudoers(5), doas.conf(5), and PAM for both and for sshd.

Gives the files' texts, and sees to it that the real sudo and doas are what their set-user-id bit says.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from sysfleet.errors import SetupError
from sysfleet.lab import linux
from sysfleet.lab.spec import HostSpec, Login

# Files that their programs take from root alone, with the mode that they want.
MODES = {"etc/sudoers": 0o440, "etc/doas.conf": 0o600}

# Where a host has its own set-user-id programs, if it needs them, and what else of sudo's has to be root's.
_OWN = "run/privilege"
_PLUGINS = (Path("/usr/libexec/sudo/sudoers.so"), Path("/usr/lib/sudo/sudoers.so"))

# No pause after a wrong password: a lab is not attacked.
_PAM = """\
auth required pam_unix.so nodelay
account required pam_unix.so
password required pam_deny.so
session required pam_permit.so
"""

# What newer releases of sudo switch on by themselves is said, so that every release does the same.
_SUDOERS = """\
Defaults env_reset, !use_pty, !lecture, !mail_badpass, !mail_no_user
Defaults secure_path="/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
root ALL=(ALL:ALL) ALL
"""

_DEFAULTS = {
    "requiretty": "requiretty",
    "use_pty": "use_pty",
    "lecture": "lecture=always",
    # One ticket for all of the user's logins, whichever terminal they have.
    "ticket": "timestamp_type=global, timestamp_timeout=60",
}


def check_machine(spec: HostSpec) -> None:
    """Raise SetupError where a user is to have sudo or doas and this machine's cannot work in a lab."""
    for program in _wanted(spec):
        path = _path(program)
        if path is None:
            raise SetupError(f"{spec.name}: this machine has no {program}")
        if os.geteuid() == 0 and os.statvfs(path).f_flag & os.ST_NOSUID:
            raise SetupError(f"{program} is refused here: {path.parent} is mounted nosuid")
        if not os.access(path, os.R_OK):
            raise SetupError(f"{program} is refused here: only root may copy {path}")


def show_programs(new_root: Path, spec: HostSpec) -> None:
    """Below `new_root`, before it becomes the root: make sudo and doas work where their owner is nobody in the host.

    That is so where somebody else than root runs the lab. What the host's own root owns is set-user-id to that, and
    in the host alone: the copies are on a file system that belongs to its namespaces.
    """
    paths = [path for program in _wanted(spec) if (path := _path(program)) is not None]
    if not any(path.stat().st_uid for path in paths):
        return
    own = new_root / _OWN
    own.mkdir()
    linux.mount_fresh("tmpfs", own, "mode=755,size=16m", set_user_id=True)
    for path in [*paths, *_PLUGINS]:
        if path.exists():
            copy = own / path.name
            shutil.copyfile(path, copy)
            copy.chmod(0o4755 if path in paths else 0o644)
            linux.bind(copy, new_root / path.relative_to("/"))


def _path(program: str) -> Path | None:
    found = shutil.which(program, path="/usr/local/bin:/usr/bin:/bin")
    return Path(found).resolve() if found else None


def _wanted(spec: HostSpec) -> Iterator[str]:
    if any(_has_sudo(login) for login in spec.logins):
        yield "sudo"
    if any(login.doas != "none" for login in spec.logins):
        yield "doas"


def files(spec: HostSpec) -> dict[str, str]:
    """Every file of the host that this is about, and its text; none where root is alone."""
    if not spec.logins:
        return {}
    services = ("sshd", "sudo", "sudo-i", "doas", "su", "other")
    pam = {f"etc/pam.d/{service}": _pam(service) for service in services}
    return {**pam, "etc/sudoers": _sudoers(spec), "etc/doas.conf": _doas_conf(spec)}


def _pam(service: str) -> str:
    return f"auth sufficient pam_rootok.so\n{_PAM}" if service == "su" else _PAM


def _sudoers(spec: HostSpec) -> str:
    lines = []
    for login in spec.logins:
        lines += [f"Defaults:{login.name} {_DEFAULTS[each]}" for each in login.sudo if each in _DEFAULTS]
        if _has_sudo(login):
            tag = "NOPASSWD: " if "nopasswd" in login.sudo else ""
            lines.append(f"{login.name} ALL=(ALL:ALL) {tag}ALL")
    return _SUDOERS + "".join(f"{line}\n" for line in lines)


def _doas_conf(spec: HostSpec) -> str:
    words = {"nopass": "permit nopass", "password": "permit"}
    lines = ["permit nopass root", *(f"{words[one.doas]} {one.name}" for one in spec.logins if one.doas != "none")]
    return "".join(f"{line}\n" for line in lines)


def _has_sudo(login: Login) -> bool:
    return bool(login.sudo) and "none" not in login.sudo
