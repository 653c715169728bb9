"""Which prompt of a login asks for the password, and which for something else: a code, or a new password.

Knows words alone; refuses to know who asks. What it does not understand is no prompt for a password.
"""

from __future__ import annotations

import re

# Names of accounts and hosts may hold any word: `me@new.example.net's password:`.
_ADDRESS = re.compile(r"\S+@\S+")
_PASSWORD = re.compile(r"\b(?:pass ?wor[dt]|kennwort|mot de passe|contraseña|senha|wachtwoord)", re.IGNORECASE)
_CHANGE = re.compile(
    r"\b(?:new|neues?|retype|re-?enter|again|confirm|repeat|wiederholen|current|old|change|expired)\b", re.IGNORECASE
)
_CODE = re.compile(
    r"\b(?:(?:\w*-)?code|token|otp\w*|one[- ]?time|pin|verify|verification|response|factor|yubikey)\b",
    re.IGNORECASE,
)


def asks_for_password(prompt: str) -> bool:
    """Whether a prompt asks for the password of the login, and for nothing else."""
    words = _ADDRESS.sub(" ", prompt)
    return bool(_PASSWORD.search(words)) and not asks_for_change(prompt) and not _CODE.search(words)


def asks_for_change(prompt: str) -> bool:
    """Whether a prompt belongs to the change of a password, which a host wants after it took the old one."""
    return _CHANGE.search(_ADDRESS.sub(" ", prompt)) is not None
