"""From patterns to keys: which keys of this host the policy manages, and the value that each should have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import lru_cache

from sysfleet.host import Reading
from sysfleet.policy.constraint import Constraint, Kind, meets
from sysfleet.policy.implied import implied
from sysfleet.policy.rule import Policy, Wanted
from sysfleet.sysctl.key import Key, interface_of, is_glob, matches, with_interface
from sysfleet.sysctl.order import place

_EVERY_INTERFACE = ("all", "default")


@dataclass(frozen=True, slots=True)
class Choice:
    """The value to run with, and the value for our file: None where another file already sees to it."""

    live: str | None
    line: str | None


def managed(policy: Policy, reading: Reading, foreign: tuple[str, ...]) -> dict[Key, Wanted]:
    """The keys that the policy manages on this host, in the order of writing.

    An explicit key beats every glob; of two globs the later line of our file wins (sysctl.d(5)). Interfaces made
    by others (`foreign` globs) are left alone unless named outright. A value of `all` that leaves it to the
    interfaces is wanted on each of them as well.
    """
    found: dict[Key, Wanted] = {}
    by_glob: dict[Key, Wanted] = {}
    ours = [name for name in reading.facts.interfaces if not is_foreign(name, foreign)]
    for wanted in policy.wanted:
        if wanted.constraint.kind is Kind.ABSENT:
            continue
        if is_glob(wanted.pattern):
            by_glob.update((key, wanted) for key in _expanded(wanted.pattern, reading, ours))
        else:
            found[wanted.pattern] = wanted
    for key, wanted in by_glob.items():
        found.setdefault(key, wanted)
    real = [name for name in ours if name != "lo"]
    for wanted in implied(policy.wanted, real):
        if interface_of(wanted.pattern) in real and wanted.pattern in reading.values:
            found.setdefault(wanted.pattern, wanted)
    return {key: found[key] for key in sorted(found, key=place)}


@lru_cache(maxsize=1 << 14)
def is_foreign(interface: str | None, foreign: tuple[str, ...]) -> bool:
    """Whether an interface was made by somebody else, by the list of globs for such names."""
    return interface is not None and any(fnmatchcase(interface, glob) for glob in foreign)


def _expanded(pattern: Key, reading: Reading, interfaces: Iterable[str]) -> Iterable[Key]:
    name = interface_of(pattern)
    if name is None:
        return [key for key in reading.values if matches(pattern, key)]
    if is_glob(with_interface(pattern, "all")):
        return [
            key
            for key in reading.values
            if matches(pattern, key) and interface_of(key) in (*interfaces, *_EVERY_INTERFACE)
        ]
    names = [each for each in (*interfaces, *_EVERY_INTERFACE) if fnmatchcase(each, name)]
    return [key for each in names if (key := with_interface(pattern, each)) in reading.values]


def choose(constraint: Constraint, key: Key, running: str | None, own: str | None, others: str | None) -> Choice:
    """The value that satisfies a constraint with the least change.

    `own` is what our file on the host says, `others` what the host's other files leave at boot without ours.
    """
    match constraint.kind:
        case Kind.VALUE:
            return Choice(constraint.operands[0], constraint.operands[0])
        case Kind.ONE_OF:
            listed = [text for text in (own, running) if text is not None and meets(constraint, key, text)]
            line = listed[0] if listed else constraint.operands[0]
            return Choice(_kept(constraint, key, running) or line, line)
        case Kind.AT_LEAST | Kind.AT_MOST:
            return _bounded(constraint, key, running, own, others)
        case Kind.ABSENT:
            return Choice(None, None)


def _kept(constraint: Constraint, key: Key, running: str | None) -> str | None:
    return running if running is not None and meets(constraint, key, running) else None


def _bounded(constraint: Constraint, key: Key, running: str | None, own: str | None, others: str | None) -> Choice:
    if others is not None and meets(constraint, key, others):
        return Choice(_kept(constraint, key, running) or others, None)
    kept = [text for text in (own, running) if text is not None and meets(constraint, key, text)]
    line = kept[0] if kept else constraint.operands[0]
    return Choice(_kept(constraint, key, running) or line, line)


def chosen_lines(
    policy: Policy, reading: Reading, own: Mapping[Key, str], others: Callable[[Key], str | None]
) -> list[tuple[Wanted, Choice]]:
    """One choice for every pattern of the policy, in the order of writing."""
    chosen = []
    for wanted in policy.wanted:
        running = None if is_glob(wanted.pattern) else reading.text(wanted.pattern)
        rival = None if wanted.constraint.kind is Kind.VALUE else others(wanted.pattern)
        chosen.append((wanted, choose(wanted.constraint, wanted.pattern, running, own.get(wanted.pattern), rival)))
    return chosen
