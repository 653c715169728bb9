"""One measurement in a process of its own: `python -m bench.measured KIND PROJECT WORKERS`, one line of JSON out.

The clock starts when everything is imported and read: process start is left out. CPU of the hosts is all that the
machine spent less what this process did, so nothing else should be running.
"""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.floors import Shared, every, nine_values, programs
from sysfleet.fleet import Fleet
from sysfleet.outcome import FleetReport
from sysfleet.settings import DEFAULT_FILE, override, parse


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one measurement; CPU in milliseconds a host, memory is the process's peak."""

    kind: str
    hosts: int
    elapsed_s: float
    hosts_per_s: float
    controller_cpu_ms: float
    host_cpu_ms: float
    peak_mib: float
    statuses: dict[str, int]


def machine_cpu_s() -> float:
    """All CPU seconds that the machine has spent, idle and waiting left out."""
    fields = [int(word) for word in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / os.sysconf("SC_CLK_TCK")


def measure(kind: str, hosts: int, work: Callable[[], dict[str, int]]) -> Figures:
    """Do the work once and tell what it took."""
    machine, own, begun = machine_cpu_s(), time.process_time(), time.perf_counter()
    statuses = work()
    elapsed_s = time.perf_counter() - begun
    controller_s = time.process_time() - own
    host_s = machine_cpu_s() - machine - controller_s
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Figures(
        kind,
        hosts,
        round(elapsed_s, 3),
        round(hosts / elapsed_s, 1),
        round(1000 * controller_s / hosts, 2),
        round(1000 * host_s / hosts, 2),
        round(peak_mib, 1),
        statuses,
    )


def opened(project: Path, workers: int) -> Fleet:
    """The lab's fleet, with so many workers."""
    settings = parse((project / DEFAULT_FILE).read_text(), DEFAULT_FILE)
    settings = override(settings, [f"run.workers={workers}", "run.batch=100%"])
    return Fleet(project, settings, environ=dict(os.environ))


def ports(fleet: Fleet) -> list[int]:
    """Where the hosts listen."""
    return [fleet.project.inventory.connection_of(name).port or 22 for name in fleet.project.inventory.hosts]


def _counts(report: FleetReport) -> dict[str, int]:
    return {name: number for name, number in report.summary.items() if name != "hosts"}


def _floor(fleet: Fleet, workers: int, work: Callable[[int, Shared], None]) -> Callable[[], dict[str, int]]:
    shared = Shared.load(fleet.project.folder)

    def run() -> dict[str, int]:
        every(ports(fleet), workers, lambda port: work(port, shared))
        return {}

    return run


def work_of(kind: str, fleet: Fleet, workers: int) -> Callable[[], dict[str, int]]:
    """What a kind of measurement does."""
    from bench.payloads import change_rounds, read_rounds

    match kind:
        case "floor-a":
            return _floor(fleet, workers, nine_values)
        case "floor-b-check":
            return _floor(fleet, workers, programs(read_rounds(fleet)))
        case "floor-b-apply":
            return _floor(fleet, workers, programs(change_rounds(fleet)))
        case "check":
            return lambda: _counts(fleet.check())
        case "apply":
            return lambda: _counts(fleet.apply())
        case _:
            raise SystemExit(f"no such measurement: {kind}")


def main(kind: str, project: str, workers: str) -> None:
    """Measure once and print."""
    fleet = opened(Path(project), int(workers))
    figures = measure(kind, len(fleet.project.inventory.hosts), work_of(kind, fleet, int(workers)))
    sys.stdout.write(json.dumps(asdict(figures)) + "\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
