"""Which colour a status has, as text with SGR codes. Does not know whether anybody wants colour."""

from __future__ import annotations

from sysfleet.outcome import Status

_GREEN, _YELLOW, _RED, _DIM = "32", "33", "31", "2"

_STATUS = {
    Status.OK: _GREEN,
    Status.CHANGED: _GREEN,
    Status.DRIFTED: _YELLOW,
    Status.SKIPPED: _YELLOW,
    Status.INTERRUPTED: _YELLOW,
}


def status_coloured(text: str, status: Status) -> str:
    """The text in the colour of the status; what is neither good nor unfinished is red."""
    return f"\x1b[{_STATUS.get(status, _RED)}m{text}\x1b[0m"


def diff_coloured(line: str) -> str:
    """A line of a unified diff in the usual colours."""
    if line.startswith(("---", "+++")):
        return f"\x1b[{_DIM}m{line}\x1b[0m"
    code = {"+": _GREEN, "-": _RED, "@": _DIM}.get(line[:1])
    return f"\x1b[{code}m{line}\x1b[0m" if code else line
