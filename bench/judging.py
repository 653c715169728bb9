"""What a host and a file cost to judge: a plan of 100 keys, and `lint` of 200 lines as a process."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from sysfleet.host import Facts, Reading, Running, RunningState
from sysfleet.planning.plan import make_plan
from sysfleet.planning.records import Options
from sysfleet.policy.constraint import Constraint, Kind
from sysfleet.policy.rule import Layer, Origin, Policy, Wanted
from sysfleet.sysctl.key import Key, is_glob, with_interface
from sysfleet.sysctl.knowledge import every
from sysfleet.sysctl.loaders import Loader, SourceFile
from sysfleet.sysctl.order import place

_INTERFACES = tuple(f"eth{number}" for number in range(10))
_GLOBALS, _FAMILIES, _FILES, _HOSTS, _LINES = 60, 4, 40, 200, 200
_ORIGIN = Origin(Layer.BASE, "base", "templates/base.conf.j2", 1)


def lines() -> list[str]:
    """Each figure as a line to print."""
    alone = f"plan of a host like no other, 100 keys, {_FILES} files, 10 interfaces"
    return [
        f"{alone}: {_plan_s() * 1000:.2f} ms of CPU (wanted: 1.5)",
        f"lint of {_LINES} lines, a process: {_lint_s():.2f} s (wanted: 0.3)",
    ]


def _keys() -> tuple[list[Key], list[Key]]:
    numbers = {key: one for key, one in every().items() if one.type in ("bool", "int") and not one.gone}
    single = [key for key, one in numbers.items() if not is_glob(key) and not one.read_only]
    families = [key for key in numbers if is_glob(key) and ".conf." in key]
    return single[:_GLOBALS], families[:_FAMILIES]


def _plan_s() -> float:
    single, families = _keys()
    patterns = [*single, *(with_interface(key, "eth*") for key in families)]
    rules = [Wanted(pattern, Constraint(Kind.VALUE, ("1",)), _ORIGIN) for pattern in patterns]
    policy = Policy(("web",), tuple(sorted(rules, key=lambda rule: place(rule.pattern))))
    keys = [*single, *(with_interface(key, name) for key in families for name in ("all", "default", *_INTERFACES))]
    values = dict.fromkeys(keys, Running(RunningState.VALUE, "1"))
    named = [
        SourceFile(f"/etc/sysctl.d/{number:02}-site.conf", f"{single[number % len(single)]} = 1\n".encode())
        for number in range(_FILES - 1)
    ]
    facts = Facts(kernel="6.1.0", loader=Loader.SYSTEMD, interfaces=("lo", *_INTERFACES))
    taken = []
    for number in range(_HOSTS):
        files = (*named, SourceFile("/etc/sysctl.d/zz-own.conf", f"# host {number}\n".encode()))
        reading = Reading(facts, files, values)
        begun = time.process_time()
        make_plan(policy, reading, Options())
        taken.append(time.process_time() - begun)
    return sorted(taken)[len(taken) // 2]


def _lint_s() -> float:
    single, _ = _keys()
    text = "".join(f"{single[number % len(single)]} = {number % 3}\n" for number in range(_LINES))
    with tempfile.TemporaryDirectory(prefix="sysfleet-bench-") as folder:
        path = Path(folder) / "site.conf"
        path.write_text(text, encoding="utf-8")
        taken = []
        for _ in range(5):
            begun = time.perf_counter()
            subprocess.run(
                [sys.executable, "-m", "sysfleet", "lint", str(path)], stdout=subprocess.DEVNULL, check=False
            )
            taken.append(time.perf_counter() - begun)
    return min(taken)
