"""The settings in words: types with bounds, values as TOML writes them, the rows of the reference page.

One source for messages, help and documents; refuses to read a file.
"""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import Any, NamedTuple, get_args, get_type_hints

import msgspec
from msgspec import Meta

from sysfleet.settings.records import Settings

SECTIONS: Mapping[str, Mapping[str, Any]] = {
    name: get_type_hints(kind, include_extras=True) for name, kind in get_type_hints(Settings).items()
}
"""The annotated type of every setting, by section and name."""
_UNSET = '"…"'


class Row(NamedTuple):
    """One setting for the reference page, all as text; `name` is as `--set` takes it."""

    name: str
    type: str
    unit: str
    default: str
    help: str


def describe() -> list[Row]:
    """Every setting, in the order of the file: the source of the reference page and of the sample."""
    rows: list[Row] = []
    for section, hints in SECTIONS.items():
        defaults = getattr(Settings(), section)
        for key, hint in hints.items():
            meta = _meta(hint)
            unit = (meta.extra or {}).get("unit") or ""
            default = as_toml(getattr(defaults, key))
            rows.append(Row(f"{section}.{key}", kind_in_words(hint), unit, default, meta.description or ""))
    return rows


def _meta(hint: Any) -> Meta:
    meta: Meta = hint.__metadata__[-1]
    return meta


def kind_in_words(hint: Any) -> str:
    """A setting's type in words, with its bounds."""
    meta, kind = _meta(hint), get_args(hint)[0]
    if meta.title:
        return str(meta.title)
    if kind is bool:
        return "true or false"
    if kind is int:
        return f"a whole number from {meta.ge} to {meta.le}"
    if kind is float:
        return f"a number above {meta.gt}, at most {meta.le}"
    return "one of " + ", ".join(get_args(kind))


def as_toml(value: Any) -> str:
    """A value as TOML writes it; nothing for one that is not set."""
    if value is None:
        return ""
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else str(value)
    if isinstance(value, list | tuple):
        return "[" + ", ".join(as_toml(part) for part in value) + "]"
    return msgspec.json.encode(value).decode()


def sample_text() -> str:
    """A sysfleet.toml in which every setting stands with its default, commented out."""
    lines = ["# The settings of this project. A line that is commented out shows the default."]
    section = ""
    for row in describe():
        here, _, name = row.name.partition(".")
        if here != section:
            section = here
            lines += ["", f"[{section}]"]
        unit = f", in {row.unit}" if row.unit else ""
        unset = "" if row.default else "; not set"
        lines += _commented(f"{row.help} ({row.type}{unit}{unset})")
        lines += _commented(f"{name} = {row.default or _unset(row)}", indent="    ")
    return "\n".join(lines) + "\n"


def _unset(row: Row) -> str:
    return f"[{_UNSET}]" if row.type.startswith("a list") else _UNSET


def _commented(text: str, indent: str = "") -> list[str]:
    return textwrap.wrap(
        text,
        100,
        initial_indent="# ",
        subsequent_indent="# " + indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
