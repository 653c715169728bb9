"""What is wrong with the files that a host has before its first boot.

- `login_refused`: the one key that is listed for root is one that nobody has.
- `file_of_others`, `file_immutable`: the file that sysfleet manages is there already, written by somebody else or
  by sysfleet; that it cannot be changed is `disk`'s business.
- `sysctl_d_is_link`: `/etc/sysctl.d` is a link to a folder below /var/lib.
- `noisy_start_files`: a banner, a message of the day, and every shell's start file prints and changes directory.
- `start_file_set_e`: every shell's start file says `set -e` and `set -u`.
- `foreign_locale`: the server gives every session a locale with messages of another language.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from sysfleet.lab.faults import owners
from sysfleet.lab.faults.names import Fault, environment

MANAGED = "etc/sysctl.d/99-zz-sysfleet.conf"
BANNER = "etc/issue.net"

_HEADER = "# Managed by sysfleet: a change made here is found as drift and overwritten.\n"
_OURS = f"{_HEADER}\nnet.ipv4.tcp_syncookies = 1\n"
_OTHERS = "# Site policy, by hand. Ask before you touch it.\nnet.ipv4.tcp_syncookies = 1\n"
_NOBODY_S_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINk4VRft/NA/k4e4ExNneBjrAlx5aBsN9Or7brGgwJnk nobody\n"
_LINKED = "var/lib/sysctl.d"

_START_FILES = (
    "etc/profile",
    "root/.profile",
    "root/.bash_profile",
    "root/.bashrc",
    "root/.zshenv",
    "root/.kshrc",
    "root/.cshrc",
    "root/.config/fish/config.fish",
)
# Every shell here takes these lines alike; what the Bourne shells have more comes below.
_NOISE = "echo '*** all use of this host is logged ***'\necho 'root@elsewhere:/tmp# '\ncd /tmp\n"
_BOURNE_NOISE = "echo 'mail: 3 new messages' >&2\nCDPATH=/:/usr\nalias ls='ls -F' cat='cat -n'\n"
_STRICT = "set -e\nset -u\n"
_FOR_CHILDREN = "export ENV=/root/.kshrc BASH_ENV=/root/.bashrc\n"


def write(root: Path, faults: Collection[Fault], *, authorized_keys: str, sshd_config: str) -> None:
    """Change what is below `root` already; the last two are the names of the server's own files there."""
    if "login_refused" in faults:
        (root / authorized_keys).write_text(_NOBODY_S_KEY, encoding="utf-8")
    if "file_immutable" in faults or "file_of_others" in faults:
        (root / MANAGED).write_text(_OURS if "file_immutable" in faults else _OTHERS, encoding="utf-8")
    settings = "".join(f" {name}={value}" for name, value in environment(faults).items())
    lines = [f"SetEnv{settings}"] if settings else []
    if "noisy_start_files" in faults:
        _append_to_start_files(root, _NOISE, _BOURNE_NOISE)
        (root / BANNER).write_text("Authorised users only.\nPassword: \n", encoding="utf-8")
        (root / "etc/motd").write_text("Welcome. The next backup is at 3.\n", encoding="utf-8")
        lines += [f"Banner /{BANNER}", "PrintMotd yes"]
    if "start_file_set_e" in faults:
        _append_to_start_files(root, "", _STRICT)
    if lines:
        # Of sshd_config(5)'s lines the first holds.
        own = (root / sshd_config).read_text(encoding="utf-8")
        (root / sshd_config).write_text("\n".join([*lines, own]), encoding="utf-8")
    owners.write_files(root, faults)


def link_folder(root: Path, faults: Collection[Fault]) -> None:
    """Put a link where `/etc/sysctl.d` was, once all that lies in it is written."""
    if "sysctl_d_is_link" in faults:
        (root / "etc/sysctl.d").rename(root / _LINKED)
        (root / "etc/sysctl.d").symlink_to(f"/{_LINKED}")


def _append_to_start_files(root: Path, text: str, bourne_text: str) -> None:
    for name in _START_FILES:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        before = path.read_text(encoding="utf-8") if path.exists() else ""
        is_bourne = not name.endswith((".cshrc", ".fish"))
        path.write_text(before + text + (bourne_text + _FOR_CHILDREN if is_bourne else ""), encoding="utf-8")
