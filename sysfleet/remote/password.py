"""A password of a run: asked for once, and proven on one host before any other host is given it.

A wrong one locks an account on one host and not on the fleet. Knows no source and no host's way of asking.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from typing_extensions import override

TRIAL_S = 20.0
"""How long a first attempt may take: others wait for it, and have to get their turn within their own time."""


class PasswordRefused(Exception):
    """The password is known to be wrong: `where` refused it. Never holds the password."""

    def __init__(self, where: str) -> None:
        super().__init__(where)
        self.where = where


class PasswordOnTrial(TimeoutError):
    """Another host has not said yet whether the password is right: `where` has been given it."""

    def __init__(self, where: str) -> None:
        super().__init__(f"the password is being tried on {where}")
        self.where = where


class Password:
    """One password, shared by all hosts of a run that would be given the same one. Thread-safe.

    Who needs it calls `ask`, and afterwards exactly one of `worked`, `refused` and `undecided`.
    """

    def __init__(self, source: Callable[[], str | None]) -> None:
        """`source` is called at most once, and only when a host needs the password."""
        self._source = source
        self._changed = threading.Condition()
        self._asked = False
        self._text: str | None = None
        self._trying: str | None = None
        self._proven = False
        self._refused_by: str | None = None

    @override
    def __repr__(self) -> str:
        return "Password(…)"

    @property
    def proven(self) -> bool:
        """Whether a host has taken it: then `ask` answers at once."""
        return self._proven

    def ask(self, who: str, *, until: float) -> str | None:
        """The password for this host's attempt; None where the source has none.

        Waits while another host tries it for the first time, at most until `until` (time.monotonic), then raises
        PasswordOnTrial; raises PasswordRefused once a host has refused it before any took it.
        """
        with self._changed:
            while self._trying is not None and not self._proven and self._refused_by is None:
                left = until - time.monotonic()
                if left <= 0:
                    raise PasswordOnTrial(self._trying)
                self._changed.wait(left)
            if self._refused_by is not None:
                raise PasswordRefused(self._refused_by)
            if not self._asked:
                self._text = self._source()
                self._asked = True
            if self._text is not None and not self._proven:
                self._trying = who
            return self._text

    def worked(self, who: str) -> None:
        """A host took it: all may have it from now on, also after another refuses it."""
        with self._changed:
            self._proven = True
            self._done(who)

    def refused(self, who: str) -> None:
        """A host refused it; before any host took it, no other is given it."""
        with self._changed:
            if not self._proven:
                self._refused_by = who
            self._done(who)

    def undecided(self, who: str) -> None:
        """The attempt ended without a verdict: the next host is the first."""
        with self._changed:
            self._done(who)

    def _done(self, who: str) -> None:
        if self._trying == who:
            self._trying = None
        self._changed.notify_all()
