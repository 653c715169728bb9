"""The reading that a plan should leave behind: the other half of the law that planning again writes nothing."""

from __future__ import annotations

from dataclasses import replace

from sysfleet.host import Reading, Running, RunningState
from sysfleet.planning.boots import files_with
from sysfleet.planning.records import Plan
from sysfleet.sysctl.effects import apply_write


def predicted(reading: Reading, plan: Plan) -> Reading:
    """Values with the kernel's side effects of the plan's writes, and files with our new one."""
    values = {key: running.text for key, running in reading.values.items() if running.text is not None}
    for write in plan.writes:
        apply_write(values, write.key, write.value)
    texts = {
        key: Running(RunningState.VALUE, values[key]) if key in values else running
        for key, running in reading.values.items()
    }
    files = files_with(reading.files, plan.file.path, plan.file.after) if plan.file.changes else reading.files
    return replace(reading, values=texts, files=files)
