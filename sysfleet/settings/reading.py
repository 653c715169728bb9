"""From sysfleet.toml's text, and from `--set`, to settings: every problem with its line and what was meant.

Refuses to read files or a command line by itself.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any, Literal, get_args, get_origin

import msgspec

from sysfleet.errors import Problem, UsageError
from sysfleet.settings.records import UNREPEATED_KINDS, Settings
from sysfleet.settings.reference import SECTIONS, as_toml, kind_in_words

DEFAULT_FILE = "sysfleet.toml"


def parse(text: str, file: str = DEFAULT_FILE) -> Settings:
    """The settings that a sysfleet.toml's text gives; UsageError with every problem where it does not."""
    try:
        tables = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise _refused([_syntax_problem(text, file, error)]) from None
    found: list[Problem] = []
    settings = Settings()
    for section, table in tables.items():
        if not isinstance(table, dict) or section not in SECTIONS:
            found.append(Problem(file, _line_of(text, section), *_unknown_section(section, table)))
            continue
        for key, value in table.items():
            try:
                settings = _changed(settings, section, key, value)
            except _Refusal as refusal:
                found.append(Problem(file, _line_of(text, section, key), refusal.what, refusal.hint))
    if found:
        raise _refused(sorted(found, key=lambda problem: problem.line or 0))
    return settings


def override(settings: Settings, assignments: Iterable[str]) -> Settings:
    """The settings with each `section.key=value` put in, in order; UsageError as for `parse`.

    A value is read as its setting's type asks: lists as TOML or with commas, all else also without quotes;
    nothing after the `=` takes an optional setting back.
    """
    found: list[Problem] = []
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        section, _, key = name.strip().partition(".")
        try:
            if not equals or not key:
                raise _Refusal("is not of the form section.key=value", "for example run.workers=20")
            if section not in SECTIONS:
                raise _Refusal(*_unknown_section(section, {key: text}))
            value = _from_words(text.strip(), _type_of(section, key))
            settings = _changed(settings, section, key, value)
        except _Refusal as refusal:
            found.append(Problem(f"--set {name.strip()}", None, refusal.what, refusal.hint))
    if found:
        raise _refused(found)
    return settings


class _Refusal(Exception):
    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


def _type_of(section: str, key: str) -> Any:
    """The annotated type of a setting; refuses names that are not there."""
    hints = SECTIONS[section]
    if key in hints:
        return hints[key]
    elsewhere = [name for name in SECTIONS if key in SECTIONS[name]]
    close = get_close_matches(key, hints, n=1)
    if close:
        advice = f"did you mean {close[0]}?"
    elif elsewhere:
        advice = f"{key} belongs to [{elsewhere[0]}]"
    else:
        advice = f"[{section}] knows {', '.join(hints)}"
    raise _Refusal(f"unknown setting {section}.{key}", advice)


def _unknown_section(name: str, value: Any) -> tuple[str, str]:
    if name in SECTIONS:
        return f"{name} is a section, not a value", f"write [{name}] and its settings below"
    owners = [section for section, hints in SECTIONS.items() if name in hints]
    if not isinstance(value, dict):
        close = owners or [s for s, hints in SECTIONS.items() if get_close_matches(name, hints, n=1)]
        advice = f"it belongs below [{close[0]}]" if close else "every setting stands below its section"
        return f"{name} stands outside a section", advice
    near = get_close_matches(name, SECTIONS, n=1)
    advice = f"did you mean [{near[0]}]?" if near else f"sections are {', '.join(SECTIONS)}"
    return f"unknown section [{name}]", advice


def _changed(settings: Settings, section: str, key: str, value: Any) -> Settings:
    annotated = _type_of(section, key)
    try:
        value = msgspec.convert(value, annotated)
    except msgspec.ValidationError:
        kind = kind_in_words(annotated)
        given = "" if kind in UNREPEATED_KINDS else f", not {as_toml(value)[:80]}"
        advice = None if kind in UNREPEATED_KINDS else _advice(annotated, value)
        raise _Refusal(f"{section}.{key} expects {kind}{given}", advice) from None
    part = msgspec.structs.replace(getattr(settings, section), **{key: value})
    return msgspec.structs.replace(settings, **{section: part})


def _advice(annotated: Any, value: Any) -> str | None:
    kind = get_args(annotated)[0]
    if not isinstance(value, str):
        return None
    if _is_list(kind):
        return f"write [{as_toml(value)}]"
    near = get_close_matches(value, get_args(kind), n=1) if get_origin(kind) is Literal else []
    return f"did you mean {near[0]}?" if near else None


def _from_words(text: str, annotated: Any) -> Any:
    """A command line's text as the value that TOML would have given for this type."""
    kind = get_args(annotated)[0]
    if type(None) in get_args(kind) and not text:
        return None
    if kind is bool:
        return _SWITCHES.get(text.lower(), text)
    if kind in (int, float) or text[:1] in ('"', "'", "["):
        try:
            return tomllib.loads(f"v = {text}")["v"]
        except (tomllib.TOMLDecodeError, RecursionError):
            return text
    if _is_list(kind):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _is_list(kind: Any) -> bool:
    """Whether a type is a list's, also where it may be left out or has bounds of its own."""
    return get_origin(kind) is tuple or any(_is_list(part) for part in get_args(kind) if part is not type(None))


_ON, _OFF = ("true", "yes", "on", "1"), ("false", "no", "off", "0")
_SWITCHES = dict.fromkeys(_ON, True) | dict.fromkeys(_OFF, False)


def _line_of(text: str, section: str, key: str | None = None) -> int | None:
    """The first line that can have given a setting; TOML's reader keeps no positions."""
    names = [section] if key is None else [section, key]
    quoted = [rf"[\"']?{re.escape(name)}[\"']?" for name in names]
    here = re.compile(rf"\s*{quoted[-1]}\s*[=.]")
    whole = re.compile(rf"\s*\[*\s*{quoted[0]}\s*[\].=]" + (rf".*\b{re.escape(key)}\b" if key else ""))
    inside = False
    for number, line in enumerate(text.splitlines(), 1):
        if whole.match(line) or (inside and key and here.match(line)):
            return number
        if table := re.match(r"\s*\[+\s*[\"']?([^\]\"'.]*?)[\"']?\s*[\].]", line):
            inside = table[1] == section
    return None


def _syntax_problem(text: str, file: str, error: Exception) -> Problem:
    if isinstance(error, RecursionError):
        return Problem(file, None, "is nested too deeply")
    what, _, place = str(error).partition(" (at ")
    number = re.match(r"line (\d+)", place)
    line = int(number[1]) if number else max(1, len(text.splitlines()))
    advice = "a text stands in quotes" if what == "Invalid value" else None
    return Problem(file, line, f"is not TOML: {what[:1].lower()}{what[1:]}", advice)


def _refused(found: list[Problem]) -> UsageError:
    number = "one problem" if len(found) == 1 else f"{len(found)} problems"
    return UsageError(f"the settings have {number}", problems=found)
