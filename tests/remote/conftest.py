"""Fixtures of the remote tests: a box, and each shell to run programs under."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.remote.boxes import Box, Shell, box, shells
from tests.support.needs import needs


@pytest.fixture
def host(tmp_path: Path) -> Iterator[Box]:
    with box(tmp_path / "box") as one:
        yield one


@pytest.fixture(params=["dash", "bash", "busybox"])
def shell(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Shell:
    needs(request.param)
    return shells(tmp_path_factory.mktemp("shells"))[request.param]
