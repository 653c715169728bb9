"""The plan for one host: what differs, what would be written in which order, and what forbids it.

Law: a plan is a function of policy and reading alone, and planning again on `predicted(reading, plan)` gives a
plan that writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from sysfleet.host import Reading, RunningState
from sysfleet.planning.boots import Boots
from sysfleet.planning.content import as_mapping, own_content, rendered, same_settings, settings_of
from sysfleet.planning.judgement import Judge
from sysfleet.planning.missing import Absence, Treatment, absence, counted
from sysfleet.planning.records import FilePlan, Options, Plan
from sysfleet.planning.refusals import disagreements, owned, place_closed, place_taken, risks, stopped
from sysfleet.planning.scope import read_patterns
from sysfleet.planning.targets import choose, chosen_lines, managed
from sysfleet.planning.writes import movable, settling, simulated
from sysfleet.policy.constraint import Kind
from sysfleet.policy.rule import Policy, Wanted
from sysfleet.sysctl.key import Key, is_glob, matches
from sysfleet.sysctl.loaders import Boot, knows_globs
from sysfleet.sysctl.value import canonical, same


@dataclass(slots=True)
class _Draft:
    """What the steps of planning hand on to each other; `own` is what our file on the host sets now."""

    policy: Policy
    reading: Reading
    boots: Boots
    own: Mapping[Key, str]
    targets: Mapping[Key, Wanted]
    conflicts: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)


def make_plan(policy: Policy, reading: Reading, options: Options) -> Plan:
    """Compare what is wanted with what is running and with what the host's loader will leave at boot."""
    own = next((file for file in reading.files if file.path == options.path), None)
    before = own_content(reading, options.path)
    draft = _Draft(
        policy,
        reading,
        Boots(reading, options.path),
        as_mapping(settings_of(before)),
        managed(policy, reading, options.foreign),
        disagreements(policy.clashes),
        place_taken(own),
    )
    lines, missing = _lines(draft, options)
    after = rendered(lines, options.comments)
    if same_settings(before, after) or reading.facts.owner is not None:
        after = before  # where another system sees to the files, it is for that system to say what is at boot
    boot_now = draft.boots.now()
    boot_then = boot_now if after == before else draft.boots.having(after)
    released = _released(draft, boot_then)
    live = _live_values(draft) | {key: text for key, text in released.items() if text is not None}
    settle = settling(live, reading)
    writes, restless = simulated(settle, reading)
    if restless:
        draft.conflicts.append(f"these cannot hold together, each moves the other: {', '.join(restless[:4])}")
    risky, notes = risks(writes, options)
    judge = Judge(
        reading,
        boot_now,
        boot_then,
        options.path,
        accept_unknown=options.accept_unknown_boot,
        accept_shadowed=options.accept_shadowed,
        foreign=options.foreign,
    )
    settings = judge.settings(policy, draft.targets, live, missing, released, {write.key for write in writes})
    left_out = counted(missing.values())
    file = FilePlan(options.path, before, after)
    if reading.facts.owner is None:
        draft.refusals += [
            *place_closed(reading.facts, file),
            *risky,
            *judge.refusals(settings),
            *stopped(boot_then, options.path),
        ]
    elif writes or any(setting.is_drift for setting in settings):
        draft.refusals[:] = [owned(reading.facts.owner)]
    return Plan(
        settings=settings,
        writes=writes,
        file=file,
        settle=settle,
        compare=movable(settle, writes, reading, options.foreign),
        read_back=_read_back(tuple([wanted.pattern for wanted in policy.wanted])) if writes else (),
        conflicts=tuple(draft.conflicts),
        refusals=tuple(draft.refusals),
        unreadable=tuple(key for key in draft.targets if _state(reading, key) is RunningState.UNREADABLE),
        notes=(*notes, *([left_out] if left_out else ())),
    )


@lru_cache(maxsize=256)
def _read_back(patterns: tuple[Key, ...]) -> tuple[Key, ...]:
    return read_patterns(patterns)


def _lines(draft: _Draft, options: Options) -> tuple[list[tuple[Wanted, str]], dict[Key, Absence]]:
    """The lines of our file, and why wanted keys that do not exist are not there."""
    globs_known = knows_globs(draft.reading.facts.loader, draft.reading.facts.loader_version)
    lines: list[tuple[Wanted, str]] = []
    missing: dict[Key, Absence] = {}
    for wanted, choice in chosen_lines(draft.policy, draft.reading, draft.own, draft.boots.by_others):
        if _state(draft.reading, wanted.pattern) is RunningState.ABSENT and not is_glob(wanted.pattern):
            absent = absence(wanted.pattern, draft.reading.facts, options.missing)
            missing[wanted.pattern] = absent
            if absent.treatment is Treatment.BLOCK:
                draft.conflicts.append(f"{wanted.pattern}: {absent.why}")
            if absent.treatment is not Treatment.KEEP:
                continue
        if choice.line is None or (is_glob(wanted.pattern) and not globs_known):
            continue
        lines.append((wanted, choice.line))
    return lines, missing


def _state(reading: Reading, key: Key) -> RunningState:
    running = reading.values.get(key)
    return running.state if running is not None else RunningState.ABSENT


def _live_values(draft: _Draft) -> dict[Key, str]:
    """The text that every managed key must have now."""
    live: dict[Key, str] = {}
    for key, wanted in draft.targets.items():
        running = draft.reading.text(key)
        if running is None and _state(draft.reading, key) is not RunningState.UNSET:
            continue
        is_free = wanted.constraint.kind is Kind.VALUE or is_glob(wanted.pattern)
        rival = None if is_free else draft.boots.by_others(key)
        choice = choose(wanted.constraint, key, running, draft.own.get(wanted.pattern), rival)
        if choice.live is not None:
            # As the kernel will show it, so that reading it back finds what was written.
            kept = canonical(key, choice.live)
            live[key] = running if running is not None and same(key, kept, running) else kept
    return live


def _released(draft: _Draft, boot_then: Boot) -> dict[Key, str | None]:
    """Keys that our file sets and the policy no longer names, with the value they get; None keeps what is there."""
    patterns = {wanted.pattern for wanted in draft.policy.wanted if wanted.constraint.kind is not Kind.ABSENT}
    gone = [pattern for pattern in draft.own if pattern not in patterns]
    released: dict[Key, str | None] = {}
    for pattern in gone:
        keys = [key for key in draft.reading.values if matches(pattern, key)] if is_glob(pattern) else [pattern]
        for key in keys:
            if key not in draft.targets and draft.reading.text(key) is not None:
                winner = boot_then.winners.get(key)
                released[key] = winner.value if winner is not None else None
    return released
