"""Tell: from a plan or an error to the host's row. Nothing here decides; statuses come in."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from functools import lru_cache

import msgspec
from typing_extensions import override

from sysfleet.errors import (
    CommandTimeout,
    ConnectionLost,
    ConnectTimeout,
    FleetError,
    HostError,
    HostKeyRejected,
    LoginRejected,
    PrivilegeDenied,
    Unreachable,
)
from sysfleet.host import Facts
from sysfleet.outcome import (
    ErrorRecord,
    FileOutcome,
    HostOutcome,
    OriginRecord,
    SettingOutcome,
    Status,
    WinnerRecord,
)
from sysfleet.planning.judgement import SettingPlan
from sysfleet.planning.records import FilePlan, Plan
from sysfleet.planning.verdict import Verdict
from sysfleet.policy.rule import Layer, Origin, Rule
from sysfleet.sysctl.key import Key, is_glob, matches
from sysfleet.sysctl.value import same
from sysfleet.tasks.job import Job, Stopped

_STATUS_OF: tuple[tuple[type[FleetError], Status], ...] = (
    (Stopped, Status.INTERRUPTED),
    (HostKeyRejected, Status.REJECTED),
    (LoginRejected, Status.REJECTED),
    (PrivilegeDenied, Status.DENIED),
    (Unreachable, Status.UNREACHABLE),
    (ConnectTimeout, Status.UNREACHABLE),
    (ConnectionLost, Status.UNREACHABLE),
    (CommandTimeout, Status.UNREACHABLE),
)
_ANY_PROGRAM = "run"  # what a session says, which does not know what its program was for
_UNDECIDED = frozenset({"change", "confirm", "put back", "look up"})


def row_of_plan(
    host: str, job: Job, plan: Plan, facts: Facts, status: Status, *, read_twice: tuple[Key, ...] = ()
) -> HostOutcome:
    """The row of a host that was read and planned."""
    error = None
    if status is Status.BLOCKED:
        reasons = (*plan.conflicts, *plan.refusals)
        more = f" (+{len(reasons) - 1} more)" if len(reasons) > 1 else ""
        shadowed = any(setting.verdict is Verdict.SHADOWED for setting in plan.settings)
        hint = "take the other file's line out, or ask for its value" if shadowed and not plan.conflicts else None
        error = ErrorRecord("Blocked", "plan", reasons[0] + more, hint)
    elif status is Status.DENIED:
        names = ", ".join(plan.unreadable[:5])
        error = ErrorRecord("ReadError", "read", f"not readable for this login: {names}", "set [privilege] method")
    notes = plan.notes if status is Status.BLOCKED else (*plan.notes, *(f"apply refuses: {r}" for r in plan.refusals))
    if read_twice:
        notes = (*notes, f"read twice: no template spells out {', '.join(read_twice[:3])}")
    return HostOutcome(
        host=host,
        roles=job.roles[host],
        status=status,
        error=error,
        changes=plan.changes,
        loader=facts.loader.value,
        file=FileOutcome(plan.file.path, _diff(plan.file)),
        settings=_settings(_Identity(plan)),
        notes=notes,
        stand_in=facts.stand_in is not None,
    )


def row_of_error(host: str, job: Job, error: Exception, phase: str, *, put_back: bool = False) -> HostOutcome:
    """The row of a host that failed; a host lost while it was changed says that its state is unknown."""
    status = next((status for kind, status in _STATUS_OF if isinstance(error, kind)), Status.FAILED)
    message = error.message if isinstance(error, FleetError) else f"{type(error).__name__}: {error}"
    said = error.phase if isinstance(error, HostError) else ""
    phase = phase if said in ("", _ANY_PROGRAM) and phase else said
    evidence = error.evidence if isinstance(error, HostError) else None
    if evidence:
        message = f"{message}: {evidence}"
    refused = phase == "change" and isinstance(error, PrivilegeDenied)  # before the program began
    if phase in _UNDECIDED and not (put_back or refused or isinstance(error, Stopped)):
        message = f"in change, state unknown: {message}"
    hint = error.hint if isinstance(error, FleetError) else None
    record = ErrorRecord(type(error).__name__, phase, message, hint)
    return HostOutcome(host=host, roles=job.roles[host], status=status, error=record)


def row_not_begun(host: str, job: Job, why: str) -> HostOutcome:
    """The row of a host that was never begun."""
    return HostOutcome(host=host, roles=job.roles[host], status=Status.SKIPPED, error=ErrorRecord("Skipped", "", why))


def timed(row: HostOutcome, elapsed_s: float) -> HostOutcome:
    """The row with the time it took, in seconds to the millisecond."""
    return msgspec.structs.replace(row, elapsed_s=round(elapsed_s, 3))


def settled_row(row: HostOutcome, values: Mapping[Key, str]) -> HostOutcome:
    """The row once its writes are read back: running values are the new ones, with a note of the old."""
    return msgspec.structs.replace(row, settings=tuple(_settled(setting, values) for setting in row.settings))


def _settled(setting: SettingOutcome, values: Mapping[Key, str]) -> SettingOutcome:
    key = Key(setting.key)
    if setting.verdict not in (Verdict.CHANGE, Verdict.RELEASED):
        return setting
    texts = [text for name, text in values.items() if matches(key, name)] if is_glob(key) else [values.get(key)]
    wanted = setting.wanted
    text = next((t for t in texts if t is not None and (wanted is None or same(key, wanted, t))), setting.running)
    notes = setting.notes if text == setting.running else (*setting.notes, f"was {setting.running}")
    kept = wanted is None or text is None or " ".join(wanted.split()) == text
    verdict = (Verdict.OK if kept else Verdict.REWRITTEN) if setting.verdict is Verdict.CHANGE else setting.verdict
    return msgspec.structs.replace(
        setting,
        running=text,
        verdict=verdict,
        at_boot=setting.at_boot_planned,
        at_boot_unknown=None,
        boot_winner=setting.boot_winner if setting.at_boot == setting.at_boot_planned else None,
        interfaces={},
        notes=notes,
        why=None,
    )


class _Identity:
    """A plan that is equal to itself alone: hosts that are alike share it, and then what is made of it."""

    __slots__ = ("plan",)

    def __init__(self, plan: Plan) -> None:
        self.plan = plan

    @override
    def __hash__(self) -> int:
        return id(self.plan)

    @override
    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Identity) and self.plan is other.plan


@lru_cache(maxsize=256)
def _settings(of: _Identity) -> tuple[SettingOutcome, ...]:
    return tuple(_setting(setting) for setting in of.plan.settings)


def _setting(plan: SettingPlan) -> SettingOutcome:
    winner = plan.winner
    return SettingOutcome(
        key=plan.pattern,
        wanted=plan.wanted,
        running=plan.running.text,
        at_boot=plan.at_boot,
        at_boot_unknown=plan.at_boot_unknown,
        verdict=plan.verdict,
        origin=_origin(plan.origin) if plan.origin is not None else None,
        boot_winner=WinnerRecord(winner.file, winner.line) if winner is not None else None,
        constraint=plan.constraint.kind.value,
        asked=str(plan.constraint),
        running_state=plan.running.state.value,
        interfaces=dict(plan.interfaces),
        chain=_chain(plan.chain),
        at_boot_planned=plan.at_boot_planned,
        why=plan.why,
        notes=plan.notes,
    )


@lru_cache(maxsize=4096)
def _origin(origin: Origin, value: str | None = None) -> OriginRecord:
    return OriginRecord(
        layer=origin.layer.value,
        file=origin.file,
        line=origin.line,
        reason=origin.reason or (" ".join(origin.comments) or None),
        name=None if origin.layer in (Layer.BASE, Layer.DEFAULTS) else origin.name,
        ticket=origin.ticket,
        expires=origin.expires.isoformat() if origin.expires else None,
        value=value,
    )


@lru_cache(maxsize=4096)
def _chain(chain: tuple[Rule, ...]) -> tuple[OriginRecord, ...]:
    return tuple(_origin(rule.origin, str(rule.constraint)) for rule in chain)


def _diff(file: FilePlan) -> str:
    return _unified(file.path, file.before, file.after) if file.changes else ""


@lru_cache(maxsize=256)
def _unified(path: str, before: bytes | None, after: bytes | None) -> str:
    old, new = (_text_lines(content) for content in (before, after))
    names = (path if before is not None else "/dev/null", path if after is not None else "/dev/null")
    return "\n".join(difflib.unified_diff(old, new, *names, lineterm=""))


def _text_lines(content: bytes | None) -> list[str]:
    return content.decode("utf-8", "replace").splitlines() if content is not None else []
