"""How the stub gets root rights: the command line for each way, and what the words of a refusal mean.

Knows sudo and doas; refuses to know where a password comes from, and how the words were carried.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Literal

from sysfleet.remote import terminal
from sysfleet.remote.evidence import clean
from sysfleet.remote.framing import STUB

Method = Literal["auto", "none", "sudo", "doas"]

PLAIN = f"sh -c '{STUB}'"
"""The command line without more rights than the login has."""

ASKS = b"sysfleet-asks"
"""The line that is printed before sudo or doas is started: without it, the login shell ran nothing."""

# sudo prints %% as %: what it asks is not what stands in the command line, which a terminal may show.
_PROMPT_OPTION = "-p sysfleet%%secret:"
_PROMPT = b"sysfleet%secret:"

# The stub comes as "$0", so that nothing is quoted twice. The words of sudo and doas are told apart in English, so
# that is what they are asked for. /proc/1 is root's: who owns it needs no more.
_BECOME = (
    "sh -c 'PATH=${{PATH:+$PATH:}}/usr/local/bin:/usr/bin:/bin; LC_ALL=C; export PATH LC_ALL; "
    "w=sysfleet; echo $w-asks; {how}' '{stub}'"
)
_AUTO = (
    '[ -O /proc/1 ] && exec sh -c "$0"; '
    "command -v sudo >/dev/null 2>&1 && {sudo}; "
    "command -v doas >/dev/null 2>&1 && {doas}; "
    "echo neither sudo nor doas is installed >&2; exit 97"
)

_WORDS = re.compile(
    rb"^(?:sudo|doas)\b[^\n]*"
    rb"|[^\n]*\b(?:sudo|doas): (?:command )?not found[^\n]*"
    rb"|[^\n]*\b(?:sudoers file|may not run sudo|not allowed to (?:execute|run)|must have a tty)[^\n]*"
    rb"|^Sorry, [^\n]*|^neither sudo nor doas [^\n]*",
    re.MULTILINE,
)
_TERMINAL = re.compile(rb"must have a tty|a tty is required|a terminal is required|no tty present")
_FINAL = re.compile(
    rb"not found|neither sudo nor doas|sudoers file|may not run sudo|not allowed to (?:execute|run)|not permitted"
    rb"|unknown option|unknown user|illegal option|effective uid is not 0|must be (?:owned|setuid)",
    re.IGNORECASE,
)
_NOT_ALLOWED = re.compile(rb"sudoers file|may not run sudo|not allowed to (?:execute|run)", re.IGNORECASE)
_DOAS = re.compile(rb"^doas:", re.MULTILINE)
_QUESTIONS = re.compile(
    rb"%b|doas \([^)\n]*\) password: ?|\[sudo(?:: [^]\n]*)?\] (?:password for [^:\n]*|Password): ?" % re.escape(_PROMPT)
)
# What PAM's modules ask in a terminal is theirs to word; doas is given no words of ours.
_QUESTION = re.compile(rb"[^\n]*password[^\n]*: ?\Z", re.IGNORECASE)


def command_line(method: Method, *, user: str, with_password: bool, stub: str = STUB) -> str:
    """The one command that the login shell gets; the same on every host of a run. `stub`: that of a terminal.

    With a password, sudo asks with `question` and reads the answer from standard input, or from the terminal.
    """
    in_terminal = stub == terminal.STUB
    sudo = f'exec sudo {_how_sudo(with_password=with_password, in_terminal=in_terminal)} -- sh -c "$0"'
    # doas asks on a terminal alone.
    doas = 'exec doas -- sh -c "$0"' if with_password and in_terminal else 'exec doas -n -- sh -c "$0"'
    match method:
        case "none":
            return f"sh -c '{stub}'"
        case "sudo":
            return _BECOME.format(how=sudo, stub=stub)
        case "doas":
            return _BECOME.format(how=doas, stub=stub)
        case "auto":
            if user == "root":
                return f"sh -c '{stub}'"
            return _BECOME.format(how=_AUTO.format(sudo=sudo, doas=doas), stub=stub)


def _how_sudo(*, with_password: bool, in_terminal: bool) -> str:
    if not with_password:
        return "-n"
    return _PROMPT_OPTION if in_terminal else f"-S {_PROMPT_OPTION}"


def question(printed: bytes | bytearray, start: int, *, again: bool) -> int | None:
    """Where the question for the password ends in what was printed from `start` on; None where there is none.

    `again`: one was answered, whose end may still be under way; the next begins on a line of its own.
    """
    at = printed.find(_PROMPT, start)
    if at >= 0:
        return at + len(_PROMPT)
    if again:
        start = printed.find(b"\n", start)
    found = _QUESTION.search(printed, max(start, len(printed) - 400)) if start >= 0 else None
    return len(printed) if found is not None else None


class Need(Enum):
    """What a refusal asks for."""

    TERMINAL = "a terminal"
    PASSWORD = "a password"  # noqa: S105 - no password
    PASSWORD_IN_TERMINAL = "a password typed in a terminal"  # noqa: S105 - no password
    NOTHING = "nothing that could be given"


def need(words: bytes) -> Need:
    """What might help after these words of a refusal; those that are not known may be cured by a password."""
    if _TERMINAL.search(words):
        return Need.TERMINAL
    if _FINAL.search(words):
        return Need.NOTHING
    return Need.PASSWORD_IN_TERMINAL if _DOAS.search(words) else Need.PASSWORD


def proves_the_password(words: bytes) -> bool:
    """Whether a refusal came after the password was found right: sudo asks first whom it then refuses."""
    return _NOT_ALLOWED.search(words) is not None


def own_words(said: bytes) -> str:
    """The words of sudo or doas, cleaned, without what stood around them; all of it where none are known."""
    said = _QUESTIONS.sub(b"\n", said.replace(b"\r", b""))
    said = b"\n".join(line for line in said.split(b"\n") if line.strip() not in (ASKS, b""))
    known = [found[0].strip() for found in _WORDS.finditer(said)]
    return clean(b" ".join(known) if known else said)
