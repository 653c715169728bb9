"""One lab of each kind with namespaces, with a host of each fault; every host has two files of its own to be read."""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest

from sysfleet.lab import HostSpec, Lab, faulty_hosts
from sysfleet.lab.faults.names import NEEDS_BUSYBOX
from sysfleet.lab.loaders import busybox
from tests.support.lab import one_lab_a_kind


def _specs() -> list[HostSpec]:
    possible = [spec for spec in faulty_hosts() if busybox() is not None or NEEDS_BUSYBOX.isdisjoint(spec.faults)]
    return [replace(spec, drop_ins=2) for spec in possible]


@pytest.fixture(scope="session")
def faulty_labs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Lab]]:
    with one_lab_a_kind(tmp_path_factory.mktemp("faulty"), _specs()) as lab_of:
        yield lab_of


@pytest.fixture(params=["openssh", "asyncssh"])
def faulty(request: pytest.FixtureRequest, faulty_labs: Callable[[str], Lab]) -> Lab:
    """The lab of all faults: each host is called as its fault, with dashes."""
    return faulty_labs(request.param)
