"""Asks a person for a password on the controlling terminal, unseen. Does not know what it is for."""

from __future__ import annotations

import os

from sysfleet.errors import UsageError


def ask(question: str) -> str:
    """What is typed; UsageError without a terminal, or where the person gives none.

    Standard input and output are left alone: they may be a file and a pipe.
    """
    from getpass import getpass

    try:
        # getpass would go on without one, and read from standard input what everybody can see.
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY))
    except OSError:
        wanted = question.rstrip(": ")
        raise UsageError(
            f"there is no terminal to ask on for the {wanted}", hint="take it from a variable, a command or a keyring"
        ) from None
    try:
        return getpass(question)
    except EOFError:
        raise UsageError(f"no answer to {question.rstrip(': ')}") from None
