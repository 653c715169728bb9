"""Read one host: one program, one round trip, unless the policy turns out to name keys that were not asked for."""

from __future__ import annotations

from dataclasses import replace

from sysfleet.errors import ReadError
from sysfleet.host import Reading
from sysfleet.remote.programs.reading import ReadRequest, parse_reading, read_program
from sysfleet.remote.session import Session
from sysfleet.sysctl.key import Key
from sysfleet.tasks.job import Job


def read(session: Session, job: Job, patterns: tuple[Key, ...], *, deadline: float) -> Reading:
    """Facts, files and the values of these keys and globs; raises HostError."""
    request = ReadRequest(patterns=patterns, our_file=job.planner.options.path)
    done = session.run(
        read_program(request), deadline=deadline, limit_bytes=job.limit_bytes, privileged=job.privileged_read
    )
    if done.status != 0:
        raise ReadError(
            f"the reading ended with status {done.status}",
            phase="read",
            evidence=done.stderr.decode("utf-8", "replace"),
        )
    return parse_reading(done.stdout)


def read_more(session: Session, job: Job, reading: Reading, left: tuple[Key, ...], *, deadline: float) -> Reading:
    """The reading with keys that were not foreseen, at the cost of a second exec; its facts and files are the later."""
    more = read(session, job, left, deadline=deadline)
    return replace(more, values={**reading.values, **more.values})
