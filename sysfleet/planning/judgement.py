"""What is to be said of each wanted key: wanted, running, at boot, and the verdict with its reason."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sysfleet.host import Reading, Running, RunningState
from sysfleet.planning.missing import Absence, Reason
from sysfleet.planning.targets import is_foreign
from sysfleet.planning.verdict import Verdict, worst
from sysfleet.policy.constraint import Constraint, Kind, meets
from sysfleet.policy.rule import Origin, Policy, Rule, Wanted
from sysfleet.sysctl.effective import effective
from sysfleet.sysctl.everywhere import left_to_interfaces
from sysfleet.sysctl.key import Key, interface_of, is_glob, with_interface
from sysfleet.sysctl.knowledge import lookup
from sysfleet.sysctl.loaders import Boot, BootSetting, Loader, knows_globs
from sysfleet.sysctl.value import as_int, same
from sysfleet.sysctl.writers import later_write

_ABSENT = Running(RunningState.ABSENT)
_DRIFT = frozenset({Verdict.CHANGE, Verdict.SHADOWED, Verdict.INEFFECTIVE, Verdict.RELEASED, Verdict.READONLY})
# Nothing comes in on loopback; the other two are no interfaces.
_NOBODYS = frozenset({"lo", "all", "default"})
_IPV4_FORWARDING = Key("net.ipv4.ip_forward")
_ALL_WELL, _OTHER_FORM = frozenset({Verdict.OK}), frozenset({Verdict.REWRITTEN})
_NONE: frozenset[Verdict] = frozenset()
_RELEASED = Constraint(Kind.ABSENT)
_IN_RUN = "a boot empties /run: it wins at boot only if something makes {} again before the loader runs"
_ACCEPT_SHADOWED = "--accept-shadowed lets it"
_HOST_WIDE = ("no", "net-ro", "init-only")


@dataclass(frozen=True, slots=True)
class SettingPlan:
    """One wanted pattern on one host.

    `interfaces` has those of a glob that are not as wanted; of `all`, those on which another value is in force.
    """

    pattern: Key
    wanted: str | None
    constraint: Constraint
    verdict: Verdict
    running: Running
    at_boot: str | None
    at_boot_unknown: str | None
    at_boot_planned: str | None
    winner: BootSetting | None
    origin: Origin | None
    chain: tuple[Rule, ...] = ()
    interfaces: Mapping[str, str] = field(default_factory=dict)
    why: str | None = None
    notes: tuple[str, ...] = ()
    is_drift: bool = False


@dataclass(frozen=True, slots=True)
class _Finding:
    """The verdicts on one concrete key."""

    verdicts: frozenset[Verdict]
    why: str | None
    running: Running
    at_boot: str | None
    unknown: str | None
    planned: str | None
    winner: BootSetting | None
    is_drift: bool
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Judge:
    """Judges settings against one reading and two boot predictions: as the files are, and as they would be."""

    reading: Reading
    boot_now: Boot
    boot_then: Boot
    path: str
    accept_unknown: bool = False
    accept_shadowed: bool = False
    foreign: tuple[str, ...] = ()
    _plain: bool = field(init=False)  # a key that both boots set is known at boot

    def __post_init__(self) -> None:
        facts = self.reading.facts
        odd = facts.later_writers or self.boot_now.uncertain or self.boot_then.uncertain
        plain = facts.loader is not Loader.UNKNOWN and facts.loader_enabled and not odd
        object.__setattr__(self, "_plain", plain)

    def settings(
        self,
        policy: Policy,
        targets: Mapping[Key, Wanted],
        live: Mapping[Key, str],
        missing: Mapping[Key, Absence],
        released: Mapping[Key, str | None],
        written: Collection[Key],
    ) -> tuple[SettingPlan, ...]:
        """One record a pattern, in the policy's order; patterns that match nothing on this host are left out."""
        keys: dict[int, list[Key]] = {}
        for key, wanted in targets.items():
            keys.setdefault(id(wanted), []).append(key)
        found = []
        for wanted in policy.wanted:
            own = keys.get(id(wanted))
            if own is None:
                continue
            if is_glob(wanted.pattern):
                found.append(self._of_glob(wanted, own, live, written))
            else:
                found.append(self._of_key(wanted, live.get(own[0]), missing.get(own[0]), written=own[0] in written))
        found += [self._of_released(key, text) for key, text in released.items()]
        return tuple(found)

    def refusals(self, settings: Sequence[SettingPlan]) -> list[str]:
        """Why `apply` would leave the host without the wanted boot values."""
        found = []
        unknown: dict[str, Key] = {}
        readonly: dict[str, list[Key]] = {}
        for setting in settings:
            if setting.verdict is Verdict.SHADOWED and setting.winner is not None:
                if self.accept_shadowed:
                    continue
                place = f"{setting.winner.file}:{setting.winner.line}"
                found.append(f"{setting.pattern}: {place} wins at boot with {setting.winner.value}; {_ACCEPT_SHADOWED}")
            elif setting.verdict is Verdict.READONLY:
                readonly.setdefault(setting.why or "", []).append(setting.pattern)
            elif setting.verdict is Verdict.MISSING and setting.is_drift:
                continue
            elif setting.at_boot_planned is None and setting.is_drift and setting.constraint is not _RELEASED:
                in_file = "no_file" if is_glob(setting.pattern) else None
                reason = self._why_unknown(setting.pattern, self.boot_then) or in_file
                if reason is not None and not self.accept_unknown:
                    unknown.setdefault(reason, setting.pattern)
        found += [f"{_some(keys)}: {why}" for why, keys in readonly.items()]
        accept = 'set [boot] unknown = "accept" to go on'
        return found + [f"{self._in_words(reason, pattern)}; {accept}" for reason, pattern in unknown.items()]

    def _in_words(self, reason: str, pattern: Key) -> str:
        """Why our file, once it is there, would not decide the value at boot."""
        loader = self.reading.facts.loader
        if reason == "no_file" and loader is Loader.OPENRC and not self.boot_then.winners:
            return "the loader openrc reads no file while there is no /etc/sysctl.conf"
        if reason == "no_file" and is_glob(pattern) and not knows_globs(loader, self.reading.facts.loader_version):
            hint = "name the interfaces in the inventory's data.interfaces"
            return f"{pattern}: the loader {loader} knows no globs: {hint}"
        return f"values at boot cannot be known ({reason})"

    def _of_key(self, wanted: Wanted, live: str | None, missing: Absence | None, *, written: bool) -> SettingPlan:
        finding = self._finding(wanted.pattern, wanted.constraint, missing, written=written)
        disobeying = self._disobeying(wanted, finding.running)
        if not disobeying:
            return _record(wanted, live, finding)
        why = finding.why or f"set, but not in force on {_some(list(disobeying))}"
        verdicts = (finding.verdicts - {Verdict.OK}) | {Verdict.INEFFECTIVE}
        return _record(wanted, live, replace(finding, verdicts=verdicts, why=why, is_drift=True), disobeying)

    def _disobeying(self, wanted: Wanted, running: Running) -> dict[str, str]:
        """Interfaces on which another value is in force, though `all` is as wanted; with that value."""
        key, text = wanted.pattern, running.text
        if text is None or interface_of(key) != "all" or wanted.constraint.kind is not Kind.VALUE:
            return {}
        forwards = as_int(self.reading.text(_IPV4_FORWARDING) or "0") != 0
        if not meets(wanted.constraint, key, text) or left_to_interfaces(key, text, forwards=forwards) is None:
            return {}
        found: dict[str, str] = {}
        for name in self.reading.facts.interfaces:
            leaf = with_interface(key, name)
            own = self.reading.text(leaf)
            if name in _NOBODYS or own is None or is_foreign(name, self.foreign):
                continue
            router = as_int(self.reading.text(with_interface(_forwarding_of(key), name)) or "0") != 0
            force = effective(leaf, text, own, forwarding=router, kernel=self.reading.facts.kernel)
            if not meets(wanted.constraint, key, force):
                found[name] = force
        return found

    def _of_glob(
        self, wanted: Wanted, keys: Sequence[Key], live: Mapping[Key, str], written: Collection[Key]
    ) -> SettingPlan:
        findings = {key: self._finding(key, wanted.constraint, None, written=key in written) for key in keys}
        worst_of = worst({worst(set(finding.verdicts)) for finding in findings.values()})
        shown = next(f for f in findings.values() if worst(set(f.verdicts)) is worst_of)
        off = {
            interface_of(key) or key: finding.running.text or finding.running.state.value
            for key, finding in findings.items()
            if finding.is_drift
        }
        value = next(iter(live[key] for key in keys if key in live), None)
        return _record(wanted, value, shown, off, is_drift=any(f.is_drift for f in findings.values()))

    def _of_released(self, key: Key, text: str | None) -> SettingPlan:
        running = self.reading.values.get(key, _ABSENT)
        winner = self.boot_then.winners.get(key)
        why = (
            f"no longer asked for: set to what {winner.file}:{winner.line} gives at boot"
            if winner is not None
            else "no longer asked for: keeps its value until the next boot"
        )
        return SettingPlan(
            pattern=key,
            wanted=text,
            constraint=_RELEASED,
            verdict=Verdict.RELEASED,
            running=running,
            at_boot=_value(self.boot_now.winners.get(key)),
            at_boot_unknown=None,
            at_boot_planned=_value(winner),
            winner=self.boot_now.winners.get(key),
            origin=None,
            why=why,
            is_drift=True,
        )

    def _finding(self, key: Key, constraint: Constraint, missing: Absence | None, *, written: bool) -> _Finding:
        running = self.reading.values.get(key, _ABSENT)
        now, then = self.boot_now.winners.get(key), self.boot_then.winners.get(key)
        if self._plain and now is not None and not written and running.state is RunningState.VALUE:
            # Most keys of most hosts: as wanted now and at boot.
            lasts = then is now or (then is not None and (then.file == self.path or meets(constraint, key, then.value)))
            if lasts and then is not None and meets(constraint, key, now.value):
                kept = constraint.kind is not Kind.VALUE or running.text == constraint.operands[0]
                verdict = _ALL_WELL if kept else _OTHER_FORM
                return _Finding(verdict, None, running, now.value, None, then.value, now, is_drift=False)
        unknown = self._why_unknown(key, self.boot_now)
        verdicts: set[Verdict] = set()
        why: str | None = None
        if running.state is RunningState.ABSENT:
            return _absent(running, now, then, missing)
        if running.state is RunningState.UNREADABLE:
            verdicts.add(Verdict.UNREADABLE)
            why = "cannot be read by this login"
        boot_right = unknown is None and now is not None and meets(constraint, key, now.value)
        boot_ok = boot_right or (unknown is not None and self.accept_unknown)
        if written:
            readonly = self._why_readonly(key)
            verdicts.add(Verdict.CHANGE if readonly is None else Verdict.READONLY)
            why = readonly or why
        if then is not None and then.file != self.path and not meets(constraint, key, then.value):
            verdicts.add(Verdict.SHADOWED)
            why = f"{then.file}:{then.line} wins at boot with {then.value}"
        elif not boot_ok and not written:
            verdicts.add(Verdict.CHANGE)
            why = why or _boot_reason(now, unknown)
        if not verdicts and constraint.kind is Kind.VALUE and running.text != constraint.operands[0]:
            verdicts.add(Verdict.REWRITTEN)
        drift = bool(verdicts & _DRIFT) or not boot_ok
        accepted = boot_ok and not boot_right
        return _Finding(
            frozenset(verdicts) or _ALL_WELL,
            why,
            running,
            _value(now) if unknown is None else None,
            unknown,
            _value(then) if self._why_unknown(key, self.boot_then) is None else None,
            now,
            drift,
            (
                *((f"not known at boot, which is accepted: {unknown}",) if accepted else ()),
                *((_IN_RUN.format(now.file),) if now is not None and now.file.startswith("/run/") else ()),
            ),
        )

    def _why_readonly(self, key: Key) -> str | None:
        facts = self.reading.facts
        if not facts.proc_sys_writable and not facts.is_writable(key):
            return "/proc/sys is read-only as a whole"
        if facts.container is not None and _is_host_wide(key):
            return "read-only in this container"
        if not facts.is_writable(key):
            return "its part of /proc/sys is mounted read-only"
        if key in facts.read_only_keys:
            return "read-only, also for root"
        return None

    def _why_unknown(self, key: Key, boot: Boot) -> str | None:
        facts = self.reading.facts
        if facts.loader is Loader.UNKNOWN:
            return "unknown_loader"
        if not facts.loader_enabled:
            return "loader_disabled"
        if key in boot.uncertain:
            return "loader_version"
        winner = boot.winners.get(key)
        if facts.later_writers and not is_glob(key):
            later = later_write(key, facts.later_writers, self.reading.files, winner.file if winner else None)
            if later is not None and not (winner and later.value and same(key, later.value, winner.value)):
                return f"later_writer: {later.writer}"
        return "no_file" if winner is None and not is_glob(key) else None


def _absent(running: Running, now: BootSetting | None, then: BootSetting | None, missing: Absence | None) -> _Finding:
    why = missing.why if missing is not None else "not there"
    harmless = missing is not None and missing.reason is Reason.NO_INTERFACE
    drift = missing is not None and missing.is_drift
    if harmless:
        return _Finding(_ALL_WELL, why, running, _value(now), None, _value(then), now, drift)
    # Files may name it: what is not there has no value, and nobody knows whether it will be there.
    return _Finding(frozenset({Verdict.MISSING}), why, running, None, "no_key", None, now, drift)


def _forwarding_of(key: Key) -> Key:
    return Key(f"{'.'.join(key.split('.')[:3])}.all.forwarding")


def _some(keys: Sequence[str]) -> str:
    """The first keys, and how many more there are."""
    return ", ".join(keys[:3]) + (f" and {len(keys) - 3} more" if len(keys) > 3 else "")


def _is_host_wide(key: Key) -> bool:
    known = lookup(key)
    return known is not None and known.namespaced in _HOST_WIDE


def _boot_reason(now: BootSetting | None, unknown: str | None) -> str:
    if now is not None and unknown is None:
        return f"running as wanted, but {now.file}:{now.line} sets {now.value} at boot"
    if unknown == "no_file":
        return "running as wanted, but no file sets it at boot"
    return f"running as wanted, but what will be at boot is not known: {unknown}"


def _value(setting: BootSetting | None) -> str | None:
    return setting.value if setting is not None else None


def _record(
    wanted: Wanted,
    live: str | None,
    finding: _Finding,
    interfaces: Mapping[str, str] | None = None,
    *,
    is_drift: bool | None = None,
) -> SettingPlan:
    others = finding.verdicts if len(finding.verdicts) > 1 else _NONE
    verdict = worst(set(others)) if others else next(iter(finding.verdicts))
    value = " ".join(wanted.constraint.operands[0].split()) if wanted.constraint.kind is Kind.VALUE else live
    return SettingPlan(
        pattern=wanted.pattern,
        wanted=value,
        constraint=wanted.constraint,
        verdict=verdict,
        running=finding.running,
        at_boot=finding.at_boot,
        at_boot_unknown=finding.unknown,
        at_boot_planned=finding.planned,
        winner=finding.winner,
        origin=wanted.origin,
        chain=wanted.chain,
        interfaces=interfaces or {},
        why=finding.why,
        notes=(*sorted(other.value for other in others - {verdict}), *finding.notes) if others else finding.notes,
        is_drift=finding.is_drift if is_drift is None else is_drift,
    )
