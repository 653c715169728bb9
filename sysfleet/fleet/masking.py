"""Takes secrets out of rows before anybody sees them: a host may repeat what it was given, and a key may be a secret.

Knows rows and texts. What a host makes of a password before it repeats it is not found out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator

import msgspec

from sysfleet.fleet.project import Project
from sysfleet.outcome import ErrorRecord, FileOutcome, HostOutcome, OriginRecord, SettingOutcome
from sysfleet.sysctl.key import Key, file_key
from sysfleet.sysctl.knowledge import every, lookup

MASK = "***"
# Shorter ones would eat ordinary text.
_SHORTEST = 4
# Words are cut at their beginning, and a secret with them.
_CUT = "…"
_SECRET_TAILS = tuple(key.rpartition(".")[2] for key, known in every().items() if known.secret)
_NAMES_SECRET = re.compile(rf"\b(?:{'|'.join(_SECRET_TAILS)})\b")
# What such keys hold: hexadecimal words, an IPv6 address.
_SECRET_VALUE = re.compile(r"\b[0-9A-Fa-f]+(?:[-:]+[0-9A-Fa-f]+){2,}\b")


def masked(row: HostOutcome, secrets: Callable[[], Iterable[str]]) -> HostOutcome:
    """The row without these secrets in its error, and without values of keys that are secrets."""
    if row.error is not None:
        row = msgspec.structs.replace(row, error=_error(row.error, tuple(secrets())))
    if not any(_is_secret(setting.key) for setting in row.settings):
        return row
    return msgspec.structs.replace(
        row,
        file=row.file and FileOutcome(row.file.path, "\n".join(map(_diff_line, row.file.diff.split("\n")))),
        settings=tuple(_setting(setting) if _is_secret(setting.key) else setting for setting in row.settings),
        notes=tuple(map(_without_values, row.notes)),
        error=row.error and msgspec.structs.replace(row.error, message=_without_values(row.error.message)),
    )


def secrets_of(project: Project, host: str) -> Iterator[str]:
    """Every secret of a run that the host, or a bastion before it, may have been given."""
    yield from project.sources.fetched
    inventory = project.inventory
    jumps = (inventory.proxy_jump(host) or "").split(",")
    for name in (host, *(jump for jump in jumps if jump in inventory.hosts)):
        for entry in inventory.lineage(name):
            passwords = (entry.password, *(one.password for one in entry.connection_options.values()))
            yield from (password.reveal() for password in passwords if password is not None)


def hidden(words: str, secrets: Collection[str]) -> str:
    """The words with a mask in place of each of these secrets, also of what is left of one where they were cut."""
    for secret in sorted(secrets, key=len, reverse=True):
        # Words of a host are made one line: what is white space in a secret may be another one.
        for text in dict.fromkeys((secret, " ".join(secret.split()))):
            if len(text) >= _SHORTEST:
                words = _cut_off(words.replace(text, MASK), text)
    return words


def _cut_off(words: str, secret: str) -> str:
    for at in range(1, len(secret) - _SHORTEST + 1):
        words = words.replace(_CUT + secret[at:], _CUT + MASK)
    return words


def _error(error: ErrorRecord, secrets: Collection[str]) -> ErrorRecord:
    hint = hidden(error.hint, secrets) if error.hint else error.hint
    return msgspec.structs.replace(error, message=hidden(error.message, secrets), hint=hint)


def _is_secret(key: str) -> bool:
    # Most keys are none, and this is asked for every setting of every row.
    if not key.endswith(_SECRET_TAILS):
        return False
    known = lookup(Key(key))
    return known is not None and known.secret


def _setting(setting: SettingOutcome) -> SettingOutcome:
    return msgspec.structs.replace(
        setting,
        wanted=_value(setting.wanted),
        running=_value(setting.running),
        at_boot=_value(setting.at_boot),
        at_boot_planned=_value(setting.at_boot_planned),
        asked=_value(setting.asked),
        interfaces=dict.fromkeys(setting.interfaces, MASK),
        chain=tuple(_origin(origin) for origin in setting.chain),
        why=None,
        notes=tuple(f"was {MASK}" if note.startswith("was ") else note for note in setting.notes),
    )


def _origin(origin: OriginRecord) -> OriginRecord:
    return msgspec.structs.replace(origin, value=_value(origin.value))


def _value(text: str | None) -> str | None:
    return None if text is None else MASK


def _diff_line(line: str) -> str:
    name, equals, _ = line.partition("=")
    try:
        secret = bool(equals) and _is_secret(file_key(name[1:].strip().removeprefix("-").strip()))
    except ValueError:
        secret = False
    return f"{name}= {MASK}" if secret else line


def _without_values(words: str) -> str:
    return _SECRET_VALUE.sub(MASK, words) if _NAMES_SECRET.search(words) else words
