"""A setting's difference in words, short for the table and in cells for the detail. Judges nothing itself."""

from __future__ import annotations

from collections.abc import Iterator

from sysfleet.outcome import HostOutcome, SettingOutcome, Status
from sysfleet.planning.verdict import Verdict
from sysfleet.report.printable import printable
from sysfleet.sysctl.key import Key, with_interface
from sysfleet.sysctl.value import same

_AS_WANTED = frozenset({Verdict.OK, Verdict.REWRITTEN, Verdict.WAIVED})
_WRITTEN = frozenset({Verdict.CHANGE, Verdict.SHADOWED, Verdict.INEFFECTIVE, Verdict.RELEASED})
_VERDICTS = frozenset(verdict.value for verdict in Verdict)


def differences(row: HostOutcome) -> tuple[SettingOutcome, ...]:
    """The settings that make the row what it is; none of a row that is as wanted."""
    if row.status is Status.OK:
        return ()
    return tuple(setting for setting in row.settings if setting.verdict not in _AS_WANTED)


def places(setting: SettingOutcome) -> Iterator[tuple[str, str | None]]:
    """The concrete keys that differ with the value of each now; of a glob, its interfaces that are off."""
    if not setting.interfaces:
        yield setting.key, setting.running
    for name, value in setting.interfaces.items():
        yield with_interface(Key(setting.key), name), value


def is_written(setting: SettingOutcome, now: str | None) -> bool:
    """Whether an apply would write the kernel's value that is now this."""
    if setting.verdict not in _WRITTEN or setting.wanted is None or now is None:
        return False
    return not same(Key(setting.key), setting.wanted, now)


def wanted(setting: SettingOutcome) -> str:
    """What is asked for: a value, or a floor, ceiling or list in words."""
    if setting.constraint != "value" and setting.asked:
        return printable(setting.asked)
    return value(setting.wanted)


def running(setting: SettingOutcome, now: str | None) -> str:
    """The kernel's value now, or the word for why there is none."""
    return value(now) if now is not None else printable(setting.running_state)


def value(text: str | None) -> str:
    """A value as a cell: a dash where there is none, quotes where it is empty."""
    return "-" if text is None else printable(text) or '""'


def at_boot(setting: SettingOutcome) -> str:
    """The value that the next boot leaves, or why nobody knows."""
    if setting.at_boot is None and setting.at_boot_unknown:
        return printable(f"? {setting.at_boot_unknown}")
    return value(setting.at_boot)


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


def verdict(setting: SettingOutcome) -> str:
    """The verdict, with those that it hides."""
    return "+".join([setting.verdict.value, *(note for note in setting.notes if note in _VERDICTS)])


def remarks(setting: SettingOutcome) -> list[str]:
    """What the cells do not say."""
    said = [note for note in setting.notes if note not in _VERDICTS]
    # A plain change is explained by its values.
    why = setting.why if setting.verdict is not Verdict.CHANGE else None
    return [printable(text) for text in (why, *said) if text]


def reason(found: tuple[SettingOutcome, ...]) -> str:
    """The first difference in words, and how many more: `accept_redirects: wanted 0, running 1 (+3)`."""
    first = next(
        (setting for setting in found if any(is_written(setting, now) for _, now in places(setting))),
        found[0],
    )
    more = f" (+{len(found) - 1})" if len(found) > 1 else ""
    return f"{printable(first.key.rpartition('.')[2])}: {difference(first)}{more}"


def difference(setting: SettingOutcome) -> str:
    """What is different, without the key."""
    asked, boot = f"wanted {wanted(setting)}", f"at boot {at_boot(setting)}"
    now = next((now for _, now in places(setting) if is_written(setting, now)), None)
    match setting.verdict:
        case Verdict.CHANGE if now is not None:
            return f"{asked}, running {running(setting, now)}"
        case Verdict.CHANGE:
            return f"{asked}, {boot}"
        case Verdict.SHADOWED:
            return f"{asked}, {boot} by {winner(setting)}"
        case Verdict.RELEASED:
            return "no longer asked for"
        case _:
            return setting.verdict.value + (f", {printable(setting.why)}" if setting.why else "")
