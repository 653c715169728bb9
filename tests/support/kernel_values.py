"""What the real kernel makes of values: each is written to a key of namespaces of its own and read back."""

import json
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sysfleet.sysctl.key import Key, key_path
from tests.support.needs import needs, needs_namespaces

INTERFACE = "v0"
_LINKS = "ip link set lo up && ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up"


@dataclass(frozen=True)
class Kept:
    """One write: the value before, the error's name or None, and the value after; None is unreadable."""

    before: str
    value: str
    error: str | None
    after: str | None


def kept(wishes: Mapping[Key, Sequence[str]]) -> dict[Key, list[Kept]]:
    """Each value written to its key, from the same start; keys that are not there or read-only are left out."""
    worker = Path(__file__).with_name("value_worker.py")
    program = f'{_LINKS} && exec "$@"'
    request = json.dumps([(key_path(key), list(values)) for key, values in wishes.items()]) + "\n"
    needs("ip")
    done = subprocess.run(
        [needs_namespaces(), "-Urnmiu", "sh", "-c", program, "sh", sys.executable, "-S", str(worker)],
        input=request,
        capture_output=True,
        text=True,
        check=True,
        timeout=100,
    )
    return {
        key: [Kept(before, value, error, after) for value, (before, error, after) in zip(values, one, strict=True)]
        for (key, values), one in zip(wishes.items(), json.loads(done.stdout), strict=True)
        if one is not None
    }
