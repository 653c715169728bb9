"""The very programs that sysfleet would send to each host, for the floor that sends them bare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sysfleet.fleet import Fleet
from sysfleet.remote.programs.changing import change_program
from sysfleet.remote.programs.persisting import persist_program
from sysfleet.remote.programs.reading import ReadRequest, read_program
from sysfleet.tasks.job import Prepared

Rounds = Mapping[int, Sequence[Sequence[bytes]]]
_AMPLE_S = 600.0


def read_rounds(fleet: Fleet) -> Rounds:
    """One connection a host, one program: the reading of `check`."""
    return {_port(fleet, name): [[_reading(fleet, name)]] for name in fleet.project.inventory.hosts}


def change_rounds(fleet: Fleet) -> Rounds:
    """Two connections a host, as `apply` with changes uses them. Reads every host first, which is not measured."""
    prepared = fleet.prepared()
    return {_port(fleet, name): _change(fleet, name, found) for name, found in prepared.items()}


def _change(fleet: Fleet, name: str, prepared: Prepared) -> Sequence[Sequence[bytes]]:
    if prepared.change is None:
        raise SystemExit(f"{name} has nothing to change: the floor needs a fresh lab")
    end = prepared.uptime_s + _AMPLE_S
    change = change_program(replace(prepared.change, not_after_s=end))
    persist = persist_program(replace(prepared.persist, not_after_s=end))
    return [[_reading(fleet, name), change], [persist]]


def _reading(fleet: Fleet, name: str) -> bytes:
    return read_program(
        ReadRequest(patterns=fleet.project.rendering.patterns(name), our_file=fleet.project.settings.file.path)
    )


def _port(fleet: Fleet, name: str) -> int:
    return fleet.project.inventory.connection_of(name).port or 22
