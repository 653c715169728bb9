"""Networks of the test's own, joined by cables, with keys to write and packets to send between them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sysfleet.sysctl.key import Key, key_path
from tests.support.needs import needs, needs_namespaces


@dataclass(frozen=True)
class Network:
    """One network namespace; its name is made up at its first use."""

    name: str
    process: subprocess.Popen[str]

    def ask(self, work: str, *arguments: object) -> Any:
        """Have the worker do one of its works in this network."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps([self.name, work, arguments]) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["answer"]

    def ip(self, *lines: str) -> None:
        """Run these lines as one batch of the program."""
        self.ask("ip", *lines)

    def write(self, key: str, value: object) -> str | None:
        """Write one key; the error's name, or None."""
        error: str | None = self.ask("write", key_path(Key(key)), str(value))
        return error

    def read(self, key: str) -> str | None:
        """The key's value with single blanks; None where there is none."""
        value: str | None = self.ask("read", key_path(Key(key)))
        return value

    def counter(self, file: str, group: str, name: str) -> int:
        """One of the kernel's own counters."""
        number: int = self.ask("counter", file, group, name)
        return number


@contextmanager
def networks(*names: str) -> Iterator[tuple[Network, ...]]:
    """As many networks as there are names, for as long as the block runs."""
    needs("ip")
    worker = Path(__file__).with_name("net_worker.py")
    argv = [needs_namespaces(), "-Urnmi", sys.executable, "-S", str(worker)]
    process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    with process:
        try:
            yield tuple(Network(name, process) for name in names)
        finally:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(timeout=30)
