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
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.loaders import Loader, SourceFile

LIMIT_FILES_BYTES = 2_000_000

_SWAPPED = str.maketrans("./", "/.")
_VALUE = re.compile(r"^([VUAE]) ([!-~]+)(?:\t(.*))?$", re.MULTILINE)
_FACT = re.compile(r"^F ([A-Za-z_.]+)\t(.*)$", re.MULTILINE)
_INTERFACE = re.compile(r"^I ([!-~]{1,64})$", re.MULTILINE)
_TOKEN = re.compile(rb"(?:^|\n)token (\d{1,9}) (\d{1,9})\n")
_SUM = re.compile(r"\d+ (\d{1,9}) (/.+)", re.DOTALL)
_STATES = {
    "U": Running(RunningState.UNREADABLE),
    "A": Running(RunningState.ABSENT),
    "E": Running(RunningState.UNSET),
}
_LATER_MARK = re.compile(r"^(missing|broken|toobig|toomany) (\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """What to read: keys and component globs, and the path of our own file."""

    patterns: tuple[Key, ...]
    our_file: str = "/etc/sysctl.d/99-zz-sysfleet.conf"
    limit_files_bytes: int = LIMIT_FILES_BYTES


def read_program(request: ReadRequest) -> bytes:
    """The shell program that answers the request in one go; ValueError for a key that cannot be sent."""
    return program(
        source("prelude.sh"),
        source("read.sh"),
        asks(request.patterns),
        f"sf_read {quoted(request.our_file)} {request.limit_files_bytes}",
    )


def parse_reading(stdout: bytes) -> Reading:
    """The reading that a read program printed; ReadError for anything else."""
    found = _TOKEN.search(stdout)
    if found is None:
        raise _incomplete(stdout.decode("utf-8", "replace"))
    text = stdout[: found.start() + 1].decode("utf-8", "replace")
    token, content = _split_token(stdout[found.end() :], int(found[1]), int(found[2]))
    facts = _facts(text)
    return Reading(facts, tuple(_files(token, content, facts.stand_in or "")), parse_values(text), token)


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
        "toobig": "the host's sysctl files have {} bytes, more than are read",
        "toomany": "the host has {} sysctl files, more than are read",
    }
    message = words[found[1]].format(clean(found[2])) if found else "the host's answer is not a reading"
    noise = [line for line in text.splitlines() if line[:2] not in {"V ", "U ", "A ", "E ", "F ", "I "}]
    return ReadError(message, phase="read", evidence=clean("\n".join(noise)) or None)


def _split_token(rest: bytes, lines: int, size: int) -> tuple[str, bytes]:
    if lines == 0:
        return "", b""
    parts = rest.split(b"\n", lines)
    if len(parts) != lines + 1 or len(parts[-1]) != size:
        raise ReadError("the host's files changed while they were read", phase="read")
    return b"\n".join(parts[:-1]).decode("utf-8", "surrogateescape"), parts[-1]


def _files(token: str, content: bytes, root: str) -> Iterator[SourceFile]:
    contents: dict[str, bytes | None] = {}
    links: dict[str, str] = {}
    at = 0
    for line in token.split("\n") if token else ():
        found = _SUM.fullmatch(line)
        if found:
            size = int(found[1])
            contents[found[2]] = content[at : at + size]
            at += size
        elif line[:2] == "L ":
            path, _, target = line[2:].partition(" -> ")
            links[path] = target
            contents.setdefault(path, None)
        elif line[:2] in {"X ", "D ", "C "}:
            contents[line[2:]] = b"" if line[0] == "C" else None
        else:
            raise ReadError("the host's list of files is not understood", phase="read", evidence=clean(line))
    if at != len(content):
        raise ReadError("the host's files changed while they were read", phase="read")
    for path, data in contents.items():
        link = links.get(path)
        yield SourceFile(_shown(path.removeprefix(root)), data, None if link is None else _shown(link))


def _shown(path: str) -> str:
    return clean_fact(path.encode("utf-8", "surrogateescape").decode("utf-8", "replace"), limit=4096)


def _facts(text: str) -> Facts:
    single: dict[str, str] = {}
    writers: list[str] = []
    for name, value in _FACT.findall(text):
        if name == "writer":
            writers.append(clean_fact(value))
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
        proc_sys_writable="readonly" not in single,
    )


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
