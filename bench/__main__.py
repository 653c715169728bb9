"""`make bench`: brings a lab up, measures each thing in a process of its own, prints one table and the ratios."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bench import judging, lookups
from sysfleet.lab import Lab
from sysfleet.sample import sample_folder

_LONGEST_S = 900
_CRAMPED = 1000  # hosts for the measurement of memory: each lab host under several names


def main() -> None:
    """All measurements, in an order that never needs a lab twice that was changed."""
    options = _options()
    print(f"{options.hosts} hosts, {options.workers} workers, best of {options.rounds}; {os.cpu_count()} cores")
    found: dict[str, dict[str, Any]] = {}
    with _lab(options.hosts) as lab:
        print(f"lab: {lab.mode}, {lab.backend}")
        # In turn, round after round: whatever else the machine does then touches them all alike.
        found |= _best(("floor-a", "floor-b-check", "check"), lab.folder, options)
        with _multiplied(lab.folder, _CRAMPED):
            found[f"check, {_CRAMPED} hosts"] = _measured("check", lab.folder, options.workers)
            peak_mib = _peak_mib(lab.folder, "check", "--format", "json")
        found["apply"] = _measured("apply", lab.folder, options.workers)
        found["apply, nothing to do"] = _best(("apply",), lab.folder, options)["apply"]
    with _lab(options.hosts) as lab:
        found["floor-b-apply"] = _measured("floor-b-apply", lab.folder, options.workers)
    _table(found)
    _ratios(found)
    print(f"check --format json of {_CRAMPED} hosts with drift, whole process: peak {peak_mib:.0f} MiB (wanted: 120)")
    with _lab(50) as lab:
        print(f"check of 50 hosts, cold, whole process: {_whole(lab.folder, 'check', (1,)):.2f} s (wanted: under 3)")
        if shutil.which("ssh"):
            by_ssh_s = _whole(lab.folder, "check", (1,), "--set", "ssh.connection=openssh")
            print(f"the same over the system's ssh: {by_ssh_s:.2f} s")
        changed_s = _whole(lab.folder, "apply", (0,), "--yes", "--batch", "100%")
        print(f"apply of 50 hosts, cold, whole process: {changed_s:.2f} s (wanted: under 3)")
    print("\n".join([*lookups.lines(), *judging.lines()]))
    print(f"sysfleet --help: {min(_help_s() for _ in range(5)):.3f} s (wanted: 0.15)")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("-n", "--hosts", type=int, default=200, help="hosts in the lab (default: 200)")
    parser.add_argument("--workers", type=int, default=50, help="threads (default: 50)")
    parser.add_argument("--rounds", type=int, default=5, help="repetitions of what changes nothing (default: 5)")
    return parser.parse_args()


@contextmanager
def _lab(hosts: int) -> Iterator[Lab]:
    with (
        tempfile.TemporaryDirectory(prefix="sysfleet-bench-") as folder,
        Lab.up(Path(folder) / "lab", hosts, templates=sample_folder("templates")) as lab,
    ):
        yield lab


def _measured(kind: str, project: Path, workers: int) -> dict[str, Any]:
    words = [sys.executable, "-m", "bench.measured", kind, str(project), str(workers)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_LONGEST_S)
    if done.returncode != 0:
        raise SystemExit(f"{kind}: {done.stderr}")
    figures: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return figures


def _best(kinds: tuple[str, ...], project: Path, options: argparse.Namespace) -> dict[str, dict[str, Any]]:
    runs = [{kind: _measured(kind, project, options.workers) for kind in kinds} for _ in range(options.rounds)]
    return {kind: max((run[kind] for run in runs), key=lambda run: float(run["hosts_per_s"])) for kind in kinds}


@contextmanager
def _multiplied(project: Path, hosts: int) -> Iterator[None]:
    """Give every lab host several names for a while, so that a run has this many rows."""
    path = project / "inventory" / "hosts.yaml"
    before = path.read_text()
    blocks = _blocks(before)
    rows = [(f"{name}-{copy}:", body) for copy in range(-(-hosts // len(blocks))) for name, body in blocks]
    path.write_text("\n".join(line for head, body in rows[:hosts] for line in (head, *body)) + "\n")
    yield
    path.write_text(before)


def _blocks(text: str) -> list[tuple[str, list[str]]]:
    blocks: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if line and not line.startswith((" ", "-", "#")):
            blocks.append((line.rstrip(":"), []))
        elif blocks and line.startswith(" "):
            blocks[-1][1].append(line)
    return blocks


def _table(found: dict[str, dict[str, Any]]) -> None:
    print(f"\n{'':24} {'hosts':>6} {'s':>8} {'hosts/s':>8} {'controller':>11} {'hosts CPU':>11} {'peak':>9}")
    for kind, figures in found.items():
        print(
            f"{kind:24} {figures['hosts']:6} {figures['elapsed_s']:8.2f} {figures['hosts_per_s']:8.1f}"
            f" {figures['controller_cpu_ms']:8.2f} ms {figures['host_cpu_ms']:8.2f} ms"
            f" {figures['peak_mib']:5.1f} MiB  {figures['statuses'] or ''}"
        )


def _ratios(found: dict[str, dict[str, Any]]) -> None:
    def rate(one: str, other: str) -> float:
        return float(found[one]["hosts_per_s"]) / float(found[other]["hosts_per_s"])

    cpu = found["check"]["controller_cpu_ms"] / found["floor-a"]["controller_cpu_ms"]
    print(f"\ncheck / floor A: {rate('check', 'floor-a'):.2f} (wanted: 0.65)")
    print(f"check / floor B: {rate('check', 'floor-b-check'):.2f} (wanted: 0.90)")
    print(f"controller CPU, check / floor A: {cpu:.2f} (wanted: at most 1.5)")
    print(f"apply with changes / floor A: {rate('apply', 'floor-a'):.2f}")
    print(f"apply with changes / floor B: {rate('apply', 'floor-b-apply'):.2f}")
    print(f"apply with nothing to do / check: {rate('apply, nothing to do', 'check'):.2f}")


def _peak_mib(project: Path, *arguments: str) -> float:
    words = [sys.executable, "-m", "sysfleet", "--project", str(project), *arguments]
    with subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        _, _, usage = os.wait4(process.pid, 0)
        process.returncode = 0
    return usage.ru_maxrss / 1024


def _whole(project: Path, command: str, ends: tuple[int, ...], *flags: str) -> float:
    words = [sys.executable, "-m", "sysfleet", "--project", str(project), command, *flags]
    begun = time.perf_counter()
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=_LONGEST_S)
    elapsed_s = time.perf_counter() - begun
    if done.returncode not in ends:
        raise SystemExit(f"{command}: {done.stdout}{done.stderr}")
    return elapsed_s


def _help_s() -> float:
    begun = time.perf_counter()
    subprocess.run([sys.executable, "-m", "sysfleet", "--help"], capture_output=True, check=True)
    return time.perf_counter() - begun


if __name__ == "__main__":
    main()
