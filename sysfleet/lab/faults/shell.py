"""Root's login shell on a host that lies, has no PATH or is cut while it speaks: a script before the real one.

A liar never runs what it is sent. Where it forges a frame, it has read the mark as any host can: from its input.

- `floods`: a gigabyte of text without a frame; `floods_in_frame`: the same after the frame has begun. The text ends
  when nobody reads it any more.
- `endless_line`: a gigabyte without a line break.
- `sends_binary`: every byte there is, before the frame and in it; status 0.
- `sends_escapes`: sequences that clear, retitle, colour, overwrite and reverse, on both streams, before the frame
  and in it; status 0.
- `sends_other_mark`: a whole frame with a mark that nobody gave, then the right one, begun, and ended by the other.
- `drops_mid_read`: the real shell's output, but after 1,000 bytes, or its end, the relay (`way`) is told to cut.
- `no_path`: the real shell without PATH in its environment; it may have a default of its own.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection
from pathlib import Path

from sysfleet.lab.faults.names import OF_ROOT_S_SHELL, Fault
from sysfleet.lab.faults.way import CUT

# What is made for a host alone, out of the way of what is looked at.
OWN_FOLDER = "opt/lab"
FLOOD_BYTES = 1 << 30
CUT_AFTER_BYTES = 1000
OTHER_MARK = "0123456789abcdef" * 2

_LOGIN_SHELL = f"{OWN_FOLDER}/login-shell"
_PAYLOAD = f"{OWN_FOLDER}/payload"
_START_FILES = frozenset({"noisy_start_files", "start_file_set_e"})

BINARY = bytes(range(256)) * 64
ESCAPES = (
    b"\x1b[2J\x1b[H\x1b]0;all is well\x07\x1b]52;c;cm0gLXJm\x07\x1b]8;;https://sysfleet.invalid\x1b\\here\x1b]8;;\x1b\\\n"
    b"refused\rallowed\x08\x08\x1b[31m red \x1b[?1049h\x9b2J \xe2\x80\xaegnp.txt\x1bP1$q\x1b\\\x1bc\n"
)

_LEARN_MARK = """\
mark=
printf '\\nsysfleet-ready\\n'
while IFS= read -r line; do
    case $line in sysfleet-mark:*) mark=${line#*:}; break ;; esac
done
printf '\\n%s begin\\n' "$mark"
"""
_END = """\
printf '\\n%s end 0\\n' "$mark"
"""
_SEND = f"cat /{_PAYLOAD}\n"

_BODIES: dict[Fault, str] = {
    "floods": f"yes 'this is not what you asked for' | head -c {FLOOD_BYTES}\n",
    "floods_in_frame": f"{_LEARN_MARK}yes 'V net/ipv4/ip_forward' | head -c {FLOOD_BYTES}\n{_END}",
    "endless_line": f"tr '\\000' x </dev/zero | head -c {FLOOD_BYTES}\n",
    "sends_binary": f"{_SEND}{_LEARN_MARK}{_SEND}{_END}",
    "sends_escapes": f"{_SEND}{_SEND.strip()} >&2\n{_LEARN_MARK}{_SEND}{_END}",
    "sends_other_mark": f"""\
printf '\\n{OTHER_MARK} begin\\nthis is another host\\n\\n{OTHER_MARK} end 0\\n'
{_LEARN_MARK}printf 'this is not\\n\\n{OTHER_MARK} end 0\\n'
""",
}


def login_shell(shell: str, faults: Collection[Fault]) -> str:
    """What root's line of the host's passwd names: `shell`, unless that is where a fault is.

    The default shell reads no start files, so that a host whose start files are odd has bash instead.
    """
    if not OF_ROOT_S_SHELL.isdisjoint(faults):
        return f"/{_LOGIN_SHELL}"
    return _real_shell(shell, faults)


def _real_shell(shell: str, faults: Collection[Fault]) -> str:
    is_odd = shell == "/bin/sh" and not _START_FILES.isdisjoint(faults)
    return "/bin/bash" if is_odd else shell


def install(root: Path, shell: str, faults: Collection[Fault]) -> None:
    """Write the script below `root`, where a fault needs it."""
    if OF_ROOT_S_SHELL.isdisjoint(faults):
        return
    path = root / _LOGIN_SHELL
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(_script(_real_shell(shell, faults), faults), encoding="utf-8")
    path.chmod(0o755)
    (root / _PAYLOAD).write_bytes(ESCAPES if "sends_escapes" in faults else BINARY)


def _script(shell: str, faults: Collection[Fault]) -> str:
    lines = ["#!/bin/sh", f"SHELL={shlex.quote(shell)}"]
    body = next((body for fault, body in _BODIES.items() if fault in faults), None)
    if "drops_mid_read" in faults:
        # The relay cuts soon; until then nothing may tell the client that all is well.
        body = f"""\
port=${{SSH_CONNECTION#* }}
"$SHELL" "$@" | {{ head -c {CUT_AFTER_BYTES}; echo "${{port%% *}}" >{CUT}; cat >/dev/null; sleep 60; }}
"""
    if "no_path" in faults:
        lines.append("unset PATH")
    return "\n".join([*lines, body or 'exec "$SHELL" "$@"\n'])
