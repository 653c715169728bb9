"""Real loaders at work in namespaces: a tree of files in, the kernel's values before and after out."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sysfleet.sysctl.key import Key, key_from_path, key_path
from sysfleet.sysctl.sources import SourceFile
from sysfleet.sysctl.versions import Loader
from tests.support.needs import needs, needs_namespaces

INTERFACES = ("all", "default", "lo", "v0", "v1/5")
_LEAVES = {
    "net.ipv4.conf": ("forwarding", "accept_redirects", "rp_filter", "log_martians", "send_redirects"),
    "net.ipv6.conf": ("forwarding", "force_forwarding", "accept_redirects", "accept_ra", "disable_ipv6"),
}
KEYS = tuple(
    Key(name)
    for name in (
        "net.ipv4.ip_forward",
        "net.ipv4.tcp_syncookies",
        "net.ipv4.tcp_fin_timeout",
        "net.ipv4.tcp_rmem",
        "net.ipv4.icmp_ratelimit",
        "net.ipv4.icmp_echo_ignore_all",
        "net.ipv4.icmp_echo_ignore_broadcasts",
        "net.ipv4.icmp_ignore_bogus_error_responses",
        "net.ipv4.tcp_max_syn_backlog",
        "net.ipv4.tcp_tw_reuse",
        "net.ipv4.ip_local_reserved_ports",
        "net.core.somaxconn",
        *(
            f"{family}.{interface}.{leaf}"
            for family, leaves in _LEAVES.items()
            for interface in INTERFACES
            for leaf in leaves
        ),
    )
)

# The init scripts' own way of calling BusyBox, told in our words: Alpine's, and OpenRC's for BusyBox.
_ALPINE = """\
apply() { test -f "$1" && busybox sysctl -q -p "$1"; }
hidden() { for over; do test -f "$over/${file##*/}" && return 0; done; return 1; }
for file in /lib/sysctl.d/*.conf /usr/lib/sysctl.d/*.conf; do
    hidden /etc/sysctl.d /run/sysctl.d || apply "$file"
done
for file in /etc/sysctl.d/*.conf; do hidden /run/sysctl.d || apply "$file"; done
apply /etc/sysctl.conf
for file in /run/sysctl.d/*.conf; do apply "$file"; done
"""
_OPENRC = """\
test -e /etc/sysctl.conf || exit 0
for file in /etc/sysctl.conf /etc/sysctl.d/*.conf; do
    test -r "$file" || continue
    busybox sed 's/ = /=/' "$file" | while read first rest; do
        case $first in "" | "#"*) continue ;; esac
        busybox sysctl -w "$first"
    done
done
"""


@dataclass(frozen=True)
class RealBoot:
    """The values around one run of a loader; a key that is not there is missing."""

    before: Mapping[Key, str]
    after: Mapping[Key, str]
    status: int
    stderr: str


class Sandbox:
    """A process in namespaces of its own that runs one loader as often as asked."""

    def __init__(self, process: subprocess.Popen[str], argv: Sequence[str], program: str) -> None:
        self._process, self._argv, self._program = process, list(argv), program

    def boot(self, files: Sequence[SourceFile], start: Sequence[tuple[Key, str]] = ()) -> RealBoot:
        """Lay the files out on a fresh network, write `start`, run the loader."""
        request = {
            "files": [_on_the_wire(file) for file in files],
            "start": [(key_path(key), value) for key, value in start],
            "argv": self._argv,
            "stdin": self._program,
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        return RealBoot(_values(answer["before"]), _values(answer["after"]), answer["status"], answer["stderr"])


@contextmanager
def sandbox(loader: Loader) -> Iterator[Sandbox]:
    """A sandbox with that loader; the test is skipped where the program or the namespaces are missing."""
    argv, program = _command(loader)
    worker = Path(__file__).with_name("boot_worker.py")
    paths = json.dumps([key_path(key) for key in KEYS])
    process = subprocess.Popen(
        [needs_namespaces(), "-Urnm", sys.executable, "-S", str(worker), paths],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Sandbox(process, argv, program)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=30)


def _command(loader: Loader) -> tuple[list[str], str]:
    if loader is Loader.SYSTEMD:
        return [needs("systemd-sysctl")], ""
    if loader is Loader.PROCPS:
        return [needs("sysctl"), "--system"], ""
    busybox = needs("busybox")
    return [busybox, "sh"], _ALPINE if loader is Loader.ALPINE else _OPENRC


def _on_the_wire(file: SourceFile) -> dict[str, Any]:
    content = None if file.content is None else file.content.decode("latin-1")
    return {"path": file.path, "content": content, "link": file.link}


def _values(found: Mapping[str, str | None]) -> dict[Key, str]:
    return {key_from_path(path): value for path, value in found.items() if value is not None}
