"""What the package imports, what it declares and what the locks hold agree."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

_TOP = Path(__file__).parents[2]
_PROJECT: dict[str, Any] = tomllib.loads((_TOP / "pyproject.toml").read_text())
_EXTRAS: tuple[str, ...] = tuple(_PROJECT["project"]["optional-dependencies"])


def _locked(name: str) -> dict[str, str]:
    text = (_TOP / "requirements" / f"{name}.txt").read_text()
    return dict(re.findall(r"^([a-z0-9.-]+)==(\S+)", text, re.MULTILINE))


def _declared(*lists: list[Any]) -> list[Requirement]:
    return [Requirement(item) for items in lists for item in items if isinstance(item, str)]


def _runtime(*extras: str) -> list[Requirement]:
    """What the package declares, with these extras."""
    project = _PROJECT["project"]
    return _declared(project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras))


def _imported(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found.update(alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {"sysfleet"}


@pytest.mark.parametrize("folder", ["sysfleet", "tasks"])
def test_everything_that_is_imported_is_declared(folder: str) -> None:
    declared = {canonicalize_name(requirement.name) for requirement in _runtime(*_EXTRAS)}
    known = packages_distributions()
    origins = {name: {canonicalize_name(found) for found in known[name]} for name in _imported(_TOP / folder)}
    assert {name: found for name, found in origins.items() if not found & declared} == {}


@pytest.mark.parametrize("name", ["run", "dev"])
def test_a_lock_names_no_address(name: str) -> None:
    text = (_TOP / "requirements" / f"{name}.txt").read_text()
    assert "://" not in text
    assert "index" not in text
    assert text.count("==") <= text.count("--hash=sha256:")


def test_the_environment_for_tests_can_also_run_the_demo() -> None:
    assert _locked("run").items() <= _locked("dev").items()


def test_the_locks_satisfy_what_is_declared() -> None:
    groups = _declared(*_PROJECT["dependency-groups"].values())
    for name, wanted in [("run", _runtime("lab")), ("dev", _runtime(*_EXTRAS) + groups)]:
        locked = _locked(name)
        for requirement in wanted:
            assert requirement.specifier.contains(locked[canonicalize_name(requirement.name)]), requirement


def test_the_build_backend_is_in_both_locks() -> None:
    assert "hatchling" in _locked("run")
    assert "editables" in _locked("run")


def test_a_python_that_is_too_old_is_refused_with_what_to_do() -> None:
    done = subprocess.run(
        [_TOP / "scripts/find-python"],
        env={"PYTHON": "/bin/false"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "no Python 3.11 or newer found (tried: /bin/false)" in done.stderr
    assert "hint: " in done.stderr
