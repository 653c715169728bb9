"""The request for a reading, and the reading made of what came back.

Pure. What comes back is hostile: bounded, cleaned and matched; what does not fit is a ReadError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache

from sysfleet.errors import ReadError
from sysfleet.host import Facts, Reading, Running, RunningState
from sysfleet.remote.evidence import clean, clean_fact
from sysfleet.remote.programs import asks, program, quoted, source
from sysfleet.remote.programs.checksum import cksum
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.loaders import Loader, SourceFile

LIMIT_FILES_BYTES = 2_000_000

_SWAPPED = str.maketrans("./", "/.")
_VALUE = re.compile(r"^([VUAE]) ([!-~]+)(?:\t(.*))?$", re.MULTILINE)
_FACT = re.compile(r"^F ([A-Za-z_.]+)\t(.*)$", re.MULTILINE)
_INTERFACE = re.compile(r"^I ([!-~]{1,64})$", re.MULTILINE)
_FILES = re.compile(rb"(?:^|\n)files\n(?:(.*?)\n)??contents\n", re.DOTALL)
_STATES = {
    "U": Running(RunningState.UNREADABLE),
    "A": Running(RunningState.ABSENT),
    "E": Running(RunningState.UNSET),
}
# Systems that make /etc or the running values anew from a place of their own, so that what is pushed is lost.
_OWNERS = {
    "nixos": "NixOS (boot.kernel.sysctl)",
    "talos": "Talos (machine.sysctls)",
    "openwrt": "OpenWrt (sysctl.conf of its image, kept by sysupgrade)",
    "bottlerocket": "Bottlerocket (settings.kernel.sysctl)",
}
_MOST_MOUNTS = 500
_LATER_MARK = re.compile(r"^(missing|broken|toomany) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What to read: keys and component globs, and where our own file is."""

    patterns: tuple[Key, ...]
    our_file: str = "/etc/sysctl.d/99-zz-sysfleet.conf"


def read_program(request: ReadRequest) -> bytes:
    """The shell program that answers the request in one go; ValueError for a key that cannot be sent."""
    return program(
        source("prelude.sh"),
        source("read.sh"),
        asks(request.patterns),
        f"sf_read {quoted(request.our_file)} {LIMIT_FILES_BYTES + 1}",
    )


def parse_reading(stdout: bytes) -> Reading:
    """The reading that a read program printed; ReadError for anything else."""
    found = _FILES.search(stdout)
    if found is None:
        raise _incomplete(stdout.decode("utf-8", "replace"))
    text = stdout[: found.start() + 1].decode("utf-8", "replace")
    facts = _facts(text)
    files, token = _files(found[1] or b"", stdout[found.end() :], (facts.stand_in or "").encode())
    return Reading(facts, files, parse_values(text), token)


def parse_values(text: str) -> dict[Key, Running]:
    """The values among a program's lines; what is no line of a value is left out."""
    values: dict[Key, Running] = {}
    for state, path, value in _VALUE.findall(text):
        values[Key(path.translate(_SWAPPED))] = _running(value) if state == "V" else _STATES[state]
    return values


@lru_cache(maxsize=8192)
def _running(value: str) -> Running:
    return Running(RunningState.VALUE, clean_fact(" ".join(value.split()), limit=8192))


def _incomplete(text: str) -> ReadError:
    found = _LATER_MARK.search(text)
    words = {
        "missing": "the host has no {}",
        "broken": "the host's {} failed",
        "toomany": "the host has {} sysctl files, more than are read",
    }
    message = words[found[1]].format(clean(found[2])) if found else "the host's answer is not a reading"
    if found and found[1] == "broken":
        # The awk of many hosts ends at the first key whose reading gives an error.
        done = _VALUE.findall(text)
        message += f" after {done[-1][1]}" if done else " before the first value"
    noise = [line for line in text.splitlines() if line[:2] not in {"V ", "U ", "A ", "E ", "F ", "I "}]
    return ReadError(message, phase="read", evidence=clean("\n".join(noise)) or None)


def _files(listed: bytes, output: bytes, root: bytes) -> tuple[tuple[SourceFile, ...], str]:
    """The files, and the token that says to a later program on the host that they are still these."""
    lines = [line for line in listed.split(b"\n") if line]
    plain = [line for line in lines if line.startswith(b"/")]
    odd = lines[len(plain) :]
    found: dict[bytes, bytes | None] = dict(_contents(plain, output))
    links: dict[bytes, bytes] = {}
    token = [b"%d %d %b" % (cksum(data or b""), len(data or b""), path) for path, data in found.items()]
    for line in odd:
        kind, path = line[:2], line[2:]
        if kind == b"L ":
            path, _, target = path.partition(b" -> ")
            links[path] = target
            found.setdefault(path, b"" if target == b"/dev/null" else None)
        elif kind in {b"X ", b"D ", b"C "}:
            found[path] = b"" if kind == b"C " else None
        else:
            raise ReadError("the host's list of files is not understood", phase="read", evidence=clean(line))
    files = [
        SourceFile(_shown(path.removeprefix(root)), data, _shown(links[path]) if path in links else None)
        for path, data in found.items()
    ]
    return tuple(files), b"\n".join(token + odd).decode("utf-8", "surrogateescape")


def _contents(paths: list[bytes], output: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Takes apart what `head` prints of several files; the null device stands at the end."""
    if not paths:
        return
    if len(output) > LIMIT_FILES_BYTES:
        raise ReadError(f"the host's sysctl files have more than {LIMIT_FILES_BYTES} bytes", phase="read")
    titles = [b"\n==> %b <==\n" % path for path in [*paths, b"/dev/null"]]
    rest = b"\n" + output
    if not rest.startswith(titles[0]) or not rest.endswith(titles[-1]):
        raise _changed_meanwhile()
    at = len(titles[0])
    for path, title in zip(paths, titles[1:], strict=True):
        end = rest.find(title, at) if title is not titles[-1] else len(rest) - len(title)
        if end < at:
            raise _changed_meanwhile()
        yield path, rest[at:end]
        at = end + len(title)


def _changed_meanwhile() -> ReadError:
    return ReadError("the host's sysctl files changed while they were read", phase="read")


def _shown(path: bytes) -> str:
    return clean_fact(path.decode("utf-8", "replace"), limit=4096)


def _facts(text: str) -> Facts:
    single: dict[str, str] = {}
    writers: list[str] = []
    mounts: list[tuple[str, bool]] = []
    read_only: list[Key] = []
    for name, value in _FACT.findall(text):
        if name == "writer":
            writers.append(clean_fact(value))
        elif name == "readonly":
            read_only.append(Key(clean_fact(value, limit=4096).translate(_SWAPPED)))
        elif name == "mount" and len(mounts) < _MOST_MOUNTS:
            how, _, at = clean_fact(value, limit=4096).partition(" ")
            mounts.append((at, how == "rw"))
        else:
            single.setdefault(name, clean_fact(value, limit=4096 if name == "cmdline" else 200))
    if "tuned" in single:
        writers.append(f"tuned: {single['tuned']}")
    return Facts(
        hostname=single.get("hostname", ""),
        kernel=single.get("kernel", ""),
        distribution=single.get("os.ID", "").strip("\"'"),
        distribution_version=single.get("os.VERSION_ID", "").strip("\"'"),
        architecture=single.get("architecture", ""),
        init=single.get("init", "unknown"),
        loader=Loader(single["loader"]) if single.get("loader") in set(Loader) else Loader.UNKNOWN,
        loader_enabled="disabled" not in single,
        loader_version=single.get("version", ""),
        command_line=_of_interest(single.get("cmdline", "")),
        later_writers=tuple(writers),
        container=_container(single),
        interfaces=tuple(_INTERFACE.findall(text)),
        memory_kib=_first_number(single.get("memory", "")),
        cpus=_cpus(single.get("cpus", "")),
        boot_id=single.get("boot_id", ""),
        uptime_s=_seconds(single.get("uptime", "")),
        uid=int(single["uid"]) if single.get("uid", "").isdecimal() else -1,
        ipv6="ipv6" not in single,
        stand_in=single.get("stand_in"),
        mounts=tuple(sorted(mounts)),
        read_only_keys=tuple(read_only),
        owner=_owner(single),
        read_only_place=single.get("place"),
    )


def _owner(facts: dict[str, str]) -> str | None:
    """Who else sets sysctl on a host that says that it is one of these; a variant says so by ID_LIKE."""
    names = " ".join(facts.get(name, "") for name in ("owner", "os.ID", "os.ID_LIKE"))
    return next((_OWNERS[name] for name in re.findall(r"[a-z]+", names) if name in _OWNERS), None)


def _of_interest(command_line: str) -> str:
    return " ".join(word for word in command_line.split() if word.startswith(("sysctl.", "ipv6.", "sysctl/")))


def _container(facts: dict[str, str]) -> str | None:
    if facts.get("container"):
        return facts["container"]
    numbers = facts.get("uid_map", "").split()
    return "user namespace" if len(numbers) == 3 and numbers != ["0", "0", "4294967295"] else None


def _first_number(text: str) -> int:
    found = re.search(r"[0-9]{1,15}", text)
    return int(found[0]) if found else 0


def _seconds(text: str) -> float:
    found = re.match(r"[0-9]{1,12}(?:\.[0-9]{1,6})?", text)
    return float(found[0]) if found else 0.0


def _cpus(text: str) -> int:
    """How many the kernel's list names: `0-3,8` are five."""
    found: Iterable[tuple[str, str]] = re.findall(r"(\d{1,6})(?:-(\d{1,6}))?", text[:200], re.ASCII)
    return sum(max(0, int(last or first) - int(first) + 1) for first, last in found)
