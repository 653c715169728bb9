"""What a run tells while it runs: the protocol that `fleet` calls and `cli` fills.

Knows nothing of terminals, files or formats.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from sysfleet.outcome import HostOutcome


class Reporter(Protocol):
    """Hears of a run's events, `phase` and `row` from several threads at once; never raises, never waits."""

    def begin(self, run: str, command: str, hosts: Sequence[str]) -> None:
        """The run of this id begins over these hosts."""

    def phase(self, host: str, phase: str) -> None:
        """The host has entered this phase (`connect`, `read`, `change` …)."""

    def row(self, outcome: HostOutcome) -> None:
        """The host is done; called once for every selected host."""

    def note(self, text: str) -> None:
        """Something that concerns the run as a whole, worth a line of its own."""

    def end(self) -> None:
        """No further event comes; called exactly once after `begin`, whatever happened."""


class Silent:
    """A reporter that tells nothing."""

    def begin(self, run: str, command: str, hosts: Sequence[str]) -> None:
        """Nothing."""

    def phase(self, host: str, phase: str) -> None:
        """Nothing."""

    def row(self, outcome: HostOutcome) -> None:
        """Nothing."""

    def note(self, text: str) -> None:
        """Nothing."""

    def end(self) -> None:
        """Nothing."""
