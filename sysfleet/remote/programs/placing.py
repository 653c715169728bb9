"""Our file as the programs that write are told of it: where, what, and how it is known as ours.

Pure. Knows nothing of what the file says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sysfleet.remote.programs import quoted
from sysfleet.remote.programs.checksum import cksum

_PATH = re.compile(r"(?:/[A-Za-z0-9_@%+:,.-]+)+\.conf", re.ASCII)


@dataclass(frozen=True, slots=True)
class OurFile:
    """The file as it is to be; no content takes it away. Each file of ours begins with the line `header`."""

    path: str
    content: bytes | None
    header: str

    @property
    def verb(self) -> str:
        """What a program is asked to do with it."""
        return "remove" if self.content is None else "write"


def file_lines(file: OurFile) -> tuple[str, ...]:
    """The assignments of a request; ValueError for a path or content that cannot be sent."""
    if not _PATH.fullmatch(file.path) or "/../" in file.path or "/./" in file.path:
        raise ValueError(f"{file.path!r} is no place for our file")
    if "\n" in file.header or not file.header:
        raise ValueError("the header is one line")
    content = b"" if file.content is None else file.content
    if file.content is not None and not content.startswith(file.header.encode() + b"\n"):
        raise ValueError("the content does not begin with the header")
    if b"\0" in content:
        raise ValueError("the content holds a NUL byte")
    return (
        f"sf_header={quoted(file.header)}",
        f"sf_sum='{cksum(content)} {len(content)}'",
        f"sf_content={quoted(content.decode('utf-8', 'surrogateescape'))}",
    )
