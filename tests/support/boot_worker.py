"""Runs inside namespaces: lays out files, runs a real loader on a fresh network namespace, reads keys.

Reads one JSON request a line, answers one a line; imports nothing of the project. A thousand trees are run at a
time, so it speaks netlink itself and spawns nothing but the loader.
"""

from __future__ import annotations

import ctypes
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

NEW_NETWORK = 0x40000000
FOLDERS = (
    "/etc/sysctl.d",
    "/run/sysctl.d",
    "/usr/local/lib/sysctl.d",
    "/usr/lib/sysctl.d",
)
ADDRESSES = (("v0", "10.0.0.1"), ("v1.5", "10.0.1.1"))

# rtnetlink(7), and linux/if_link.h and linux/veth.h for what nests in a veth's message.
NEW_LINK, NEW_ADDRESS = 16, 20
REQUEST, ACK, CREATE = 1, 4, 0x400
IFLA_IFNAME, IFLA_LINKINFO, IFLA_INFO_KIND, IFLA_INFO_DATA, VETH_INFO_PEER = 3, 18, 1, 2, 1
IFA_ADDRESS, IFA_LOCAL = 1, 2
UP = 1


def attribute(kind: int, content: bytes) -> bytes:
    return struct.pack("=HH", len(content) + 4, kind) + content + bytes(-len(content) % 4)


def link(name: str, extra: bytes = b"", *, index: int = 0, up: bool = False) -> bytes:
    head = struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, UP * up, UP * up)
    return head + (attribute(IFLA_IFNAME, name.encode() + b"\0") if name else b"") + extra


def veth(name: str, peer: str) -> bytes:
    data = attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, link(peer)))
    return link(name, attribute(IFLA_LINKINFO, attribute(IFLA_INFO_KIND, b"veth\0") + data))


def ask(netlink: socket.socket, kind: int, content: bytes, flags: int = 0) -> None:
    netlink.send(struct.pack("=IHHII", 16 + len(content), kind, REQUEST | ACK | flags, 1, 0) + content)
    status = struct.unpack_from("=i", netlink.recv(65536), 16)[0]
    if status:
        raise OSError(-status, f"netlink {kind}")


def fresh_network() -> None:
    if ctypes.CDLL(None, use_errno=True).unshare(NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as netlink:
        ask(netlink, NEW_LINK, link("", index=1, up=True))
        ask(netlink, NEW_LINK, veth("v0", "v1.5"), CREATE)
        for name, text in ADDRESSES:
            local = socket.inet_aton(text)
            head = struct.pack("=BBBBi", socket.AF_INET, 24, 0, 0, socket.if_nametoindex(name))
            ask(netlink, NEW_ADDRESS, head + attribute(IFA_LOCAL, local) + attribute(IFA_ADDRESS, local), CREATE)


def cover(folder: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "none", folder], check=True)


def prepare() -> None:
    for folder in ("/etc", "/run", "/usr/local/lib", "/usr/lib/sysctl.d"):
        cover(folder)
    for folder in FOLDERS:
        Path(folder).mkdir(parents=True, exist_ok=True)


def lay_out(files: list[dict[str, Any]], last: list[str]) -> None:
    for path in last:
        Path(path).unlink()
    last[:] = [file["path"] for file in files]
    for file in files:
        if file["link"] is not None:
            Path(file["path"]).symlink_to(file["link"])
        else:
            Path(file["path"]).write_bytes(file["content"].encode("latin-1"))


def readings(paths: list[str]) -> dict[str, str | None]:
    found: dict[str, str | None] = {}
    for path in paths:
        try:
            opened = os.open("/proc/sys/" + path, os.O_RDONLY)
        except OSError:
            found[path] = None
            continue
        try:
            found[path] = " ".join(os.read(opened, 65536).decode().split())
        except OSError:
            found[path] = None
        finally:
            os.close(opened)
    return found


def run(argv: list[str], program: str) -> tuple[int, str]:
    """The loader's status and standard error; its standard input is the program."""
    Path("/run/stdin").write_text(program)
    opened = [
        (os.POSIX_SPAWN_OPEN, 0, "/run/stdin", os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0),
        (os.POSIX_SPAWN_OPEN, 2, "/run/stderr", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600),
    ]
    environment = {"LC_ALL": "C", "PATH": os.environ["PATH"]}
    _, status = os.waitpid(os.posix_spawn(argv[0], argv, environment, file_actions=opened), 0)
    return os.waitstatus_to_exitcode(status), Path("/run/stderr").read_text(errors="replace")


def main() -> None:
    paths = json.loads(sys.argv[1])
    last: list[str] = []
    prepare()
    for line in sys.stdin:
        request = json.loads(line)
        fresh_network()
        for path, value in request["start"]:
            Path("/proc/sys", path).write_text(value)
        lay_out(request["files"], last)
        before = readings(paths)
        status, stderr = run(request["argv"], request["stdin"])
        answer = {"before": before, "after": readings(paths), "status": status, "stderr": stderr[-4000:]}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
