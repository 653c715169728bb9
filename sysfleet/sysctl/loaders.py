"""What a boot leaves: for every key that files set, the value and the line that wins, by the host's loader.

Runs a loader's writes against the kernel's side effects; refuses to know whether the loader is enabled and
what writes later.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sysfleet.sysctl import effects
from sysfleet.sysctl.boot import BootProblem, BootSetting, Step, Steps
from sysfleet.sysctl.key import Key, compiled, interface_of, key_path
from sysfleet.sysctl.sources import SourceFile, knows_globs, load_order
from sysfleet.sysctl.steps import steps_of
from sysfleet.sysctl.value import refused
from sysfleet.sysctl.versions import Habits, Loader, habits_of

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


@dataclass(frozen=True, slots=True)
class Boot:
    """What a boot does: the winner of every key set or moved, the writes in order, and the lines that fail.

    `winners` hold the value left, as the kernel keeps it; `writes` the text as it is written. `uncertain` are
    the keys that this version of the program may leave otherwise as well, and `known_from` says what its model
    was held against.
    """

    winners: Mapping[Key, BootSetting]
    writes: tuple[BootSetting, ...]
    problems: tuple[BootProblem, ...]
    uncertain: frozenset[Key] = frozenset()
    known_from: str = ""


def predict(
    loader: Loader,
    files: Sequence[SourceFile],
    existing: Iterable[Key],
    start: Mapping[Key, str] | None = None,
    version: str = "",
) -> Boot:
    """What this version of the loader leaves at the next boot of a host with these files.

    Globs are expanded over `existing`; a literal line counts also for keys outside it. `start` are values
    known before the loader runs; without it a boot's own start (forwarding off). A key that a side effect
    moves is won by the line that moved it. Without a version the newest counts that was compared.
    """
    held = steps_of(loader, tuple(files), version)
    habits = habits_of(loader, version)
    keys = tuple(dict.fromkeys(existing))
    values = {**dict.fromkeys(keys, ""), **_BOOT_START, **(start or {})}
    winners, writes = _run(loader, held, keys, dict(values), habits)
    uncertain: frozenset[Key] = frozenset()
    if held.otherwise is not None:
        others, _ = _run(loader, held.otherwise, keys, values, habits)
        uncertain = frozenset(key for key in winners | others if _left(winners, key) != _left(others, key))
    return Boot(winners, tuple(writes), held.problems, uncertain, habits.known_from)


def _left(winners: Mapping[Key, BootSetting], key: Key) -> str | None:
    return winners[key].value if key in winners else None


def _run(
    loader: Loader, held: Steps, keys: Sequence[Key], values: dict[Key, str], habits: Habits
) -> tuple[dict[Key, BootSetting], list[BootSetting]]:
    winners: dict[Key, BootSetting] = {}
    writes: list[BootSetting] = []
    for write, left in _writes(loader, held, keys):
        key = write.key
        if habits.skips_equal and values.get(key) == write.value:
            # Equal text is left alone, so nothing is moved along either.
            winners[key] = write
            continue
        writes.append(write)
        if left is not None:
            values[key] = left.value
            winners[key] = left
            continue
        for moved, value in effects.changes(values, key, write.value).items():
            values[moved] = value
            winners[moved] = BootSetting(moved, value, write.file, write.line)
    return winners, writes


_Write = tuple[BootSetting, BootSetting | None]  # what is written, and what it leaves where that is plain


def _writes(loader: Loader, held: Steps, existing: Sequence[Key]) -> Iterator[_Write]:
    if loader in (Loader.ALPINE, Loader.OPENRC):
        yield from _busybox_writes(held.steps, existing, stops=loader is Loader.ALPINE)
        return
    expanded: dict[Key, list[Key]] = {}
    tails: dict[str, list[Key]] = {}
    for step in held.steps:
        if step.fails:
            if step.half is not None:
                yield step.half, None
            continue
        if not step.is_glob:
            yield step.write, step.left if step.plain else None
            continue
        tails = tails or _by_tail(existing)
        pattern = step.write.key
        if pattern not in expanded:
            expanded[pattern] = _expanded(pattern, existing, tails)
        for key in expanded[pattern]:
            if step.over_explicit or not _is_spared(held, key):
                yield from _one_of_glob(step, key)


def _is_spared(held: Steps, key: Key) -> bool:
    return key in held.explicit or any(spared.match(key_path(key)) for spared in held.spared)


def _one_of_glob(step: Step, key: Key) -> Iterator[_Write]:
    write = step.write
    if step.plain:
        yield (
            BootSetting(key, write.value, write.file, write.line),
            BootSetting(key, step.left.value, write.file, write.line),
        )
    elif not refused(key, write.value):
        yield BootSetting(key, write.value, write.file, write.line), None


def _busybox_writes(steps: Iterable[Step], existing: Sequence[Key], *, stops: bool) -> Iterator[_Write]:
    stopped = ""
    for step in steps:
        write = step.write
        if write.file == stopped:
            continue
        if step.fails:
            if step.half is not None:
                yield step.half, None
            continue
        key = _busybox_key(write.key, existing)
        if key == write.key:
            yield write, step.left if step.plain else None
        elif not refused(key, write.value):
            yield BootSetting(key, write.value, write.file, write.line), None
        elif stops:
            stopped = write.file


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
