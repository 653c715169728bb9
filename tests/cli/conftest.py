"""The entry point in this process, and a project to run it on."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from typing_extensions import override

from sysfleet.cli.program import run
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode

HOSTS = """\
web1:
  hostname: 127.0.0.1
  port: 1
  groups: [web]
web2:
  hostname: 127.0.0.1
  port: 1
  groups: [web]
db1:
  hostname: 127.0.0.1
  port: 1
  groups: [db]
  data:
    sysctl:
      net.core.somaxconn: {value: 512, reason: "small"}
"""
GROUPS = """\
web:
  data:
    roles: [web]
db:
  data:
    roles: [db]
"""
FILES = {
    "inventory/hosts.yaml": HOSTS,
    "inventory/groups.yaml": GROUPS,
    "inventory/defaults.yaml": "username: root\n",
    "templates/base.conf.j2": "net.ipv4.tcp_syncookies = 1\n",
    "templates/web.conf.j2": "net.ipv4.ip_forward = 0\n",
    "templates/db.conf.j2": "net.core.somaxconn = 1024\n",
    "sysfleet.toml": '[ssh]\nagent = false\nknown_hosts = ["known_hosts"]\n',
    "known_hosts": "",
}


@dataclass(frozen=True)
class Ended:
    """How a command line ended."""

    argv: tuple[str, ...]
    code: ExitCode
    out: str
    err: str

    def gives(self, code: ExitCode) -> Ended:
        """Fail, with all there is to see, unless this was the exit code."""
        said = f"sysfleet {' '.join(self.argv)}\n-- out\n{self.out}\n-- err\n{self.err}"
        assert self.code == code, f"gave {self.code}, not {code}: {said}"
        return self


class Stream(io.StringIO):
    """A stream that says whether a person is at its other end."""

    def __init__(self, text: str = "", *, terminal: bool = False) -> None:
        super().__init__(text)
        self._terminal = terminal

    @override
    def isatty(self) -> bool:
        return self._terminal


@dataclass(frozen=True)
class Shell:
    """Runs command lines; `typed` is what the person types, None where there is no terminal."""

    project: Path
    environ: Mapping[str, str] = field(default_factory=dict)

    def __call__(self, *argv: str | Path, typed: str | None = None, terminal: bool = False) -> Ended:
        words = tuple(map(str, argv))
        streams = (
            Stream(typed or "", terminal=typed is not None),
            Stream(terminal=terminal),
            Stream(terminal=terminal),
        )
        code = run(words, Terminal(*streams, {"HOME": str(self.project), "USER": "op", **self.environ}))
        return Ended(words, code, streams[1].getvalue(), streams[2].getvalue())


Builder = Callable[..., Path]


@pytest.fixture
def project(tmp_path: Path) -> Builder:
    """Writes a project: the usual files, with those given in place of theirs; None leaves one out."""

    def build(**changes: str | None) -> Path:
        for name, text in {**FILES, **changes}.items():
            path = tmp_path / "project" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if text is not None:
                path.write_text(text)
        return tmp_path / "project"

    return build


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """The command line, in an environment with nothing in it but a home."""
    return Shell(tmp_path)
