"""A plan in a file: `plan --out` and `apply --plan`. Knows paths, and nothing of what a plan holds."""

from __future__ import annotations

from pathlib import Path

from sysfleet.errors import UsageError
from sysfleet.planning.saved import SavedPlan, from_json, to_json

_MOST_BYTES = 1 << 30


def check_folder(path: Path) -> None:
    """UsageError, before anything is contacted, where no file can be written there."""
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"{path} cannot be written: it is a folder, or has none to be in")


def write_plan(path: Path, plan: SavedPlan) -> None:
    """Write the plan, whole or not at all; UsageError where that cannot be."""
    beside = path.with_name(f"{path.name}.new")
    try:
        beside.write_bytes(to_json(plan))
        beside.replace(path)
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}") from error


def read_plan(path: Path) -> SavedPlan:
    """The plan that `write_plan` wrote; UsageError where it cannot be read."""
    try:
        if path.stat().st_size > _MOST_BYTES:
            raise UsageError(f"{path} is no plan: it is too large")
        return from_json(path.read_bytes(), str(path))
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from error
