"""What the users of a lab host may become root with: sudoers(5), doas.conf(5), and PAM for both and for sshd.

Gives the files' texts; that the real sudo and doas work is a matter of who runs the lab.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from sysfleet.errors import SetupError
from sysfleet.lab.spec import HostSpec, Login

# Files that their programs take from root alone, with the mode that they want.
MODES = {"etc/sudoers": 0o440, "etc/doas.conf": 0o600}

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
        path = shutil.which(program, path="/usr/local/bin:/usr/bin:/bin")
        if path is None:
            raise SetupError(f"{spec.name}: this machine has no {program}")
        # What is set-user-id to a user that a host does not know is not so in the host.
        if os.geteuid() != 0:
            raise SetupError(f"{program} in a lab needs the machine's root")
        if os.statvfs(path).f_flag & os.ST_NOSUID:
            raise SetupError(f"{program} in a lab needs a {Path(path).parent} that is not mounted nosuid")


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
