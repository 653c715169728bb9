"""The report file of a bug in sysfleet: versions, command line and traceback, without secrets."""

from __future__ import annotations

import os
import platform
import re
import shlex
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sysfleet import __version__
from sysfleet.report.printable import printable

_LIBRARIES = ("nornir", "paramiko", "netmiko", "jinja2", "msgspec", "rich", "pyyaml", "asyncssh")
_SECRET_NAME = re.compile(r"pass|secret|token|credential|api_?key", re.IGNORECASE)
_SECRET_WORDS = re.compile(r"((?:password|passphrase|secret|token)\w*['\"]?\s*[=:]\s*)(\S+)", re.IGNORECASE)
_SHORTEST_SECRET = 4  # below that, masking would eat ordinary text


def report_bug(error: BaseException, argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """Write the report and give back what to tell the person who sees it."""
    what = printable(redacted(f"{type(error).__name__}: {error}", environ))
    try:
        place = f"the report is in {_written(bug_report(error, argv, environ))}"
    except OSError as refused:
        place = f"its report could not be written: {refused.strerror}"
    return f"sysfleet: a bug: {what}\n{place}\n"


def bug_report(error: BaseException, argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """All that is needed to find the bug, with every secret masked."""
    # platform.platform() would start a program, which inherits variables that hold secrets.
    kernel = os.uname()
    system = f"Python {platform.python_version()} on {kernel.sysname} {kernel.release} {kernel.machine}"
    libraries = ", ".join(f"{name} {found}" for name in _LIBRARIES if (found := _version(name)))
    trace = "".join(traceback.format_exception(error))
    head = f"sysfleet {__version__}\n{system}\n{libraries}\ncommand: sysfleet {shlex.join(argv)}\n"
    return redacted(f"{head}\n{trace}", environ)


def redacted(text: str, environ: Mapping[str, str]) -> str:
    """The text without the values of secret variables, nor what stands behind a word for a secret."""
    secrets = (value for name, value in environ.items() if _SECRET_NAME.search(name))
    for secret in sorted(secrets, key=len, reverse=True):
        if len(secret) >= _SHORTEST_SECRET:
            text = text.replace(secret, "***")
    return _SECRET_WORDS.sub(r"\1***", text)


def _written(text: str) -> Path:
    """In a folder for temporary files: a project may be shared, and may be what is broken."""
    descriptor, name = tempfile.mkstemp(prefix="sysfleet-bug-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    return Path(name)


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
