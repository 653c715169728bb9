"""One key on one host, its whole story: what it means, who asks for it, who sets it, who wins, and what is risky.

Pure: a reading and its plan in, one record out. Knows no host but the one it is handed, and prints nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from sysfleet.host import Reading, RunningState
from sysfleet.outcome import SCHEMA
from sysfleet.planning.judgement import SettingPlan
from sysfleet.planning.records import Plan
from sysfleet.planning.scope import read_patterns
from sysfleet.policy.rule import Origin
from sysfleet.sysctl.document import Assignment, Exclusion, parse
from sysfleet.sysctl.effective import effective
from sysfleet.sysctl.key import Key, interface_of, is_glob, matches, with_interface
from sysfleet.sysctl.knowledge import Knowledge, every, lookup, moves_key, suggest
from sysfleet.sysctl.loaders import Boot, Loader, SourceFile, load_order, predict
from sysfleet.sysctl.value import as_int, same

_MODELLED = (Loader.SYSTEMD, Loader.PROCPS, Loader.ALPINE, Loader.OPENRC)
_COMBINED = {
    "and": "an interface does it where `all` and its own value both say so",
    "or": "an interface does it where `all` or its own value says so",
    "max": "on an interface the larger of `all` and its own value holds",
    "own": "only an interface's own value counts, `all` does nothing by itself",
    "forwarding-dependent": "where the interface forwards, `all` and its own value must both allow it, else one does",
}


class Layer(msgspec.Struct, frozen=True):
    """One layer that speaks for the key; the last one holds."""

    layer: str
    asks: str
    file: str
    line: int
    reason: str | None = None


class OnInterface(msgspec.Struct, frozen=True):
    """One interface: its own value, the value in force there, and whether that is as wanted (None: not asked)."""

    interface: str
    own: str
    in_force: str
    as_wanted: bool | None = None


class Mention(msgspec.Struct, frozen=True):
    """One line of a file that sets or moves the key, in load order; `note` says what becomes of it."""

    file: str
    line: int
    text: str
    note: str
    wins: bool = False


class AtBoot(msgspec.Struct, frozen=True):
    """What one loader leaves at the next boot; no value: no file of its sets the key."""

    loader: str
    of_host: bool
    value: str | None
    file: str | None
    line: int | None
    known_from: str


class Explanation(msgspec.Struct, frozen=True, kw_only=True):
    """The page."""

    schema: int = SCHEMA
    command: str = "explain"
    host: str
    key: str
    meaning: str | None
    why_set: str | None
    source: str | None
    facts: tuple[str, ...]
    layers: tuple[Layer, ...]
    wanted: str | None
    asked: str | None
    running: str | None
    running_state: str
    verdict: str | None
    why: str | None
    rule: str | None
    interfaces: tuple[OnInterface, ...]
    mentions: tuple[Mention, ...]
    at_boot: tuple[AtBoot, ...]
    at_boot_unknown: str | None
    hazards: tuple[str, ...]


def story_patterns(key: Key) -> tuple[Key, ...]:
    """What has to be read for a key's story: it on all interfaces, what moves with it, and who forwards."""
    forwarding = (_forwarding(key, "*"),) if interface_of(key) is not None and ".conf." in key else ()
    return read_patterns((key, *forwarding))


def explain(host: str, key: Key, reading: Reading, plan: Plan) -> Explanation:
    """The story of one key, which the reading must hold on all interfaces."""
    setting = next((one for one in plan.settings if one.pattern == key), None)
    setting = setting or next((one for one in plan.settings if matches(one.pattern, key)), None)
    known = lookup(key)
    running = reading.values.get(key)
    loader = reading.facts.loader
    boots = {each: _boot(each, reading) for each in _MODELLED}
    return Explanation(
        host=host,
        key=key,
        meaning=(known.meaning or None) if known is not None else None,
        why_set=(known.why or None) if known is not None else None,
        source=(known.source or None) if known is not None else None,
        facts=tuple(_facts(key, known)),
        layers=_layers(setting),
        wanted=setting.wanted if setting is not None else None,
        asked=str(setting.constraint) if setting is not None else None,
        running=running.text if running is not None else None,
        running_state=(running.state if running is not None else RunningState.ABSENT).value,
        verdict=setting.verdict.value if setting is not None else None,
        why=setting.why if setting is not None else None,
        rule=_COMBINED.get(known.combine) if known is not None and interface_of(key) is not None else None,
        interfaces=tuple(_interfaces(key, reading, setting)),
        mentions=tuple(_mentions(key, reading, boots.get(loader))),
        at_boot=tuple(_at_boot(key, boots, loader)),
        at_boot_unknown=setting.at_boot_unknown if setting is not None else _unknown(reading),
        hazards=tuple(_hazards(key, known)),
    )


def _boot(loader: Loader, reading: Reading) -> Boot:
    existing = [key for key, running in reading.values.items() if running.state is not RunningState.ABSENT]
    version = reading.facts.loader_version if loader is reading.facts.loader else ""
    return predict(loader, reading.files, existing, version=version)


def _unknown(reading: Reading) -> str | None:
    if reading.facts.loader is Loader.UNKNOWN:
        return "unknown_loader"
    return None if reading.facts.loader_enabled else "loader_disabled"


def _facts(key: Key, known: Knowledge | None) -> Iterator[str]:
    if known is None:
        near = suggest(key)
        yield "this key is not among those that sysfleet knows" + (f"; did you mean {near}?" if near else "")
        return
    low = known.minimum if known.minimum is not None else known.kernel_minimum
    high = known.maximum if known.maximum is not None else known.kernel_maximum
    form = f"{known.length} integers" if known.type == "tuple" and known.length else known.type
    span = f", {low if low is not None else '…'} to {high if high is not None else '…'}"
    yield form + (span if low is not None or high is not None else "")
    if known.since:
        yield f"since Linux {known.since}"
    if known.module:
        yield f"of the module {known.module}"
    if known.aliases:
        yield f"the same variable as {', '.join(known.aliases)}"
    yield {"no": "one for the whole machine", "net": "one for each network namespace"}.get(
        known.namespaced, f"namespace: {known.namespaced}"
    )


def _layers(setting: SettingPlan | None) -> tuple[Layer, ...]:
    if setting is None:
        return ()
    return tuple(
        Layer(_layer_name(rule.origin), str(rule.constraint), rule.origin.file, rule.origin.line, _reason(rule.origin))
        for rule in setting.chain
    )


def _layer_name(origin: Origin) -> str:
    name = origin.layer.value
    return f"{name} {origin.name}" if origin.name and origin.name != name else name


def _reason(origin: Origin) -> str | None:
    return origin.reason or (" ".join(origin.comments) or None)


def _interfaces(key: Key, reading: Reading, setting: SettingPlan | None) -> Iterator[OnInterface]:
    if interface_of(key) is None:
        return
    everyones = reading.text(with_interface(key, "all"))
    for name in ("all", "default", *(one for one in reading.facts.interfaces if one not in ("all", "default"))):
        leaf = with_interface(key, name)
        own = reading.text(leaf)
        if own is None:
            continue
        if name in ("all", "default") or everyones is None:
            yield OnInterface(name, own, own)
            continue
        forwards = as_int(reading.text(_forwarding(key, name)) or "0") != 0
        force = effective(leaf, everyones, own, forwarding=forwards, kernel=reading.facts.kernel)
        wanted = setting.wanted if setting is not None and interface_of(key) == "all" else None
        yield OnInterface(name, own, force, None if wanted is None else same(leaf, wanted, force))


def _forwarding(key: Key, interface: str) -> Key:
    return with_interface(Key(f"{'.'.join(key.split('.')[:3])}.all.forwarding"), interface)


def _mentions(key: Key, reading: Reading, boot: Boot | None) -> Iterator[Mention]:
    read = load_order(reading.facts.loader, reading.files)
    winner = boot.winners.get(key) if boot is not None else None
    for file in read:
        yield from _of_file(key, file, (winner.file, winner.line) if winner is not None else None, None)
    for file in reading.files:
        if file not in read and file.content:
            yield from _of_file(key, file, None, _why_not_read(file, read, reading.facts.loader))


def _of_file(key: Key, file: SourceFile, winner: tuple[str, int] | None, not_read: str | None) -> Iterator[Mention]:
    for line in parse(file.content or b"", file.path).lines:
        if not isinstance(line, Assignment | Exclusion):
            continue
        named = line.pattern == key or (is_glob(line.pattern) and matches(line.pattern, key))
        if not named and not (isinstance(line, Assignment) and moves_key(line.pattern, key)):
            continue
        wins = winner == (file.path, line.line)
        note = not_read or ("wins" if wins else _note(line, named=named))
        yield Mention(file.path, line.line, line.text.strip(), note, wins)


def _note(line: Assignment | Exclusion, *, named: bool) -> str:
    if isinstance(line, Exclusion):
        return "keeps globs off it"
    if not named:
        return "can move it"
    return "a glob; another line wins" if is_glob(line.pattern) else "another line wins"


def _why_not_read(file: SourceFile, read: Sequence[SourceFile], loader: Loader) -> str:
    hidden_by = next((one.path for one in read if one.name == file.name and one.path != file.path), None)
    return f"not read: {hidden_by} has the same name" if hidden_by else f"not read by the loader {loader}"


def _at_boot(key: Key, boots: dict[Loader, Boot], own: Loader) -> Iterator[AtBoot]:
    for loader, boot in sorted(boots.items(), key=lambda one: one[0] is not own):
        won = boot.winners.get(key)
        value, file, line = (won.value, won.file, won.line) if won is not None else (None, None, None)
        yield AtBoot(loader.value, loader is own, value, file, line, boot.known_from)


def _hazards(key: Key, known: Knowledge | None) -> Iterator[str]:
    movers = [pattern for pattern in every() if pattern != key and not is_glob(pattern) and moves_key(pattern, key)]
    if movers:
        yield f"writing {', '.join(movers)} can move it: it has to be written after them"
    moved = [pattern for pattern in every() if pattern != key and not is_glob(pattern) and moves_key(key, pattern)]
    if moved:
        yield f"writing it can move {', '.join(moved)}"
    if known is None:
        return
    at = {True: f" at {', '.join(known.one_way_values)}", False: ""}
    if known.one_way:
        yield f"cannot be taken back before a reboot{at[bool(known.one_way_values)]}"
    if known.destructive:
        values = f" at {', '.join(known.destructive_values)}" if known.destructive_values else ""
        yield f"destroys what its old number does not bring back{values}"
    if known.cuts_ssh != "no":
        when = {"yes": "can cut SSH at once", "late": "can cut SSH later", "indirect": "can cut SSH by what follows"}
        values = f" at {', '.join(known.cuts_ssh_values)}" if known.cuts_ssh_values else ""
        yield f"{when[known.cuts_ssh]}{values}"
    if known.note:
        yield known.note
