"""What a run reads before it contacts anybody: known_hosts of 10,000 lines, an ssh_config for 10,000 hosts."""

from __future__ import annotations

import base64
import secrets
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from sysfleet.remote.known_hosts import KnownHosts
from sysfleet.remote.ssh_config import SshConfig
from sysfleet.remote.ssh_ways import Surroundings, Ways

_LINES = 10_000
_RACKS = 66  # a block of three lines each


def lines() -> list[str]:
    """Each figure as a line to print."""
    plain = "".join(
        f"host{number}.example.net,10.0.{number >> 8}.{number & 255} {_key()}\n" for number in range(_LINES)
    )
    hashed = "".join(f"|1|{_noise()}|{_noise()} {_key()}\n" for _ in range(_LINES))
    found = [*_known_hosts("plain", plain, rounds=_LINES), *_known_hosts("hashed", hashed, rounds=20)]
    return [*found, _ssh_config()]


def _known_hosts(kind: str, text: str, *, rounds: int) -> list[str]:
    def read() -> KnownHosts:
        known = KnownHosts()
        known.add(text.encode(), "known_hosts")
        return known

    known = read()

    def look_up() -> None:
        for number in range(rounds):
            known.lookup(f"host{number}.example.net")

    asked_ms = _best(look_up, rounds=1) / rounds * 1000
    wanted = " (wanted: 0.1)" if kind == "plain" else " (a walk over all lines, once a name)"
    return [
        f"known_hosts, {_LINES} {kind} lines: read in {_best(read):.3f} s (wanted: 0.3)",
        f"known_hosts, {_LINES} {kind} lines: a look-up {asked_ms:.4f} ms{wanted}",
    ]


def _ssh_config() -> str:
    with tempfile.TemporaryDirectory(prefix="sysfleet-bench-") as folder:
        path = Path(folder) / "config"
        path.write_text("".join(f"Host rack{n}-*\n  User u{n}\n  Port {2000 + n}\n" for n in range(_RACKS)))
        around = Surroundings(Path(folder), "me", {})

        def look_up() -> None:
            ways = Ways(SshConfig.load(path, home=Path(folder)), around)
            for number in range(_LINES):
                ways.of(f"rack{number % _RACKS}-{number}", user=None, port=None, default_user="me")

        return f"ssh_config of {3 * _RACKS} lines, {_LINES} hosts: {_best(look_up):.2f} s (wanted: 1)"


def _best(work: Callable[[], object], rounds: int = 3) -> float:
    taken = []
    for _ in range(rounds):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return min(taken)


def _key() -> str:
    blob = len(b"ssh-ed25519").to_bytes(4, "big") + b"ssh-ed25519" + (32).to_bytes(4, "big") + secrets.token_bytes(32)
    return "ssh-ed25519 " + base64.b64encode(blob).decode()


def _noise() -> str:
    return base64.b64encode(secrets.token_bytes(20)).decode()
