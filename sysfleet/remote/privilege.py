"""How the stub gets root rights: the command line for each way, and how a refusal is told from failures.

Knows sudo and doas; refuses to know where a password comes from.
"""

from __future__ import annotations

import re
from typing import Literal

from sysfleet.errors import PrivilegeDenied
from sysfleet.remote.evidence import clean
from sysfleet.remote.framing import STUB

Method = Literal["auto", "none", "sudo", "doas"]

PLAIN = f"sh -c '{STUB}'"
"""The command line without more rights than the login has."""

# The words of sudo and doas are told apart in English, so that is what they are asked for.
_SUDO = "env LC_ALL=C sudo {how} -- "
_HOW_SUDO = {False: "-n", True: '-S -p ""'}

# The stub comes as "$0", so that nothing is quoted twice. /proc/1 is root's: who owns it needs no more.
_AUTO = (
    'sh -c \'[ -O /proc/1 ] && exec sh -c "$0"; '
    'command -v sudo >/dev/null 2>&1 && exec {sudo}sh -c "$0"; '
    'command -v doas >/dev/null 2>&1 && exec doas -n -- sh -c "$0"; '
    "echo sudo: neither sudo nor doas is installed >&2; exit 97' '{stub}'"
)

_REFUSAL = re.compile(
    rb"^(?:sudo|doas)\b[^\n]*"
    rb"|^env: [^\n]*sudo[^\n]*"
    rb"|[^\n]*\b(?:sudo|doas): (?:command )?not found[^\n]*"
    rb"|[^\n]*\b(?:sudoers file|may not run sudo|not allowed to (?:execute|run)|must have a tty)[^\n]*"
    rb"|^Sorry, [^\n]*",
    re.MULTILINE,
)


def command_line(method: Method, *, user: str, with_password: bool, stub: str = STUB) -> str:
    """The one command that the login shell gets; the same on every host of a run. `stub`: that of a terminal."""
    plain = f"sh -c '{stub}'"
    match method:
        case "none":
            return plain
        case "doas":
            return f"doas -n -- {plain}"
        case "sudo":
            return _SUDO.format(how=_HOW_SUDO[with_password]) + plain
        case "auto":
            if user == "root":
                return plain
            sudo = _SUDO.format(how=_HOW_SUDO[with_password])
            return _AUTO.format(sudo=sudo, stub=stub)


def refusal(stderr: bytes, *, user: str) -> PrivilegeDenied | None:
    """The error when these words say that root rights were refused, with the words themselves; else None."""
    words = [found[0] for found in _REFUSAL.finditer(stderr)]
    if not words:
        return None
    return PrivilegeDenied(
        f"{user} gets no root rights",
        phase="run",
        evidence=clean(b" ".join(words)),
        hint="allow it in sudoers (NOPASSWD) or give the password, see [privilege]",
    )
