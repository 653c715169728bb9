"""Runs inside user and mount namespaces: makes networks, writes and reads their keys, sends and counts packets.

Reads one JSON request a line, answers one a line; imports nothing of the project. It stays on one CPU, so that
packets between its networks keep their order and an answered ping means that all before it were looked at.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

NEW_NETWORK = 0x40000000
ICMP_ECHO, ICMP_REPLY, ICMP_REDIRECT = 8, 0, 5
LIBC = ctypes.CDLL(None, use_errno=True)
LIMIT_S = 20.0
networks: dict[str, int] = {}


def enter(name: str) -> None:
    if name not in networks:
        if LIBC.unshare(NEW_NETWORK) != 0:
            raise OSError(ctypes.get_errno(), "unshare")
        networks[name] = os.open("/proc/self/ns/net", os.O_RDONLY)
    elif LIBC.setns(networks[name], NEW_NETWORK) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def ip(*lines: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True)


def shown(*words: str) -> str:
    return subprocess.run(["ip", *words], capture_output=True, text=True, check=True).stdout


def join(one: str, one_link: str, other: str, other_link: str) -> None:
    enter(other)
    target = f"/proc/{os.getpid()}/fd/{networks[other]}"
    enter(one)
    ip(f"link add {one_link} type veth peer name {other_link} netns {target}")


def write(path: str, value: str) -> str | None:
    try:
        Path("/proc/sys", path).write_text(value + "\n")
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return None


def read(path: str) -> str | None:
    try:
        return " ".join(Path("/proc/sys", path).read_text().split())
    except OSError:
        return None


def counter(file: str, group: str, name: str) -> int:
    """One number of /proc/self/net/snmp or netstat; of snmp6 with an empty group."""
    lines = Path("/proc/thread-self/net", file).read_text().splitlines()
    if not group:
        return next(int(line.split()[1]) for line in lines if line.split()[0] == name)
    names, numbers = (line.split()[1:] for line in lines if line.startswith(group + ":"))
    return int(numbers[names.index(name)])


def checksum(packet: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(packet) // 2}H", packet[: len(packet) // 2 * 2]))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def icmp(kind: int, rest: bytes, content: bytes = b"", code: int = 0) -> bytes:
    packet = struct.pack("!BBH", kind, code, 0) + rest + content
    return packet[:2] + struct.pack("!H", checksum(packet)) + packet[4:]


def ip4(source: str, target: str, content: bytes, options: bytes = b"") -> bytes:
    words = 5 + len(options) // 4
    head = struct.pack("!BBHHHBBH", 0x40 | words, 0, words * 4 + len(content), 1, 0, 64, socket.IPPROTO_ICMP, 0)
    head += socket.inet_aton(source) + socket.inet_aton(target) + options
    return head[:10] + struct.pack("!H", checksum(head)) + head[12:] + content


def send(source: str, target: str, content: bytes, options: bytes = b"") -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW) as raw:
        raw.sendto(ip4(source, target, content, options), (target, 0))


def send_echo(source: str, target: str, options: str = "") -> None:
    send(source, target, icmp(ICMP_ECHO, struct.pack("!HH", 7, 7)), bytes.fromhex(options))


def send_redirect(gateway: str, host: str, target: str, better: str) -> None:
    """ICMP type 5 for an echo reply of the host, which the kernel follows without a socket."""
    about = ip4(host, target, icmp(ICMP_REPLY, struct.pack("!HH", 7, 7)))
    send(gateway, host, icmp(ICMP_REDIRECT, socket.inet_aton(better), about, code=1))


def send_icmp6(source: str, link: str, target: str, kind: int, rest: str) -> None:
    index = socket.if_nametoindex(link)
    with socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6) as raw:
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, 255)
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        raw.bind((source, 0, 0, index))
        raw.sendto(struct.pack("!BBH", kind, 0, 0) + bytes.fromhex(rest), (target, 0, 0, index))


def ping(source: str, target: str) -> None:
    """Wait until the target has answered, and so has looked at all that was sent before."""
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as raw:
        raw.settimeout(LIMIT_S)
        raw.bind((source, 0))
        raw.sendto(icmp(ICMP_ECHO, struct.pack("!HH", 99, 1)), (target, 0))
        while True:
            packet, (sender, _) = raw.recvfrom(65536)
            if sender == target and packet[20] == ICMP_REPLY and packet[24:26] == b"\0\x63":
                return


WORK = {
    work.__name__: work for work in (ip, shown, join, write, read, counter, send_echo, send_redirect, send_icmp6, ping)
}


def main() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for line in sys.stdin:
        network, name, arguments = json.loads(line)
        answer: dict[str, Any]
        try:
            enter(network)
            answer = {"answer": WORK[name](*arguments)}
        except (OSError, subprocess.SubprocessError) as error:
            answer = {"error": f"{name} {arguments}: {error}"}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


main()
