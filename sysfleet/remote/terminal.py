"""How a program travels over a terminal: its stub, what that is sent line by line, and the frame of what comes back.

As framing.py for pipes: text in, text out. Knows nothing of SSH, of root rights, or of how a terminal is had.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from sysfleet.errors import CommandFailed
from sysfleet.remote import framing
from sysfleet.remote.evidence import clean
from sysfleet.remote.framing import READY, Framed, checked_mark

LINE_BYTES = 800
"""No line that is sent is longer: a terminal that edits lines keeps 4,095 bytes of one, and some keep 1,023."""

# As framing.STUB, nothing but what every login shell takes alike inside single quotes. A terminal shows what is
# typed: neither READY nor the complaint stands here as it is printed. Whatever happens, the terminal is put back.
# One process reads all of it: bash reads ahead on a terminal, and would hand what it has on to the program.
STUB = (
    "set +efuvx; unset -f printf read stty; PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin; "
    "w=sysfleet; s=$(stty -g 2>&1) && stty raw -echo || { echo; echo $w-no-terminal $s; exit 95; }; "
    'trap "stty $s" 0; echo; echo $w-ready; '
    "p=$(while IFS= read -r l; do case $l in (sysfleet-mark:*) "
    'while IFS= read -r l && [ "$l" ]; do printf %b "$l"; done; exit;; esac; done; echo exit 96); '
    'eval "$p"'
)

# Errors are held back until the program has ended, since a terminal is one stream. The mark ends them, so that a
# process that was left behind, and keeps them open, holds nothing up; one byte after them keeps their line ends.
# BusyBox runs a trap at the exit with the outer redirections: they are made by exec.
# The last line is one compound command, as in framing: what was cut anywhere runs nothing.
_WRAPPED = b"""\
m=%(mark)b
sysfleet_framed() {
%(framed)b
}
{ exec 3>&1; e=$({ exec 2>&1 >&3 3>&- </dev/null; (sysfleet_framed); printf '%%s\\n' "$m" >&2; } | { \
while IFS= read -r l || [ "$l" ]; do case $l in (*"$m") printf %%s "${l%%"$m"}"; break;; esac; \
printf '%%s\\n' "$l"; done; printf .; }); printf '\\n%%s errors\\n%%s\\n%%s over\\n' "$m" "${e%%.}" "$m"; }
"""

_NO_TERMINAL = re.compile(rb"^sysfleet-no-terminal ?([^\n]*)", re.MULTILINE)
_READY = re.compile(rb"^%b\r?\n" % READY, re.MULTILINE)
_NAMED = {ord("\n"): b"\\n", ord("\t"): b"\\t", ord("\\"): b"\\\\"}
# A `~` that begins a line is a command to some clients.
_PLAIN = frozenset(range(0x20, 0x7F)) - {ord("\\"), ord("~")}
_CODES = [bytes([byte]) if byte in _PLAIN else _NAMED.get(byte, b"\\0%03o" % byte) for byte in range(256)]


def upload(program: bytes, mark: str) -> bytes:
    """What is typed once the stub says READY: short lines of printable ASCII, of which an empty one is the last."""
    first, _, framed = framing.upload(program, mark).partition(b"\n")
    text = _WRAPPED % {b"mark": mark.encode(), b"framed": framed}
    return b"\n".join([first, *_lines(text), b"", b""])


def _lines(text: bytes) -> Iterator[bytes]:
    line = bytearray()
    for byte in text:
        code = _CODES[byte]
        if len(line) + len(code) > LINE_BYTES:
            yield bytes(line)
            line.clear()
        line += code
    if line:
        yield bytes(line)


def ready_at(printed: bytes | bytearray) -> int | None:
    """Where the stub's READY line ends; None while there is none. Nothing is typed before it."""
    found = _READY.search(printed)
    return None if found is None else found.end()


def no_terminal(printed: bytes | bytearray) -> CommandFailed | None:
    """The error when the stub says that it cannot have the terminal for itself, with the host's words; else None."""
    found = _NO_TERMINAL.search(printed)
    if found is None:
        return None
    return CommandFailed(
        "the host's terminal cannot be switched to carry programs: there is no terminal, or no stty",
        phase="run",
        evidence=clean(found[1]) or None,
    )


def ending(mark: str) -> bytes:
    """What the stub prints last, after output and errors."""
    return b"\n%b over\n" % checked_mark(mark)


@dataclass(frozen=True, slots=True)
class Printed:
    """What a terminal printed, told apart; `framed` None: the program never began."""

    framed: Framed | None
    errors: bytes
    around: bytes


def unframed(printed: bytes, mark: str) -> Printed:
    """The program's output and errors, and what stood around them, once all of it has come.

    Errors have lost their NUL bytes. Raises CommandFailed when the program began and has no end.
    """
    marked = checked_mark(mark)
    whole, over, after = printed.rpartition(ending(mark))
    output, found, errors = whole.rpartition(b"\n%b errors\n" % marked)
    before, began, _ = output.partition(b"\n%b begin\n" % marked)
    if over and found and began:
        return Printed(framing.unframed(output, mark), errors, before + b"\n" + after)
    if framing.unframed(printed, mark) is None:
        return Printed(None, errors, printed)
    raise CommandFailed("the program was killed on the host", phase="run", evidence=clean(printed) or None)
