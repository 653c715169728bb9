"""Confirm over a new login that the change holds, and put our file in place; only then is it there to stay."""

from __future__ import annotations

from dataclasses import replace

import msgspec

from sysfleet.outcome import ErrorRecord, HostOutcome, Status
from sysfleet.remote.programs.persisting import parse_persist, persist_program
from sysfleet.remote.session import Session
from sysfleet.sysctl.value import same
from sysfleet.tasks.change import not_after
from sysfleet.tasks.job import Job, Prepared

_STATUS = {
    "committed": Status.CHANGED,
    "changed_since": Status.BLOCKED,
    "locked": Status.BLOCKED,
    "blocked": Status.BLOCKED,
    "too_late": Status.FAILED,
    "failed": Status.FAILED,
    "reverted": Status.REVERTED,
}


_WORDS = {
    "changed_since": "changed since the plan: {}",
    "locked": "another run is changing this host",
    "too_late": "its time was over before the file could be written",
    "reverted": "the host had put the change back before it was confirmed: {}",
}


def confirm(session: Session, job: Job, prepared: Prepared, row: HostOutcome, *, deadline: float) -> HostOutcome:
    """Check the values again and write the file; CHANGED, UNVERIFIED when a value had moved, or why not."""
    request = replace(prepared.persist, not_after_s=not_after(prepared, deadline))
    done = session.run(persist_program(request), deadline=deadline, limit_bytes=job.limit_bytes, privileged=True)
    record = parse_persist(done.stdout)
    status = _STATUS[record.state]
    if status is not Status.CHANGED:
        hint = "plan again" if record.state in _WORDS else "mend the folder of our file on the host"
        error = ErrorRecord("ChangeError", "confirm", _WORDS.get(record.state, "{}").format(record.why), hint)
        return msgspec.structs.replace(row, status=status, error=error, changes=0)
    moved = [each for each in record.moved if each[1] is None or not same(each[0], each[1], each[2] or "")]
    if moved:
        key, wanted, found = moved[0]
        more = f" (+{len(moved) - 1})" if len(moved) > 1 else ""
        error = ErrorRecord("VerifyError", "confirm", f"{key} moved from {wanted} to {found}{more}")
        return msgspec.structs.replace(row, status=Status.UNVERIFIED, error=error)
    return msgspec.structs.replace(row, status=Status.CHANGED)
