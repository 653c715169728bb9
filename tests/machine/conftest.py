"""The fixture `machine`: a virtual machine that has just booted, on a disk that is the test's own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.machine import Machine, booted
from tests.support.machine_image import Image, image, missing_programs


@pytest.fixture(scope="session")
def machine_image() -> Image:
    """The image that all machines stand on; made where the cache has none."""
    missing = missing_programs()
    if missing:
        pytest.skip(f"a virtual machine needs {', '.join(missing)}")
    return image()


@pytest.fixture
def machine(machine_image: Image, tmp_path: Path) -> Iterator[Machine]:
    with booted(machine_image, tmp_path) as running:
        yield running
