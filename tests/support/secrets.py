"""Looks for secrets everywhere a program can leave them: what it prints and writes, and in /proc while it runs.

A secret is looked for in pieces and in several forms, so that cutting, quoting or encoding does not hide it.
"""

from __future__ import annotations

import base64
import os
import secrets
import string
import subprocess
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv6Address
from pathlib import Path

from typing_extensions import override

_LETTERS = string.ascii_letters + string.digits
# Whatever a shell, a URL, JSON or YAML would have to quote.
_AWKWARD = "\"\\' %$/"


@dataclass(frozen=True)
class Secret:
    """One secret; each of `pieces` alone gives it away."""

    name: str
    text: str
    pieces: tuple[str, ...]

    @classmethod
    def password(cls, name: str) -> Secret:
        """A password with awkward characters, and a middle that no way of quoting changes."""
        halves = tuple("".join(secrets.choice(_LETTERS) for _ in range(14)) for _ in range(2))
        return cls(name, f"{_AWKWARD}{''.join(halves)}{_AWKWARD.strip()}", halves)

    @classmethod
    def stable_secret(cls) -> Secret:
        """An IPv6 address, as the kernel writes it."""
        groups = [format(0x1000 + secrets.randbelow(0xEFFF), "x") for _ in range(8)]
        return cls("stable_secret", str(IPv6Address(":".join(groups))), (":".join(groups[:4]), ":".join(groups[4:])))

    @classmethod
    def fastopen_key(cls) -> Secret:
        """Four words of hexadecimal digits."""
        words = [secrets.token_hex(4) for _ in range(4)]
        return cls("tcp_fastopen_key", "-".join(words), ("-".join(words[:2]), "-".join(words[2:])))

    def forms(self) -> Iterator[tuple[str, bytes]]:
        """What to look for, with the name of each form."""
        for piece in self.pieces:
            data = piece.encode()
            yield "plain", data
            yield "UTF-16", piece.encode("utf-16-le")
            yield "hex", data.hex().encode()
            yield "HEX", data.hex().upper().encode()
            for shift in range(3):
                # Whatever stands before and after it: the characters that depend on it are left out.
                encoded = base64.b64encode(bytes(shift) + data + bytes(2))
                inner = encoded[-(-shift * 4 // 3) : (shift + len(data)) * 8 // 6]
                yield "base64", inner
                yield "base64", inner.translate(bytes.maketrans(b"+/", b"-_"))


@dataclass(frozen=True, order=True)
class Found:
    """A secret where none may be."""

    secret: str
    form: str
    place: str


class Search:
    """Looks for all of these secrets in whatever it is shown, and keeps what it finds."""

    def __init__(self, secrets: Iterable[Secret]) -> None:
        forms: dict[bytes, tuple[str, str]] = {}
        for secret in secrets:
            for form, data in secret.forms():
                forms.setdefault(data, (secret.name, form))
        self._forms = forms
        self.found: set[Found] = set()
        self.looked_at: set[str] = set()

    def look(self, place: str, data: bytes) -> None:
        """Look in some bytes."""
        self.looked_at.add(place)
        for form, (name, kind) in self._forms.items():
            if form in data:
                self.found.add(Found(name, kind, place))

    def look_below(self, place: str, tree: Tree) -> None:
        """Look in every file that was written since the tree was taken down, names too."""
        for path in tree.written():
            self.look(f"{place}: names", os.fsencode(path))
            self.look(f"{place}/{path.relative_to(tree.root)}", _content(path))


@dataclass
class Tree:
    """The files below a folder as they were; `without` are names directly below it that are not looked into."""

    root: Path
    without: tuple[str, ...] = ()
    _before: dict[Path, tuple[int, int, int]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._before = dict(self._files())

    def written(self) -> list[Path]:
        """The files that are new or other than before."""
        return [path for path, state in self._files() if self._before.get(path) != state]

    def _files(self) -> Iterator[tuple[Path, tuple[int, int, int]]]:
        for folder, names, files in os.walk(self.root):
            here = Path(folder)
            if here == self.root:
                names[:] = [name for name in names if name not in self.without]
            for path in (here / name for name in files if here != self.root or name not in self.without):
                try:
                    if path.is_file() and not path.is_symlink():
                        about = path.stat()
                        yield path, (about.st_mtime_ns, about.st_size, about.st_ino)
                except OSError:
                    continue


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


class Watch(threading.Thread):
    """Reads the command line and environment of every process of the machine, over and over, until it is stopped.

    What is `own` of the watched program's environment is not looked at in that program; it is in whatever it starts.
    """

    def __init__(self, search: Search, own: Mapping[str, str]) -> None:
        super().__init__(daemon=True)
        self._search = search
        self._own = {os.fsencode(f"{name}={value}") for name, value in own.items()}
        self._program: tuple[int, bytes] | None = None
        self._before = set(os.listdir("/proc"))  # noqa: PTH208 - names are enough
        self._seen: set[tuple[int, bytes, bytes]] = set()
        self._stopped = threading.Event()
        self._rounds = 0
        self._turned = threading.Condition()

    def watch(self, pid: int) -> None:
        """Say which process is the program; its children count until they have become other programs."""
        self._program = pid, _read(pid, "cmdline")

    @override
    def run(self) -> None:
        """Look again and again."""
        while not self._stopped.wait(0.001):
            # A secret reaches a process that was there before only if that becomes another program.
            before = self._before if self._rounds % 20 else set()
            for name in os.listdir("/proc"):  # noqa: PTH208 - thousands of times
                if name.isdecimal() and name not in before:
                    self._look(int(name))
            with self._turned:
                self._rounds += 1
                self._turned.notify_all()

    def look_round(self) -> None:
        """Wait until every process that is there now has been looked at."""
        with self._turned:
            until = self._rounds + 2
            assert self._turned.wait_for(lambda: self._rounds >= until, timeout=30)

    def stop(self) -> None:
        """Look no more."""
        self._stopped.set()
        self.join()

    def _look(self, pid: int) -> None:
        if pid == os.getpid():
            return
        line, environment = _read(pid, "cmdline"), _read(pid, "environ")
        if (pid, line, environment) in self._seen or line != _read(pid, "cmdline"):
            return  # seen, or just becoming another program: the next round sees that
        self._seen.add((pid, line, environment))
        program = line.replace(b"\0", b" ")[:80].decode(errors="replace")
        self._search.look(f"command line of {program}", line)
        entries = environment.split(b"\0")
        if self._is_program(pid, line):
            entries = [entry for entry in entries if entry not in self._own]
        self._search.look(f"environment of {program}", b"\0".join(entries))

    def _is_program(self, pid: int, line: bytes) -> bool:
        if self._program is None:
            return True  # it is just being started
        number, own_line = self._program
        return pid == number or (line == own_line and _parent(pid) == number)


def _read(pid: int, name: str) -> bytes:
    try:
        descriptor = os.open(f"/proc/{pid}/{name}", os.O_RDONLY)
    except OSError:
        return b""
    try:
        return os.read(descriptor, 1 << 18)
    except OSError:
        return b""
    finally:
        os.close(descriptor)


def _parent(pid: int) -> int:
    fields = _read(pid, "stat").rpartition(b")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


@dataclass(frozen=True)
class Done:
    """How a watched program ended."""

    argv: tuple[str, ...]
    code: int
    out: bytes
    err: bytes

    def gives(self, code: int) -> Done:
        """Fail unless this was the exit code."""
        assert self.code == code, f"{self.argv} gave {self.code}, not {code}:\n{self.out!r}\n{self.err!r}"
        return self


def watched(
    argv: Sequence[str],
    search: Search,
    *,
    environ: Mapping[str, str],
    own: Mapping[str, str] | None = None,
    trees: Mapping[str, Tree] | None = None,
    during: Callable[[Watch, subprocess.Popen[bytes]], None] | None = None,
) -> Done:
    """Run a program with this environment and look for secrets all the while, then in all that is left of it.

    `own` are variables of its environment that hold secrets; `trees` are where it may have written.
    """
    watch = Watch(search, own or {})
    watch.start()
    try:
        with subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**environ, **(own or {})},
            start_new_session=True,
        ) as process:
            watch.watch(process.pid)
            if during is not None:
                during(watch, process)
            out, err = process.communicate(timeout=90)
    finally:
        watch.stop()
    search.look("standard output", out)
    search.look("standard error", err)
    for place, tree in (trees or {}).items():
        search.look_below(place, tree)
    return Done(tuple(argv), process.returncode, out, err)
