"""Change one host's running values, and put them back: compare-and-set, write, read back."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import replace
from typing import assert_never

import msgspec

from sysfleet.host import Reading
from sysfleet.outcome import ErrorRecord, HostOutcome, Status
from sysfleet.planning.content import HEADER
from sysfleet.planning.records import Plan, Write
from sysfleet.remote.programs.changing import ChangeRecord, ChangeRequest, change_program, parse_change
from sysfleet.remote.programs.persisting import PersistRequest
from sysfleet.remote.programs.placing import OurFile
from sysfleet.remote.programs.reverting import RevertRecord, parse_revert, revert_program
from sysfleet.remote.session import Session
from sysfleet.sysctl.value import same
from sysfleet.tasks.job import Job, Prepared
from sysfleet.tasks.tell import settled_row

# What of an interface's addresses or routes goes or comes when one of these is written does not come back with it.
_MOVES_ADDRESSES = re.compile(
    r"net\.ipv6\.conf\..+\.(?:disable_ipv6|forwarding|accept_ra\w*|autoconf|addr_gen_mode|use_tempaddr|max_addresses)"
)


def prepare(job: Job, plan: Plan, reading: Reading, row: HostOutcome, read_at: float) -> Prepared:
    """What the change of this plan will send; `not_after_s` is filled in when it is sent."""
    change = None
    if plan.writes:
        change = ChangeRequest(
            run_id=job.run,
            not_after_s=0.0,
            compare=plan.compare,
            settle=plan.settle,
            read_back=plan.read_back,
            files_token=reading.files_token,
            our_file=plan.file.path,
            file=OurFile(plan.file.path, plan.file.after, HEADER),
            keeps_addresses=_moves_addresses(plan.writes),
        )
    persist = PersistRequest(
        run_id=job.run,
        not_after_s=0.0,
        path=plan.file.path,
        content=plan.file.after,
        files_token=reading.files_token,
        settle=plan.settle,
        header=HEADER,
        armed=change is not None,
    )
    return Prepared(row, change, persist, reading.facts.uptime_s, read_at)


def _moves_addresses(writes: Iterable[Write]) -> bool:
    return any(_MOVES_ADDRESSES.fullmatch(write.key) for write in writes)


def not_after(prepared: Prepared, deadline: float) -> float:
    """The host's uptime after which a program must do nothing more: the uptime at our deadline."""
    return prepared.uptime_s + (deadline - prepared.read_at)


def change(session: Session, job: Job, prepared: Prepared, *, deadline: float, watch_s: int) -> HostOutcome:
    """Write and read back, under the host's own watchdog for so long; 0 is without one.

    CHANGED when every value is as wanted; whatever was written is put back else.
    """
    if prepared.change is None:
        raise ValueError("nothing to change")
    request = replace(prepared.change, not_after_s=not_after(prepared, deadline), watch_s=watch_s)
    done = session.run(change_program(request), deadline=deadline, limit_bytes=job.limit_bytes, privileged=True)
    record = parse_change(done.stdout)
    if record.state != "settled":
        return _row_of(record, prepared.row)
    values = {key: running.text for key, running in record.values.items() if running.text is not None}
    off = [move for move in record.moved if move[1] is None or not same(move[0], move[1], move[2] or "")]
    if off:
        key, wanted, found = off[0]
        row = _failed(prepared.row, Status.FAILED, f"{key} does not stay at {wanted}: it is {found}", None)
        return put_back(session, job, prepared, row, deadline=deadline)
    return msgspec.structs.replace(settled_row(prepared.row, values), status=Status.CHANGED)


def put_back(session: Session, job: Job, prepared: Prepared, row: HostOutcome, *, deadline: float) -> HostOutcome:
    """Have the host put everything back now: REVERTED where its record says so, FAILED where not all took."""
    record = _undo(session, job, row.error.message if row.error is not None else "it was not confirmed", deadline)
    if record.state == "reverted":
        reverted = msgspec.structs.replace(row, status=Status.REVERTED, settings=prepared.row.settings)
        return _and(reverted, "the running values were put back")
    failed = msgspec.structs.replace(row, status=Status.FAILED)
    return _and(failed, f"the running values could not be put back: {_said(record)}")


def look_up(session: Session, job: Job, row: HostOutcome, lost: HostOutcome, *, deadline: float) -> HostOutcome:
    """What became of a change whose end nobody saw; where it is neither done nor undone it is put back.

    `row` is the host's row before the change, `lost` the one that says how it was lost.
    """
    why = lost.error.message if lost.error is not None else ""
    record = _undo(session, job, f"the controller lost the host: {why}", deadline)
    row = msgspec.structs.replace(row, error=lost.error, changes=0)
    match record.state:
        case "committed":
            note = f"{why}; the host's record says that the change is committed"
            return msgspec.structs.replace(row, status=Status.CHANGED, error=None, notes=(*row.notes, note))
        case "reverted":
            reverted = msgspec.structs.replace(row, status=Status.REVERTED)
            return _and(reverted, f"the host's record says reverted: {record.why}")
        case "none":
            return _and(msgspec.structs.replace(row, status=lost.status), "nothing was written")
        case "restarted":
            said = "the host restarted meanwhile, and has what its files say"
            return _and(msgspec.structs.replace(row, status=lost.status), said)
        case _:
            failed = msgspec.structs.replace(row, status=Status.FAILED)
            return _and(failed, f"the running values could not be put back: {_said(record)}")


def _undo(session: Session, job: Job, why: str, deadline: float) -> RevertRecord:
    text = " ".join(why.split())[:200]
    undo = revert_program(job.run, "".join(letter if letter.isprintable() else "?" for letter in text))
    done = session.run(undo, deadline=deadline, limit_bytes=job.limit_bytes, privileged=True)
    return parse_revert(done.stdout)


def _said(record: RevertRecord) -> str:
    return f"{record.state}: {record.why}" if record.why else record.state


def _and(row: HostOutcome, what: str) -> HostOutcome:
    """The row with what happened after its error, in the error's own line."""
    error = row.error or ErrorRecord("ChangeError", "put back", "the change was not confirmed")
    return msgspec.structs.replace(row, error=msgspec.structs.replace(error, message=f"{error.message}; {what}"))


def _row_of(record: ChangeRecord, row: HostOutcome) -> HostOutcome:
    refused = "; ".join(f"{key} refused: {words}" for key, words in record.refusals) or record.why
    match record.state:
        case "changed_since":
            what = ", ".join(key for key, _, _ in record.moved[:5]) or record.why
            return _failed(row, Status.BLOCKED, f"changed since the plan: {what}", "plan again")
        case "locked":
            return _failed(row, Status.BLOCKED, "another run is changing this host", "try again when it is done")
        case "too_late":
            done = f"after {len(record.written)} writes" if record.written else "before the first write"
            return _failed(row, Status.FAILED, f"its time was over {done}", "raise run.deadline_s")
        case "blocked":
            return _failed(row, Status.BLOCKED, refused, "mend what the host does not allow, or leave the key out")
        case "failed":
            return _failed(row, Status.FAILED, f"{refused}; nothing was written", None)
        case "reverted":
            return _failed(row, Status.REVERTED, refused, None)
        case "refused":
            state = "not all old values could be put back" if record.written else "nothing was written"
            return _failed(row, Status.FAILED, f"{refused}; {state}", None)
        case "settled":
            return row
        case _ as never:
            assert_never(never)


def _failed(row: HostOutcome, status: Status, message: str, hint: str | None) -> HostOutcome:
    error = ErrorRecord("ChangeError", "change", message, hint)
    return msgspec.structs.replace(row, status=status, error=error, changes=0)
