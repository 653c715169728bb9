"""The files that a lab host has before its first boot: a small /etc, an empty home, what its spec adds.

Writes below one folder and knows nothing of namespaces.
"""

from __future__ import annotations

from pathlib import Path

from sysfleet.lab import loaders, logins, privilege
from sysfleet.lab.faults import files, shell
from sysfleet.lab.spec import HostSpec, Loader

AUTHORIZED_KEYS = "etc/ssh/authorized_keys.d/root"
HOST_KEY = "etc/ssh/ssh_host_ed25519_key"
SSHD_CONFIG = "etc/ssh/sshd_config"

# Folders of a host that outlive a restart, and where they are shown inside.
LASTING = ("etc", "var/lib", "root", "usr/lib/sysctl.d", "usr/local/lib/sysctl.d")

# Of the machine's /etc: what its programs need to be found and linked.
SHARED_FOLDER = "etc/alternatives"
SHARED_FILE = "etc/ld.so.cache"

_GROUP = """\
root:x:0:
tty:x:5:
sudo:x:27:
shadow:x:42:
users:x:100:
nogroup:x:65534:
"""

_SSHD_CONFIG = """\
HostKey /etc/ssh/ssh_host_ed25519_key
AuthorizedKeysFile /etc/ssh/authorized_keys.d/%u
StrictModes no
UseDNS no
PermitRootLogin prohibit-password
PrintMotd no
PrintLastLog no
X11Forwarding no
LogLevel ERROR
Subsystem sftp internal-sftp
"""
_PASSWORD_OPTIONS = ("UsePAM", "PasswordAuthentication", "KbdInteractiveAuthentication")

_OS_RELEASE = {
    "systemd": ("debian", "Debian GNU/Linux", "12"),
    "procps": ("devuan", "Devuan GNU/Linux", "5"),
    "alpine": ("alpine", "Alpine Linux", "3.20.3"),
    "openrc": ("gentoo", "Gentoo", "2.15"),
    "none": ("linux", "Linux", "1"),
}


def write_host_files(root: Path, spec: HostSpec, loader: Loader, host_key: bytes, client_key: str) -> None:
    """Write everything below `root` that the host finds at its first boot."""
    for folder in (*LASTING, "etc/sysctl.d", "etc/ssh/authorized_keys.d", SHARED_FOLDER):
        (root / folder).mkdir(parents=True, exist_ok=True)
    (root / "etc/pam.d").mkdir(exist_ok=True)
    for path, text in {**_texts(spec, loader), **privilege.files(spec)}.items():
        (root / path).write_text(text, encoding="utf-8")
    for path, mode in {**privilege.MODES, "etc/shadow": 0o640}.items():
        if (root / path).exists():
            (root / path).chmod(mode)
    (root / SHARED_FILE).touch()
    for name, keys in {"root": client_key, **logins.authorized_keys(spec, client_key)}.items():
        (root / AUTHORIZED_KEYS).with_name(name).write_text(keys, encoding="utf-8")
    (root / HOST_KEY).touch(0o600)
    (root / HOST_KEY).write_bytes(host_key)
    (root / "root").chmod(0o700)
    loaders.declare(root, loader, enabled=spec.loader_enabled)
    for number in range(1, spec.drop_ins + 1):
        text = f"# Site setting {number}.\nnet.ipv4.tcp_keepalive_intvl = 75\n"
        (root / f"etc/sysctl.d/50-site-{number:04}.conf").write_text(text, encoding="utf-8")
    files.write(root, spec.faults, authorized_keys=AUTHORIZED_KEYS, sshd_config=SSHD_CONFIG)
    write_added_files(root, spec, at_boot=False)
    files.link_folder(root, spec.faults)


def write_added_files(root: Path, spec: HostSpec, *, at_boot: bool) -> None:
    """Write the files that the spec adds: those below /run and /home at every boot, the others once."""
    for name, content in spec.files.items():
        if name.startswith(("/run/", "/home/")) == at_boot:
            path = root / name.removeprefix("/")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            # sshd takes no key that others may read.
            if path.is_relative_to(root / "etc/ssh") and b"PRIVATE KEY-----" in content:
                path.chmod(0o600)


def _texts(spec: HostSpec, loader: Loader) -> dict[str, str]:
    short, name, version = _OS_RELEASE[loader]
    return {
        "etc/passwd": f"root:x:0:0:root:/root:{shell.login_shell(logins.shell(spec.shell), spec.faults)}\n"
        "sshd:x:101:65534::/run/sshd:/usr/sbin/nologin\n"
        "nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin\n"
        f"{logins.passwd_lines(spec)}",
        "etc/shadow": "root:*:19700:0:99999:7:::\nsshd:!:19700::::::\nnobody:*:19700:0:99999:7:::\n"
        f"{logins.shadow_lines(spec)}",
        "etc/group": _GROUP + logins.group_lines(spec),
        "etc/nsswitch.conf": "passwd: files\ngroup: files\nshadow: files\nhosts: files\n",
        "etc/hosts": f"127.0.0.1 localhost\n127.0.1.1 {spec.name}\n::1 localhost\n",
        "etc/hostname": f"{spec.name}\n",
        "etc/os-release": f'ID={short}\nNAME="{name}"\nVERSION_ID="{version}"\nPRETTY_NAME="{name} {version}"\n',
        "etc/profile": "export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\n",
        "etc/shells": f"/bin/sh\n/bin/bash\n{spec.shell}\n",
        SSHD_CONFIG: _sshd_config(spec),
    }


def _sshd_config(spec: HostSpec) -> str:
    """The spec's own lines first, as the first of a kind counts; what follows a Match belongs to that, so last."""
    words = [line.split(maxsplit=1)[:1] for line in spec.sshd]
    first = next((number for number, word in enumerate(words) if word and word[0].lower() == "match"), len(words))
    answer = "yes" if logins.has_passwords(spec) else "no"
    passwords = [f"{option} {answer}" for option in _PASSWORD_OPTIONS]
    return "\n".join([*spec.sshd[:first], *passwords, _SSHD_CONFIG.rstrip(), *spec.sshd[first:]]) + "\n"
