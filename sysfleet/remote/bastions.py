"""The bastions of a run: each is connected to once, by whoever needs it first, and serves every host behind it.

Knows who waits for whom and what failed; how a bastion is connected to is handed in, and no SSH library is seen here.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from sysfleet.errors import ConnectionLost, ConnectTimeout, HostError, HostKeyRejected, LoginRejected
from sysfleet.remote.target import Hop


class Held(Protocol):
    """A connection to a bastion, of whatever kind."""

    @property
    def alive(self) -> bool:
        """Whether hosts can still be gone to through it."""

    def close(self) -> None:
        """End it, from any thread."""


_Bastion = TypeVar("_Bastion", bound=Held)

# A bastion that failed is tried once more, by a host that comes later; then the run does without it.
_TRIES = 2


@dataclass(eq=False, slots=True)
class _Attempt(Generic[_Bastion]):
    """One login to a bastion, which others wait for."""

    done: threading.Event = field(default_factory=threading.Event)
    bastion: _Bastion | None = None
    error: HostError | None = None


@dataclass(eq=False, slots=True)
class _Place(Generic[_Bastion]):
    """What is known of one bastion."""

    bastion: _Bastion | None = None
    attempt: _Attempt[_Bastion] | None = None
    failures: int = 0
    final: HostError | None = None


class Bastions(Generic[_Bastion]):
    """A pool of connections by the way to them. Thread-safe; `close` ends them all."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._places: dict[tuple[object, ...], _Place[_Bastion]] = {}
        self._closed = threading.Event()
        self._notes: list[str] = []

    @property
    def notes(self) -> tuple[str, ...]:
        """What the run should say of its bastions, once each."""
        with self._lock:
            return tuple(self._notes)

    def note(self, text: str) -> None:
        """Keep a note for the run's report; the same words are kept once."""
        with self._lock:
            if text not in self._notes:
                self._notes.append(text)

    def pause(self, seconds: float) -> None:
        """Wait, or raise ConnectionLost at once when the run ends."""
        if self._closed.wait(max(0.0, seconds)):
            raise ConnectionLost("the run has ended", phase="connect")

    def get(self, chain: tuple[Hop, ...], connect: Callable[[], _Bastion], *, until: float) -> _Bastion:
        """The connection to the last hop of a chain; `connect` makes it where there is none.

        Of many who ask at once, one connects and the others wait for it by `until` (time.monotonic); a failure is
        everybody's, and names the bastion.
        """
        hop = chain[-1]
        with self._lock:
            if self._closed.is_set():
                raise ConnectionLost("the run has ended", phase="connect")
            place = self._places.setdefault(tuple(map(_key, chain)), _Place())
            if place.bastion is not None and place.bastion.alive:
                return place.bastion
            if place.final is not None:
                raise named(place.final, hop)
            attempt, leads = place.attempt, place.attempt is None
            if attempt is None:
                attempt = place.attempt = _Attempt()
        if leads:
            self._connect(place, attempt, connect)
        elif not attempt.done.wait(max(0.0, until - time.monotonic())):
            raise ConnectTimeout(f"bastion {hop.name}: not connected to in time", phase="connect")
        if attempt.bastion is None:
            raise named(attempt.error or ConnectionLost("not connected to", phase="connect"), hop)
        return attempt.bastion

    def _connect(self, place: _Place[_Bastion], attempt: _Attempt[_Bastion], connect: Callable[[], _Bastion]) -> None:
        try:
            attempt.bastion = connect()
        except HostError as error:
            attempt.error = error
        finally:
            with self._lock:
                place.attempt, place.bastion = None, attempt.bastion
                place.failures = 0 if attempt.bastion is not None else place.failures + 1
                if place.failures >= _TRIES or isinstance(attempt.error, HostKeyRejected | LoginRejected):
                    place.final = attempt.error
                too_late = self._closed.is_set()
            if too_late and attempt.bastion is not None:
                attempt.bastion.close()
            attempt.done.set()

    def disconnect(self) -> None:
        """End every connection, from any thread; who asks later is connected anew."""
        with self._lock:
            places = list(self._places.values())
        for place in reversed(places):  # a bastion behind a bastion came after it
            if place.bastion is not None:
                place.bastion.close()

    def close(self) -> None:
        """End every connection, from any thread, and take no more."""
        self._closed.set()
        self.disconnect()


def named(error: HostError, hop: Hop) -> HostError:
    """The error as hosts behind the bastion have it: a new one for each, that begins with the bastion's name."""
    return type(error)(
        f"bastion {hop.name}: {error.message}", phase="connect", hint=error.hint, evidence=error.evidence
    )


def _key(hop: Hop) -> tuple[object, ...]:
    return (hop.name, hop.address, hop.port, hop.user, hop.known_as, hop.proxy_command, id(hop.identities))
