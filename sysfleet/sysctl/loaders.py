"""What a boot leaves: for every key that files set, the value and the line that wins, by the host's loader.

Runs a loader's writes against the kernel's side effects; refuses to know whether the loader is enabled and
what writes later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import msgspec

from sysfleet.sysctl import effects
from sysfleet.sysctl.key import Key, compiled, interface_of, key_path
from sysfleet.sysctl.sources import Loader, SourceFile, knows_globs, load_order
from sysfleet.sysctl.steps import BootProblem, Step, steps_of

__all__ = [
    "Boot",
    "BootProblem",
    "BootSetting",
    "Loader",
    "SourceFile",
    "knows_globs",
    "load_order",
    "predict",
]

# A kernel starts with all forwarding off; what else a boot starts from is not known without being told.
_BOOT_START: Mapping[Key, str] = {
    effects.IP_FORWARD: "0",
    effects.ALL_FORWARDING: "0",
    Key("net.ipv6.conf.all.forwarding"): "0",
}


class BootSetting(msgspec.Struct, frozen=True, gc=False):
    """One value and the line (file, number) it comes from."""

    key: Key
    value: str
    file: str
    line: int


@dataclass(frozen=True, slots=True)
class Boot:
    """What a boot does: the winner of every key set or moved, the writes in order, and the lines that fail.

    `winners` hold the value left, as the kernel keeps it; `writes` the text as it is written.
    """

    winners: Mapping[Key, BootSetting]
    writes: tuple[BootSetting, ...]
    problems: tuple[BootProblem, ...]


def predict(
    loader: Loader,
    files: Sequence[SourceFile],
    existing: Iterable[Key],
    start: Mapping[Key, str] | None = None,
) -> Boot:
    """What this loader leaves at the next boot of a host with these files.

    Globs are expanded over `existing`; a literal line counts also for keys outside it. `start` are values
    known before the loader runs; without it a boot's own start (forwarding off). A key that a side effect
    moves is won by the line that moved it.
    """
    held = steps_of(loader, tuple(files))
    values: dict[Key, str] = dict.fromkeys(existing, "")
    keys = tuple(values)
    values.update(_BOOT_START)
    if start:
        values.update(start)
    skips_equal = loader is Loader.SYSTEMD
    winners: dict[Key, BootSetting] = {}
    writes: list[BootSetting] = []
    for key, step in _writes(loader, held.steps, held.explicit, keys):
        if skips_equal and values.get(key) == step.value:
            # systemd from 250 leaves equal text alone, so nothing is moved along either.
            winners[key] = BootSetting(key, step.value, step.file, step.line)
            continue
        writes.append(BootSetting(key, step.value, step.file, step.line))
        for moved, value in effects.changes(values, key, step.value).items():
            values[moved] = value
            winners[moved] = BootSetting(moved, value, step.file, step.line)
    return Boot(winners, tuple(writes), held.problems)


def _writes(
    loader: Loader, steps: Iterable[Step], explicit: frozenset[Key], existing: Sequence[Key]
) -> Iterator[tuple[Key, Step]]:
    tails: dict[str, list[Key]] | None = None
    for step in steps:
        if step.fails:
            continue
        if not step.is_glob:
            yield (_busybox_key(step.pattern, existing) if loader in _BUSYBOX else step.pattern), step
            continue
        if tails is None:
            tails = _by_tail(existing)
        for key in _expanded(step.pattern, existing, tails):
            if key not in explicit:
                yield key, step


_BUSYBOX = (Loader.ALPINE, Loader.OPENRC)


def _by_tail(existing: Iterable[Key]) -> dict[str, list[Key]]:
    tails: dict[str, list[Key]] = {}
    for key in existing:
        tails.setdefault(key[key.rfind(".") :], []).append(key)
    return tails


def _expanded(pattern: Key, existing: Sequence[Key], tails: Mapping[str, list[Key]]) -> list[Key]:
    tail = pattern[pattern.rfind(".") :]
    among: Sequence[Key] = existing if any(mark in tail for mark in "*?[]") else tails.get(tail, ())
    fits = compiled(pattern).fullmatch
    return sorted([key for key in among if fits(key)], key=key_path)


def _busybox_key(key: Key, existing: Sequence[Key]) -> Key:
    """BusyBox finds `net.ipv4.conf.eth0.100.x` too: it turns as few dots into slashes as lead to a file."""
    if key.count(".") < 5 or interface_of(key) is None:
        return key
    parts = key.split(".")
    spelled = Key(".".join([*parts[:3], "/".join(parts[3:-1]), parts[-1]]))
    return spelled if spelled in existing else key
