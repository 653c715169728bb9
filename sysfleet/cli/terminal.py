"""The three streams and the environment, and what follows from them: colour, width, a person or none."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, TextIO, TypeAlias

ColourMode: TypeAlias = Literal["auto", "always", "never"]


@dataclass(slots=True)
class Terminal:
    """Where a command reads and writes. A reader that has gone away is no error: the rest is not written."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO
    environ: Mapping[str, str]
    colour_mode: ColourMode = "auto"
    _gone: set[int] = field(default_factory=set)

    @classmethod
    def of_process(cls) -> Terminal:
        """The process's own; what their encoding cannot show is written as an escape."""
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")
        return cls(sys.stdin, sys.stdout, sys.stderr, os.environ)

    def show(self, text: str) -> None:
        """Write a result to standard output."""
        self._write(self.stdout, text)

    def tell(self, text: str) -> None:
        """Write a warning, an error or a question to standard error."""
        self._write(self.stderr, text)

    def input_bytes(self, limit: int) -> bytes:
        """All of standard input as bytes; OSError where there is more than `limit`."""
        raw = getattr(self.stdin, "buffer", None)
        content: bytes = (
            self.stdin.read(limit + 1).encode("utf-8", "surrogateescape") if raw is None else raw.read(limit + 1)
        )
        if len(content) > limit:
            raise OSError(errno.EFBIG, f"it is larger than {limit} bytes")
        return content

    def colour(self, stream: TextIO) -> bool:
        """Whether to colour what goes there: the flag, else NO_COLOR, CLICOLOR_FORCE, else the stream."""
        if self.colour_mode != "auto":
            return self.colour_mode == "always"
        if self.environ.get("NO_COLOR"):
            return False
        if self.environ.get("CLICOLOR_FORCE", "0") not in {"", "0"}:
            return True
        return is_terminal(stream) and self.environ.get("TERM") != "dumb"

    def width(self) -> int | None:
        """Columns of the terminal that standard output is, or COLUMNS; None where nothing has to fit."""
        columns = self.environ.get("COLUMNS", "")
        if columns.isdecimal() and int(columns) > 0:
            return int(columns)
        if not is_terminal(self.stdout):
            return None
        try:
            return os.get_terminal_size(self.stdout.fileno()).columns or None
        except OSError:
            return None

    def _write(self, stream: TextIO, text: str) -> None:
        if id(stream) in self._gone:
            return
        try:
            stream.write(text)
            stream.flush()
        except BrokenPipeError:
            self._gone.add(id(stream))
            # The interpreter flushes once more at its end, and would complain.
            devnull = os.open(os.devnull, os.O_WRONLY)
            os.dup2(devnull, stream.fileno())
            os.close(devnull)


def is_terminal(stream: TextIO) -> bool:
    """Whether a person is at the other end; a closed stream has none."""
    return not stream.closed and stream.isatty()
