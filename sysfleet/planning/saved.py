"""A plan on paper: what would change on each host and what that was made from, as JSON that people can read.

Pure: texts in and out. Values of secret keys have to be taken out before they come here.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import msgspec

from sysfleet.errors import UsageError

SCHEMA = 1
KIND = "sysfleet plan"
_MOST = 5  # differences that are told


class SavedSetting(msgspec.Struct, frozen=True):
    """One setting as it was planned; `asked` is the constraint in words, `origin` the file and line that asks."""

    key: str
    wanted: str | None
    running: str | None
    at_boot: str | None
    asked: str | None = None
    origin: str | None = None


class SavedHost(msgspec.Struct, frozen=True):
    """One host that would change; `made_from` is one number for all values, files and texts that decide its change."""

    host: str
    address: str
    changes: int
    made_from: str
    settings: tuple[SavedSetting, ...]
    diff: str = ""


class SavedPlan(msgspec.Struct, frozen=True):
    """The hosts of one `plan` that would change, in natural order."""

    kind: str
    schema: int
    run: str
    version: str
    hosts: tuple[SavedHost, ...]


class _Head(msgspec.Struct):
    kind: str = ""
    schema: int = 0


def made_from(*parts: object) -> str:
    """The number that stands for these parts: equal for equal ones, and nothing can be read from it."""
    return sha256(msgspec.json.encode(parts)).hexdigest()


def to_json(plan: SavedPlan) -> bytes:
    """The plan as it is kept in a file."""
    return msgspec.json.format(msgspec.json.encode(plan), indent=2) + b"\n"


def from_json(data: bytes, name: str) -> SavedPlan:
    """The plan that a file of this name holds; UsageError where it is none, or of another version."""
    try:
        head = msgspec.json.decode(data, type=_Head)
    except msgspec.DecodeError:
        head = _Head()
    if head.kind != KIND:
        raise UsageError(f"{name} is no plan", hint="sysfleet plan --out FILE writes one")
    if head.schema != SCHEMA:
        raise UsageError(f"{name} is of schema {head.schema}, and this sysfleet reads {SCHEMA}", hint="plan again")
    try:
        return msgspec.json.decode(data, type=SavedPlan)
    except msgspec.DecodeError as error:
        raise UsageError(f"{name} is damaged: {error}", hint="plan again") from None


def changed_since(then: SavedHost, now: SavedHost) -> str | None:
    """What has changed since the plan, in words; None where the same change would be made for the same reasons."""
    if then.made_from == now.made_from:
        return None
    found = list(_differences(then, now))
    if not found:
        return "our file" if then.diff != now.diff else "other values or files of the host"
    more = f" (+{len(found) - _MOST} more)" if len(found) > _MOST else ""
    return ", ".join(found[:_MOST]) + more


def _differences(then: SavedHost, now: SavedHost) -> Iterator[str]:
    old = {setting.key: setting for setting in then.settings}
    new = {setting.key: setting for setting in now.settings}
    yield from (f"{key} is no longer asked for" for key in old if key not in new)
    yield from (f"{key} was not asked for" for key in new if key not in old)
    for key in (key for key in new if key in old):
        yield from _of_setting(old[key], new[key])


def _of_setting(then: SavedSetting, now: SavedSetting) -> Iterator[str]:
    if (then.wanted, then.asked) != (now.wanted, now.asked):
        yield f"{now.key} was to be {_text(then.asked or then.wanted)} and is to be {_text(now.asked or now.wanted)}"
    if then.running != now.running:
        yield f"{now.key} was {_text(then.running)} and is {_text(now.running)}"
    if then.at_boot != now.at_boot:
        yield f"{now.key} was {_text(then.at_boot)} at boot and is {_text(now.at_boot)}"


def _text(value: str | None) -> str:
    return "unknown" if value is None else value
