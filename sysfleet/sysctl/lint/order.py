"""What is wrong between lines: duplicates, and later lines that undo earlier ones (kernel.md 3, 6.1, 6.2)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from sysfleet.sysctl import effects
from sysfleet.sysctl.document import Exclusion
from sysfleet.sysctl.key import Key, compiled, interface_of, is_glob, matches, with_interface
from sysfleet.sysctl.knowledge import lookup, moves, moves_key
from sysfleet.sysctl.lint.finding import Finding, Placed, at_key, at_value
from sysfleet.sysctl.order import LIMITS
from sysfleet.sysctl.value import as_int, same


def duplicates(settings: Sequence[Placed]) -> Iterator[Finding]:
    """Keys that are set twice; the first line is the one that stays."""
    first: dict[Key, Placed] = {}
    for placed in settings:
        before = first.setdefault(placed.key, placed)
        if before is placed:
            continue
        if same(placed.key, before.value, placed.value):
            yield at_key("duplicate", placed, f"{placed.key} is set already, in {before.place}", "take one out")
        else:
            said = f"{placed.key} is {before.value} in {before.place}, and {placed.value} here"
            yield at_key("duplicate", placed, said, "keep one: on the way to the last value the first one holds")


def same_variables(settings: Sequence[Placed]) -> Iterator[Finding]:
    """Aliases of one variable with different values."""
    last = {placed.key: placed for placed in settings}
    for one in last.values():
        for alias in _aliases(one.key):
            other = last.get(alias)
            if other is None or same(one.key, one.value, other.value):
                continue
            before, after = sorted((one, other), key=settings.index)
            said = f"{after.key} is another name of {before.key}, which is {before.value} in {before.place}"
            yield at_key("same-variable", after, said, "set one of the two")


def _aliases(key: Key) -> tuple[Key, ...]:
    known = lookup(key)
    if known is None:
        return ()
    name = interface_of(key)
    return tuple(with_interface(alias, name) if name else alias for alias in known.aliases)


def undone(settings: Sequence[Placed]) -> Iterator[Finding]:
    """Settings that a later line moves away from what they say, on a host where that line changes anything."""
    for at, mover in enumerate(settings):
        if is_glob(mover.key) or not moves(mover.key):
            continue
        for earlier in settings[:at]:
            left = _left_by(mover, earlier)
            if left is None or any(_settles(later, earlier) for later in settings[at + 1 :]):
                continue
            said = f"{mover.place} ({mover.key} = {mover.value}) comes later and sets {earlier.key} to {left}"
            if moves_key(earlier.key, mover.key):
                yield at_key("order", earlier, said, "keep one of the two: each takes the other's place")
            else:
                hint = f"put it after {mover.place}; a second line does not help: systemd keeps the first place"
                yield at_key("order", earlier, f"{said} wherever it changes anything", hint)
    yield from _limits(settings)


def _left_by(mover: Placed, victim: Placed) -> str | None:
    """What the later write leaves of an earlier setting, where that is another value."""
    key = victim.key
    if key == mover.key or key in _aliases(mover.key) or mover.key in _aliases(key):
        return None
    target = with_interface(key, "eth0") if is_glob(key) and matches(key, with_interface(key, "eth0")) else key
    if is_glob(target) or not moves_key(mover.key, target):
        return None
    # On a host where the mover held something else before, and the victim has just been written.
    values: Mapping[Key, str] = {mover.key: _other(mover.value), target: victim.value}
    left = effects.changes(values, mover.key, mover.value).get(target)
    return left if left is not None and not same(target, victim.value, left) else None


def _other(value: str) -> str:
    return "0" if as_int(value) else "1"


def _settles(later: Placed, earlier: Placed) -> bool:
    """Whether a line after the mover sets the key again, to another text: only then systemd moves it back."""
    if not same(earlier.key, later.value, earlier.value) or isinstance(later.line, Exclusion):
        return False
    return later.key != earlier.key and compiled(later.key).fullmatch(earlier.key) is not None


def _limits(settings: Sequence[Placed]) -> Iterator[Finding]:
    """A lower limit above its upper one is refused at every step."""
    last = {placed.key: placed for placed in settings}
    for upper, lower in LIMITS:
        high, low = last.get(upper), last.get(lower)
        if high is None or low is None:
            continue
        most, least = (as_int((one.value.split() or [""])[0]) for one in (high, low))
        if most is not None and least is not None and most < least:
            said = f"{lower} = {least} is above {upper} = {most} ({high.place}): the kernel refuses the second of them"
            yield at_value("order", low, said)


def unreachable_by_glob(settings: Sequence[Placed]) -> Iterator[Finding]:
    """Globs that do not reach a key with a line of its own, wherever that stands."""
    for placed in settings:
        if not is_glob(placed.key) or isinstance(placed.line, Exclusion):
            continue
        for other in settings:
            if is_glob(other.key) or not matches(placed.key, other.key) or same(other.key, other.value, placed.value):
                continue
            # A line for all or default beside a glob for interfaces is the usual way to write them.
            if interface_of(other.key) not in ("all", "default"):
                said = f"{other.place} sets {other.key} to {other.value}, which no glob changes, before or after it"
                yield at_key("explicit-beats-glob", placed, said)
