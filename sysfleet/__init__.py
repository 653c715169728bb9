"""Hardens kernel parameters on many Linux hosts over SSH, without an agent.

Loads nothing before it is asked for, so that starting is cheap.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sysfleet.errors import FleetError
    from sysfleet.fleet import Fleet
    from sysfleet.outcome import FleetReport, HostOutcome, Status

__version__ = "0.1.0"

__all__ = ["Fleet", "FleetError", "FleetReport", "HostOutcome", "Status", "__version__"]

_HOMES = {
    "Fleet": "sysfleet.fleet",
    "FleetError": "sysfleet.errors",
    "FleetReport": "sysfleet.outcome",
    "HostOutcome": "sysfleet.outcome",
    "Status": "sysfleet.outcome",
}

# Hidden from type checkers, for which any name would exist.
if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        return getattr(import_module(_HOMES[name]), name)
