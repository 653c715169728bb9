"""The reference says what the code says."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from sysfleet.errors import ExitCode
from sysfleet.outcome import (
    ErrorRecord,
    FileOutcome,
    FleetReport,
    HostOutcome,
    OriginRecord,
    SettingOutcome,
    Status,
    WinnerRecord,
)
from sysfleet.planning.verdict import Verdict
from sysfleet.policy.constraint import Kind
from sysfleet.policy.entry_fields import DEFAULTS_FIELDS, ENTRY_FIELDS
from sysfleet.rendering.variables import FACT_NAMES, VARIABLE_NAMES
from tests.docs.generated import REFERENCE, SCHEMA_FILE, classes, parents, renewed, schema, tree

_RENEW = "run python -m tests.docs.generated"
_CONSTRAINTS = [kind.value for kind in Kind]


def _page(name: str, heading: str = "") -> str:
    """A page's text, or the part of it below one heading."""
    text = (REFERENCE / name).read_text(encoding="utf-8")
    return re.split(rf"^## {heading}$", text, flags=re.MULTILINE)[1].split("\n## ")[0] if heading else text


def _first_cells(text: str) -> list[str]:
    """What the first column of the tables names, in order."""
    return re.findall(r"^\| `?([^`|]+?)`? \|", re.sub(r"^.*\n\|[- |]+\|$", "", text, flags=re.MULTILINE), re.MULTILINE)


@pytest.mark.parametrize("page", sorted(REFERENCE.glob("*.md")), ids=lambda page: page.name)
def test_what_is_made_from_the_code_is_as_the_code_has_it(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text == renewed(text), _RENEW


def test_the_schema_is_that_of_a_report() -> None:
    assert SCHEMA_FILE.read_text(encoding="utf-8") == schema(), _RENEW


def test_every_status_stands_in_the_reference_with_its_exit_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| .* \| (\d+) \|$", _page("statuses.md", "Statuses"), re.MULTILINE)
    assert {name: int(code) for name, code in rows} == {status.value: status.exit_code for status in Status}


def test_every_verdict_stands_in_the_reference_in_its_order() -> None:
    verdicts = _page("statuses.md", "Verdicts").partition("`at_boot`")[0]
    assert _first_cells(verdicts) == [verdict.value for verdict in Verdict]


def test_every_exit_code_stands_in_the_reference() -> None:
    assert [int(code) for code in _first_cells(_page("statuses.md", "Exit codes"))] == sorted(ExitCode)


def test_the_tree_of_errors_is_that_of_the_classes() -> None:
    assert parents(tree()) == {
        name: kind.__bases__[0].__name__ for name, kind in classes().items() if name != "FleetError"
    }


@pytest.mark.parametrize(
    ("heading", "record"),
    [
        ("A report", FleetReport),
        ("A host", HostOutcome),
        ("A file", FileOutcome),
        ("A setting", SettingOutcome),
        ("An origin", OriginRecord),
        ("A boot winner", WinnerRecord),
        ("An error", ErrorRecord),
    ],
)
def test_every_field_of_the_json_stands_in_the_reference(heading: str, record: type[msgspec.Struct]) -> None:
    assert sorted(_first_cells(_page("json.md", heading))) == sorted(record.__struct_fields__)


def test_every_variable_and_fact_of_templates_stands_in_the_reference() -> None:
    named = _first_cells(_page("templates.md", "Variables"))
    assert sorted(named) == sorted([*VARIABLE_NAMES, *(f"facts.{name}" for name in FACT_NAMES)])


def test_every_argument_of_setting_stands_in_the_reference() -> None:
    assert _first_cells(_page("templates.md", "Settings")) == ["key", *_CONSTRAINTS, "reason", "cite"]


def test_every_field_of_the_inventory_stands_in_the_reference() -> None:
    fields = _page("inventory.md", "Fields").partition("Some names")[0]
    assert sorted(_first_cells(fields)) == sorted(ENTRY_FIELDS)
    of_defaults = re.findall(r"^\| `(\w+)` \| yes \| yes \|", fields, re.MULTILINE)
    assert sorted(of_defaults) == sorted(DEFAULTS_FIELDS)


def test_every_field_of_an_override_stands_in_the_reference() -> None:
    named = _first_cells(_page("inventory.md", "Overrides"))
    assert named == [*_CONSTRAINTS, "reason", "ticket", "expires", "cite"]
