"""The reference says what the code does."""

import re
from pathlib import Path

from sysfleet.errors import ExitCode
from sysfleet.outcome import Status

_DOCS = Path(__file__).parents[2] / "docs"


def test_every_status_stands_in_the_reference_with_its_exit_code() -> None:
    page = (_DOCS / "reference/exit-codes.md").read_text()
    rows = re.findall(r"^\| `(\w+)` \| .* \| (\d+) \|$", page, re.MULTILINE)
    assert {name: int(code) for name, code in rows} == {status.value: status.exit_code for status in Status}


def test_every_exit_code_stands_in_the_reference() -> None:
    page = (_DOCS / "reference/exit-codes.md").read_text()
    assert {int(code) for code in re.findall(r"^\| (\d+) \|", page, re.MULTILINE)} == set(ExitCode)
