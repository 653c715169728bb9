"""Rows to show, made by hand."""

from __future__ import annotations

from typing import Any

from sysfleet.outcome import (
    ErrorRecord,
    FileOutcome,
    HostOutcome,
    OriginRecord,
    SettingOutcome,
    Status,
    WinnerRecord,
)
from sysfleet.planning.verdict import Verdict

PATH = "/etc/sysctl.d/99-zz-sysfleet.conf"
ORIGIN = OriginRecord("role", "templates/web.conf.j2", 12, name="web")
RIVAL = WinnerRecord("/etc/sysctl.d/99-local.conf", 3)


def setting(key: str, verdict: Verdict = Verdict.CHANGE, **fields: Any) -> SettingOutcome:
    """A key that is wanted 0 and is 1, now and at boot."""
    known: dict[str, Any] = {
        "wanted": "0",
        "running": "1",
        "at_boot": "1",
        "at_boot_unknown": None,
        "origin": ORIGIN,
        "boot_winner": RIVAL,
    }
    return SettingOutcome(key=key, verdict=verdict, **{**known, **fields})


def drifted(host: str, *settings: SettingOutcome, diff: str = "", **fields: Any) -> HostOutcome:
    """A row with these differences."""
    return HostOutcome(
        host,
        ("web",),
        Status.DRIFTED,
        elapsed_s=0.1,
        changes=len(settings),
        loader="systemd",
        file=FileOutcome(PATH, diff),
        settings=settings,
        **fields,
    )


def ok(host: str, **fields: Any) -> HostOutcome:
    """A row that is as wanted."""
    return HostOutcome(host, ("web",), Status.OK, elapsed_s=0.05, loader="procps", **fields)


def unreachable(host: str, message: str = "connection refused", hint: str | None = None) -> HostOutcome:
    """A row of a host that nobody could ask."""
    return HostOutcome(host, ("db",), Status.UNREACHABLE, 10.0, ErrorRecord("Unreachable", "connect", message, hint))
