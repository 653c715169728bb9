"""The request for a reading, and the reading made of what came back.

Pure. What comes back is hostile: bounded, cleaned and matched; what does not fit is a ReadError.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from sysfleet.errors import ReadError
from sysfleet.host import Facts, Reading, Running, RunningState
from sysfleet.remote.evidence import clean, clean_fact
from sysfleet.remote.programs import asks, program, quoted, source
from sysfleet.remote.programs.checksum import cksum
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.loaders import Loader, SourceFile

LIMIT_FILES_BYTES = 2_000_000
# What no honest host comes near; a hostile one must not cost more memory and time than it sends.
LIMIT_LINES_BYTES = 8_000_000
_MOST = {"values": 100_000, "interfaces": 20_000, "files": 5000}
_MOST_VALUE = 8192
_TAIL = 100_000  # of what is no reading, where the reason is looked for
_MOST_NAMED = 1000  # of a fact that comes many times

_SWAPPED = str.maketrans("./", "/.")
# A name below /proc/sys: text that a person can see. Any other would be told apart from no other.
NAME = r"[^\x00-\x20\x7f-\xa0\ufffd]+"
_VALUE = re.compile(rf"^([VUAE]) ({NAME})(?:\t(.*))?$", re.MULTILINE)
_ODD_NAME = re.compile(r"^[IVUE] ([^\t\n]*[\x00-\x08\x0b-\x20\x7f-\xa0\ufffd][^\t\n]*)", re.MULTILINE)
_FACT = re.compile(r"^F ([A-Za-z_.]+)\t(.*)$", re.MULTILINE)
_INTERFACE = re.compile(rf"^I ({NAME})$", re.MULTILINE)
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
    head, files_mark, rest = _at_line(stdout, b"files\n")
    listed, contents_mark, contents = _at_line(rest, b"contents\n")
    if not files_mark or not contents_mark:
        raise _incomplete(stdout[:LIMIT_LINES_BYTES].decode("utf-8", "replace"))
    text = lines_of(head)
    facts = _facts(text)
    files, token = _files(listed, contents, (facts.stand_in or "").encode())
    return Reading(facts, files, parse_values(text), token)


def lines_of(output: bytes) -> str:
    """What a program printed, as text; ReadError when it is more than any honest host has to say."""
    if len(output) > LIMIT_LINES_BYTES:
        raise ReadError(f"the host's answer has more than {LIMIT_LINES_BYTES} bytes", phase="read")
    return output.decode("utf-8", "replace")


def parse_values(text: str) -> dict[Key, Running]:
    """The values among a program's lines; what is no line of a value is left out."""
    odd = _ODD_NAME.search(text)
    if odd is not None:
        raise _no_plain_text(odd[1])
    values: dict[Key, Running] = {}
    for found in _bounded("values", _VALUE, text):
        state, path, value = found.groups("")
        key = key_of(path)
        values[key] = _running(value[:_MOST_VALUE]) if state == "V" else _STATES[state]
    return values


def key_of(path: str) -> Key:
    """The key of a path below /proc/sys that a program printed; ReadError where a person could not see its name."""
    if not path.isprintable():
        raise _no_plain_text(path)
    return Key(path.translate(_SWAPPED))


def _seen(name: str) -> str:
    if not name.isprintable():
        raise _no_plain_text(name)
    return name


def _no_plain_text(name: str) -> ReadError:
    hint = "give the interface a name that can be typed"
    return ReadError(f"a name below /proc/sys is no plain text: {clean(name)}", phase="read", hint=hint)


def _at_line(output: bytes, line: bytes) -> tuple[bytes, bytes, bytes]:
    """What stands before the first such line, the line, and what follows it; searched once, whatever comes."""
    if output.startswith(line):
        return b"", line, output[len(line) :]
    before, found, after = output.partition(b"\n" + line)
    return before + found[:1], found[1:], after


def _bounded(what: str, pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    for count, found in enumerate(pattern.finditer(text)):
        if count >= _MOST[what]:
            raise _too_many(what)
        yield found


def _too_many(what: str) -> ReadError:
    return ReadError(f"the host has more than {_MOST[what]} {what}", phase="read")


@lru_cache(maxsize=8192)
def _running(value: str) -> Running:
    return Running(RunningState.VALUE, clean_fact(" ".join(value.split()), limit=_MOST_VALUE))


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
        done = _VALUE.findall(text[-_TAIL:])
        message += f" after {done[-1][1]}" if done else " before the first value"
    noise = [line for line in text[-_TAIL:].splitlines() if line[:2] not in {"V ", "U ", "A ", "E ", "F ", "I "}]
    return ReadError(message, phase="read", evidence=clean("\n".join(noise)) or None)


def _files(listed: bytes, output: bytes, root: bytes) -> tuple[tuple[SourceFile, ...], str]:
    """The files, and the token that says to a later program on the host that they are still these."""
    if listed.count(b"\n") > _MOST["files"]:
        raise _too_many("files")
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
    for found in _FACT.finditer(text):
        name, value = found.groups()
        if name == "writer":
            _add(writers, clean_fact(value))
        elif name == "readonly":
            _add(read_only, Key(clean_fact(value, limit=4096).translate(_SWAPPED)))
        elif name == "mount":
            how, _, at = clean_fact(value, limit=4096).partition(" ")
            _add(mounts, (at, how == "rw"))
        elif name not in single and len(single) < _MOST_NAMED:
            single[name] = clean_fact(value, limit=4096 if name == "cmdline" else 200)
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
        interfaces=tuple(_seen(found[1]) for found in _bounded("interfaces", _INTERFACE, text)),
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
        place_problem=_place_problem(single),
    )


def _add(names: list[Any], name: object) -> None:
    if len(names) < _MOST_NAMED:
        names.append(name)


def _place_problem(facts: dict[str, str]) -> str | None:
    image = f", as its image ({facts['image']}) has it" if "image" in facts else ""
    return f"{facts['place']}{image}" if "place" in facts else None


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
