"""How a program travels: the fixed stub that starts it, what the stub is sent, and the frame of its output.

Pure text in, text out. Knows nothing of SSH, of root rights, or of what a program does.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sysfleet.errors import CommandFailed
from sysfleet.remote.evidence import clean

READY = b"sysfleet-ready"
"""The line the stub prints when it runs; with a password, nothing is sent before it."""

# Nothing but what every login shell takes alike inside single quotes: one line, no quote, backslash or `!`.
# Lines before the mark are thrown away unseen: a sudo password that nobody asked for is one of them, and so tracing
# is switched off first. Nobody's functions are in the way of what it calls, nor a PATH that leads nowhere.
STUB = (
    "set +efuvx; PATH=${PATH:+$PATH:}/usr/sbin:/usr/bin:/sbin:/bin; echo sysfleet-ready; "
    "while IFS= read -r l; do case $l in sysfleet-mark:*) "
    'm=${l#*:}; l=; p=$(command cat) || exit; eval "$p"; exit;; esac; done; exit 96'
)

_MARK = re.compile(r"[0-9a-f]{16,64}", re.ASCII)

# What the environment of a login can bring along that changes what a program means: variables that awk, ls or the
# shell itself obey, functions in place of programs, and options of bash.
_OBEYED = (
    "CDPATH ENV BASH_ENV GREP_OPTIONS POSIXLY_CORRECT _POSIX2_VERSION QUOTING_STYLE TIME_STYLE TMPDIR "
    "AWKBUFSIZE AWKREADFUNC GAWK_READ_TIMEOUT AWK_HASH MAWKBINMODE MAWK_LONG_OPTIONS WHINY_USERS"
)
_CALLED = "awk cat cksum dd flock head ls mkdir mv printf read restorecon rm sync true umask"
_BASH = "failglob nullglob dotglob nocaseglob nocasematch xpg_echo"

_CLEAN = (
    f"set +aC; unset -f {_CALLED}; unset {_OBEYED}; "
    f'if [ -n "${{BASH_VERSION-}}" ]; then shopt -u {_BASH} 2>/dev/null; fi; '
    "IFS=' \t\n'; LC_ALL=C; export LC_ALL PATH; umask 022"
)

# The last line is one compound command: an upload cut anywhere, here too, is a syntax error and runs nothing.
_UPLOAD = b"""\
sysfleet-mark:%(mark)b
sysfleet_run() {
:
%(program)b
}
{ %(clean)b; \
trap 'printf "\\n%%s end %%s\\n" "$m" "$?"' 0; printf '\\n%%s begin\\n' "$m"; sysfleet_run; }
"""


def checked_mark(mark: str) -> bytes:
    """The mark as bytes; ValueError if it is not 16 to 64 lower-case hexadecimal digits."""
    if not _MARK.fullmatch(mark):
        raise ValueError("a mark is 16 to 64 lower-case hexadecimal digits")
    return mark.encode()


def upload(program: bytes, mark: str) -> bytes:
    """What is written to the stub's input: shell text as a whole, or nothing of it, is run."""
    if b"\0" in program:
        raise ValueError("a shell program holds no NUL byte")
    return _UPLOAD % {b"mark": checked_mark(mark), b"program": program, b"clean": _CLEAN.encode()}


@dataclass(frozen=True, slots=True)
class Framed:
    """A program's own output and exit status, without whatever stood around them."""

    status: int
    body: bytes


def unframed(stdout: bytes, mark: str) -> Framed | None:
    """The program's output between the two mark lines, byte for byte; None when it never began.

    Raises CommandFailed when it began and has no end.
    """
    begin = b"\n%b begin\n" % checked_mark(mark)
    at = stdout.find(begin)
    if at < 0:
        return None
    rest = stdout[at + len(begin) :]
    body, end, status = rest.rpartition(b"\n%b end " % mark.encode())
    found = re.match(rb"([0-9]{1,3})\n", status)
    if not end or found is None:
        raise CommandFailed(
            "the program on the host did not come to its end", evidence=clean(rest) or None, phase="run"
        )
    return Framed(int(found[1]), body)


def began(stdout: bytes) -> bool:
    """Whether the stub itself ran, whatever became of the program."""
    return b"\n%b\n" % READY in b"\n%b\n" % stdout
