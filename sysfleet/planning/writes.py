"""From the values that keys must have to the writes that bring them there, and what those writes can move."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sysfleet.host import Reading, Running, RunningState
from sysfleet.planning.records import Write
from sysfleet.planning.targets import is_foreign
from sysfleet.sysctl.effects import apply_write
from sysfleet.sysctl.key import Key, interface_of, matches
from sysfleet.sysctl.knowledge import moves
from sysfleet.sysctl.order import canonical_order
from sysfleet.sysctl.value import same

MAX_PASSES = 4  # of writing what still differs; a fifth would find the same keys moving again


def settling(live: Mapping[Key, str], reading: Reading) -> tuple[tuple[Key, str], ...]:
    """Every managed key with the text it must have, in the order of writing."""
    running = {key: text for key in live if (text := reading.text(key)) is not None}
    return tuple(canonical_order(list(live.items()), running))


def simulated(settle: Sequence[tuple[Key, str]], reading: Reading) -> tuple[tuple[Write, ...], list[str]]:
    """What has to be written, in order, with what the kernel moves meanwhile (kernel.md, section 3).

    And the settings that never come to rest, since each moves the other: a conflict of the policy.
    """
    if all(reading.text(key) == text for key, text in settle):
        return (), []
    values = {key: running.text for key, running in reading.values.items() if running.text is not None}
    writes: list[Write] = []
    for _ in range(MAX_PASSES):
        different = [(key, text) for key, text in settle if not _is(values, key, text)]
        if not different:
            return tuple(writes), []
        for key, text in different:
            writes.append(Write(key, text, values.get(key, "")))
            apply_write(values, key, text)
    return tuple(writes), [f"{key} = {text}" for key, text in settle if not _is(values, key, text)]


def _is(values: Mapping[Key, str], key: Key, text: str) -> bool:
    running = values.get(key)
    return running is not None and (running == text or same(key, text, running))


def movable(
    settle: Sequence[tuple[Key, str]], writes: Sequence[Write], reading: Reading, foreign: tuple[str, ...]
) -> tuple[tuple[Key, Running], ...]:
    """Every value the writes can move: what the plan relies on, and what is put back."""
    if not writes:
        return ()
    ours = {key for key, _ in settle}
    moved = {pattern for write in writes for pattern in moves(write.key)}
    kept = {
        key: running
        for key, running in reading.values.items()
        if running.state in (RunningState.VALUE, RunningState.UNSET)
        and (key in ours or any(matches(pattern, key) for pattern in moved))
        and (key in ours or not is_foreign(interface_of(key), foreign))
    }
    texts = {key: running.text or "" for key, running in kept.items()}
    return tuple((key, kept[key]) for key, _ in canonical_order(list(texts.items()), texts))
