"""The plan for one host: what differs, what would be written in which order, and what forbids it.

Law: a plan is a function of policy and reading alone, and planning again on `predicted(reading, plan)` gives a
plan that writes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache

from sysfleet.host import Facts, Reading, Running, RunningState
from sysfleet.planning.content import as_mapping, is_ours, rendered, same_settings, settings_of
from sysfleet.planning.judgement import Judge, SettingPlan
from sysfleet.planning.missing import Treatment, absence
from sysfleet.planning.scope import read_patterns
from sysfleet.planning.targets import Choice, choose, chosen_lines, is_foreign, managed
from sysfleet.policy.rule import Policy, Wanted
from sysfleet.sysctl.effects import apply_write
from sysfleet.sysctl.key import Key, interface_of, is_glob, matches
from sysfleet.sysctl.knowledge import is_destructive, is_one_way, moves
from sysfleet.sysctl.loaders import Boot, SourceFile, knows_globs, predict
from sysfleet.sysctl.order import canonical_order
from sysfleet.sysctl.value import same

_IPV6_FORWARDING = Key("net.ipv6.conf.all.forwarding")
MAX_PASSES = 4  # of writing what still differs; a fifth would find the same keys moving again


@dataclass(frozen=True, slots=True)
class Options:
    """What the settings say about planning (sysfleet.toml, [file] and [boot]; flags of the command)."""

    path: str = "/etc/sysctl.d/99-zz-sysfleet.conf"
    comments: str = "short"
    foreign: tuple[str, ...] = ()
    accept_unknown_boot: bool = False
    allow_one_way: bool = False
    allow_destructive: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """One value to be written, with the value it replaces."""

    key: Key
    value: str
    before: str


@dataclass(frozen=True, slots=True)
class FilePlan:
    """Our file: its content now and then; None where there is no file. Equal: it is not touched."""

    path: str
    before: bytes | None
    after: bytes | None

    @property
    def changes(self) -> bool:
        """Whether the file would be written or removed."""
        return self.before != self.after


@dataclass(frozen=True, slots=True)
class Plan:
    """What would change on one host.

    `settle` is every managed key with the text it must have, in writing order; `compare` the values that the plan
    was made from. `conflicts` say why the policy cannot hold on this host at all, `refusals` why `apply` refuses.
    """

    settings: tuple[SettingPlan, ...]
    writes: tuple[Write, ...]
    file: FilePlan
    settle: tuple[tuple[Key, str], ...]
    compare: tuple[tuple[Key, Running], ...]
    read_back: tuple[Key, ...]
    conflicts: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()
    unreadable: tuple[Key, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def empty(self) -> bool:
        """Whether nothing would be written, neither values nor file."""
        return not self.writes and not self.file.changes

    @property
    def drifted(self) -> bool:
        """Whether the host is not as wanted, now or at the next boot."""
        return not self.empty or any(setting.is_drift for setting in self.settings)

    @property
    def changes(self) -> int:
        """Values that would be written, and the file as one more."""
        return len(self.writes) + self.file.changes


@dataclass(slots=True)
class _Draft:
    """What the steps of planning hand on to each other."""

    policy: Policy
    reading: Reading
    options: Options
    targets: dict[Key, Wanted] = field(default_factory=dict)
    conflicts: list[str] = field(default_factory=list)
    refusals: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def make_plan(policy: Policy, reading: Reading, options: Options) -> Plan:
    """Compare what is wanted with what is running and with what the host's loader will leave at boot."""
    draft = _Draft(policy, reading, options, managed(policy, reading, options.foreign))
    existing = [key for key, running in reading.values.items() if running.state is not RunningState.ABSENT]
    own = next((file for file in reading.files if file.path == options.path), None)
    before = own.content if own is not None and own.link is None else None
    boot_of = _Predictor(reading, existing)
    lines, missing = _lines(draft, as_mapping(settings_of(before)), boot_of.without(options.path))
    after = rendered(lines, options.comments)
    if same_settings(before, after):
        after = before
    boot_now = boot_of.now()
    boot_then = boot_now if after == before else boot_of.having(options.path, after)
    live = _live_values(draft, as_mapping(settings_of(before)), boot_of.without(options.path))
    released = _released(draft, before, boot_then)
    live.update({key: text for key, text in released.items() if text is not None})
    settle = _settle(live, reading)
    writes = _writes(draft, settle)
    file = FilePlan(options.path, before, after)
    _collect_refusals(draft, own, writes)
    judge = Judge(reading, boot_now, boot_then, options.path, accept_unknown=options.accept_unknown_boot)
    settings = judge.settings(policy, draft.targets, live, missing, released, {write.key for write in writes})
    draft.refusals += judge.refusals(settings)
    return Plan(
        settings=settings,
        writes=writes,
        file=file,
        settle=settle,
        compare=_compare(draft, settle, writes),
        read_back=_read_back(tuple([wanted.pattern for wanted in policy.wanted])) if writes else (),
        conflicts=tuple(draft.conflicts),
        refusals=tuple(draft.refusals),
        unreadable=tuple(key for key in draft.targets if _state(reading, key) is RunningState.UNREADABLE),
        notes=tuple(draft.notes),
    )


class _Predictor:
    """Boot predictions for one reading, each made at most once."""

    def __init__(self, reading: Reading, existing: Sequence[Key]) -> None:
        self._reading = reading
        self._existing = existing
        self._without: Mapping[Key, str] | None = None

    def now(self) -> Boot:
        return self._predict(self._reading.files)

    def having(self, path: str, content: bytes | None) -> Boot:
        return self._predict(_files_with(self._reading.files, path, content))

    def without(self, path: str) -> _Others:
        return _Others(self, path)

    def left_by_others(self, path: str) -> Mapping[Key, str]:
        if self._without is None:
            boot = self._predict(_files_with(self._reading.files, path, None))
            self._without = {key: winner.value for key, winner in boot.winners.items()}
        return self._without

    def _predict(self, files: Sequence[SourceFile]) -> Boot:
        return predict(self._reading.facts.loader, files, self._existing)


class _Others:
    """What the host's other files leave for one key, asked only where a floor or ceiling wants to know."""

    def __init__(self, predictor: _Predictor, path: str) -> None:
        self._predictor = predictor
        self._path = path

    def __call__(self, key: Key) -> str | None:
        return self._predictor.left_by_others(self._path).get(key)


def _files_with(files: Sequence[SourceFile], path: str, content: bytes | None) -> tuple[SourceFile, ...]:
    others = tuple(file for file in files if file.path != path)
    return others if content is None else (*others, SourceFile(path, content, None))


def _lines(draft: _Draft, own: Mapping[Key, str], others: _Others) -> tuple[list[tuple[Wanted, str]], dict[Key, str]]:
    """The lines of our file, and why wanted keys that do not exist are not there."""
    globs_known = knows_globs(draft.reading.facts.loader)
    lines: list[tuple[Wanted, str]] = []
    missing: dict[Key, str] = {}
    for wanted, choice in chosen_lines(draft.policy, draft.reading, own, others):
        if _state(draft.reading, wanted.pattern) is RunningState.ABSENT and not is_glob(wanted.pattern):
            absent = absence(wanted.pattern, draft.reading.facts)
            missing[wanted.pattern] = absent.why
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


def _live_values(draft: _Draft, own: Mapping[Key, str], others: _Others) -> dict[Key, str]:
    """The text that every managed key must have now."""
    live: dict[Key, str] = {}
    for key, wanted in draft.targets.items():
        running = draft.reading.text(key)
        if running is None and _state(draft.reading, key) is not RunningState.UNSET:
            continue
        rival = None if not wanted.constraint.operands else _rival(wanted, key, others)
        choice: Choice = choose(wanted.constraint, key, running, own.get(wanted.pattern), rival)
        if choice.live is not None:
            live[key] = running if running is not None and same(key, choice.live, running) else choice.live
    return live


def _rival(wanted: Wanted, key: Key, others: _Others) -> str | None:
    return None if wanted.constraint.kind == "value" or is_glob(wanted.pattern) else others(key)


def _released(draft: _Draft, before: bytes | None, boot_then: Boot) -> dict[Key, str | None]:
    """Keys that our file sets and the policy no longer names, with the value they get; None keeps what is there."""
    patterns = {wanted.pattern for wanted in draft.policy.wanted if wanted.constraint.kind != "absent"}
    gone = [pattern for pattern, _ in settings_of(before) if pattern not in patterns]
    released: dict[Key, str | None] = {}
    for pattern in gone:
        keys = [key for key in draft.reading.values if matches(pattern, key)] if is_glob(pattern) else [pattern]
        for key in keys:
            if key not in draft.targets and draft.reading.text(key) is not None:
                winner = boot_then.winners.get(key)
                released[key] = winner.value if winner is not None else None
    return released


def _settle(live: Mapping[Key, str], reading: Reading) -> tuple[tuple[Key, str], ...]:
    running = {key: text for key in live if (text := reading.text(key)) is not None}
    return tuple(canonical_order(list(live.items()), running))


def _writes(draft: _Draft, settle: Sequence[tuple[Key, str]]) -> tuple[Write, ...]:
    """What has to be written, in order, with what the kernel moves meanwhile (kernel.md, section 3).

    Keys that never come to rest, since each moves the other, are a conflict of the policy.
    """
    reading = draft.reading
    if all(reading.text(key) == text for key, text in settle):
        return ()
    values = {key: running.text for key, running in reading.values.items() if running.text is not None}
    writes: list[Write] = []
    for _ in range(MAX_PASSES):
        different = [(key, text) for key, text in settle if not _is(values, key, text)]
        if not different:
            return tuple(writes)
        for key, text in different:
            writes.append(Write(key, text, values.get(key, "")))
            apply_write(values, key, text)
    restless = [f"{key} = {text}" for key, text in settle if not _is(values, key, text)]
    if restless:
        draft.conflicts.append(f"these cannot hold together, each moves the other: {', '.join(restless[:4])}")
    return tuple(writes)


def _is(values: Mapping[Key, str], key: Key, text: str) -> bool:
    running = values.get(key)
    return running is not None and (running == text or same(key, text, running))


def _compare(
    draft: _Draft, settle: Sequence[tuple[Key, str]], writes: Sequence[Write]
) -> tuple[tuple[Key, Running], ...]:
    """Every value the writes can move: what the plan relies on, and what is put back."""
    if not writes:
        return ()
    ours = {key for key, _ in settle}
    moved = {pattern for write in writes for pattern in moves(write.key)}
    kept = {
        key: running
        for key, running in draft.reading.values.items()
        if running.state in (RunningState.VALUE, RunningState.UNSET)
        and (key in ours or any(matches(pattern, key) for pattern in moved))
        and (key in ours or not is_foreign(interface_of(key), draft.options.foreign))
    }
    texts = {key: running.text or "" for key, running in kept.items()}
    return tuple((key, kept[key]) for key, _ in canonical_order(list(texts.items()), texts))


@lru_cache(maxsize=256)
def _read_back(patterns: tuple[Key, ...]) -> tuple[Key, ...]:
    return read_patterns(patterns)


def _collect_refusals(draft: _Draft, own: SourceFile | None, writes: Sequence[Write]) -> None:
    for clash in draft.policy.clashes:
        one, two = clash.first, clash.second
        draft.conflicts.append(
            f"{clash.pattern}: roles disagree: {one.constraint} ({one.origin.file}:{one.origin.line})"
            f" and {two.constraint} ({two.origin.file}:{two.origin.line})"
        )
    if own is not None and own.link is not None:
        draft.refusals.append(f"{own.path} is a link to {own.link}")
    elif own is not None and (own.content is None or (own.content and not is_ours(own.content))):
        draft.refusals.append(f"{own.path} is not ours: it does not begin with our header")
    if writes and not draft.reading.facts.proc_sys_writable:
        draft.refusals.append("/proc/sys is read-only as a whole")
    for write in writes:
        _collect_risks(draft, write)


def _collect_risks(draft: _Draft, write: Write) -> None:
    """What a write cannot be taken back from, or destroys; refused unless the person allows it."""
    what, options = f"{write.key} = {write.value}", draft.options
    if is_one_way(write.key, write.value) and not options.allow_one_way:
        draft.refusals.append(f"{what} cannot be taken back before a reboot; --allow-one-way lets it")
    if not is_destructive(write.key, write.value):
        return
    if write.key.endswith(".forwarding"):
        if write.key == _IPV6_FORWARDING:
            draft.notes.append(f"{what} drops default routes learned from routers, where accept_ra is not 2")
    elif not options.allow_destructive:
        draft.refusals.append(f"{what} destroys what its old number does not bring back; --allow-destructive lets it")


def predicted(reading: Reading, plan: Plan) -> Reading:
    """The reading that this plan should leave behind: values with the kernel's side effects, and our file."""
    values = {key: running.text for key, running in reading.values.items() if running.text is not None}
    for write in plan.writes:
        apply_write(values, write.key, write.value)
    texts = {
        key: Running(RunningState.VALUE, values[key]) if key in values else running
        for key, running in reading.values.items()
    }
    return with_file(replace(reading, values=texts), plan.file)


def with_file(reading: Reading, file: FilePlan) -> Reading:
    """The reading as it is once our file has its new content."""
    return replace(reading, files=_files_with(reading.files, file.path, file.after)) if file.changes else reading


__all__ = ["Facts", "FilePlan", "Options", "Plan", "SettingPlan", "Write", "make_plan", "predicted", "with_file"]
