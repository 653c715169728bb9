"""A setting's difference in words, short for the table and in cells for the detail. Judges nothing itself."""

from __future__ import annotations

from sysfleet.outcome import HostOutcome, SettingOutcome, Status
from sysfleet.planning.verdict import Verdict
from sysfleet.report.printable import printable

_AS_WANTED = frozenset({Verdict.OK, Verdict.REWRITTEN, Verdict.WAIVED})
_SIGNS = {"at_least": ">= ", "at_most": "<= "}
_ABSENT = {"absent": "absent", "unreadable": "unreadable", "unset": "unset"}


def differs(setting: SettingOutcome) -> bool:
    """Whether the setting is worth a line: its verdict is no plain one, or nobody knows its value at boot."""
    return setting.verdict not in _AS_WANTED or setting.at_boot_unknown is not None


def differences(row: HostOutcome) -> tuple[SettingOutcome, ...]:
    """The settings that make the row what it is; none of a row that is as wanted."""
    if row.status is Status.OK:
        return ()
    return tuple(setting for setting in row.settings if differs(setting))


def wanted(setting: SettingOutcome) -> str:
    """What is asked for, with the sign of a floor or ceiling."""
    if setting.wanted is None:
        return "-"
    return printable(_SIGNS.get(setting.constraint, "") + setting.wanted)


def running(setting: SettingOutcome) -> str:
    """The kernel's value now, or the word for why there is none."""
    if setting.running is None:
        return _ABSENT.get(setting.running_state, "-")
    return printable(setting.running) or '""'


def at_boot(setting: SettingOutcome) -> str:
    """The value that the next boot leaves, or why nobody knows."""
    if setting.at_boot is None:
        return printable(f"? {setting.at_boot_unknown}") if setting.at_boot_unknown else "-"
    return printable(setting.at_boot) or '""'


def winner(setting: SettingOutcome) -> str:
    """The line on the host that decides at boot."""
    found = setting.boot_winner
    return printable(f"{found.file}:{found.line}") if found else "-"


def origin(setting: SettingOutcome) -> str:
    """Where the wanted value comes from, and in which layer."""
    found = setting.origin
    if found is None:
        return "-"
    layer = f"{found.layer} {found.name}" if found.name else found.layer
    return printable(f"{found.file}:{found.line} ({layer})")


def wanted_value(setting: SettingOutcome) -> str:
    """The value that is asked for, as it would be written."""
    return "-" if setting.wanted is None else printable(setting.wanted)


def is_written(setting: SettingOutcome) -> bool:
    """Whether an apply would write the running value."""
    return (
        setting.verdict in {Verdict.CHANGE, Verdict.SHADOWED, Verdict.RELEASED}
        and setting.wanted is not None
        and setting.running != setting.wanted
    )


def reason(setting: SettingOutcome) -> str:
    """The difference in a few words: `accept_redirects: wanted 0, running 1`."""
    return f"{printable(setting.key.rpartition('.')[2])}: {difference(setting)}"


def difference(setting: SettingOutcome) -> str:
    """What is different, without the key."""
    now, boot = f"running {running(setting)}", f"at boot {at_boot(setting)}"
    match setting.verdict:
        case Verdict.CHANGE if setting.running != setting.wanted:
            return f"wanted {wanted(setting)}, {now}"
        case Verdict.CHANGE | Verdict.OK | Verdict.REWRITTEN | Verdict.WAIVED:
            return f"wanted {wanted(setting)}, {boot}"
        case Verdict.SHADOWED:
            return f"wanted {wanted(setting)}, {boot} by {winner(setting)}"
        case Verdict.RELEASED:
            return "no longer asked for"
        case _:
            return setting.verdict.value + (f", {printable(setting.why)}" if setting.why else "")
