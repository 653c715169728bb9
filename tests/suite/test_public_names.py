"""What `import sysfleet` promises, and what it does not load."""

import subprocess
import sys
from pathlib import Path

import pytest

import sysfleet


def test_the_public_names_are_these() -> None:
    names = ["Fleet", "FleetError", "FleetReport", "HostOutcome", "Status", "__version__"]
    assert sysfleet.__all__ == names
    assert all(getattr(sysfleet, name) for name in names)


def test_another_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Flet'"):
        sysfleet.Flet  # type: ignore[attr-defined] # noqa: B018


@pytest.mark.parametrize(
    ("words", "heavy"),
    [
        ("import sysfleet", ["sysfleet.fleet", "msgspec"]),
        ("import sysfleet.cli", ["nornir", "paramiko", "rich", "jinja2", "asyncssh", "yaml"]),
    ],
)
def test_starting_loads_nothing_heavy(words: str, heavy: list[str]) -> None:
    script = f"import sys\n{words}\nprint(*sorted(set({heavy!r}) & sys.modules.keys()))"
    top = Path(__file__).parents[2]
    done = subprocess.run([sys.executable, "-c", script], cwd=top, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""
