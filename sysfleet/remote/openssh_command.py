"""What the OpenSSH client is told: its command line, and the configuration that goes before the person's own.

Text in, text out. What holds for bastions too stands in the configuration: ssh hands that on to the ssh that it starts
for a bastion, and the options of its command line it does not.
"""

from __future__ import annotations

import math
import re
import shlex
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sysfleet.errors import UsageError
from sysfleet.remote.target import Hop

LOGIN = b"sysfleet-login\n"
"""What the login shell's command prints as soon as it runs: host and login are proven."""

# Waits for one line, the command: so a login can be proven before it is known what is to be run.
WAITING = "sh -c 'echo sysfleet-login; IFS= read -r l; eval \"$l\"'"

# The first value that ssh finds for an option is the one it takes.
_ALWAYS = """\
BatchMode yes
StrictHostKeyChecking yes
NoHostAuthenticationForLocalhost no
UpdateHostKeys no
PermitLocalCommand no
ForwardAgent no
ForwardX11 no
LogLevel INFO
"""
_OWN_FILES = ("~/.ssh/config", "/etc/ssh/ssh_config")
_GLOBAL_KNOWN_HOSTS = ("/etc/ssh/ssh_known_hosts", "/etc/ssh/ssh_known_hosts2")

# Neither ssh's parser nor its expansion makes anything of these, inside double quotes.
_UNQUOTABLE = re.compile(r'["\\\x00-\x1f\x7f]|\$\{')
# ssh hands the name of a host behind a bastion to a shell.
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.:%@+][A-Za-z0-9_.:%@+-]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the run's settings say of the OpenSSH client; empty is ssh's own choice.

    `known_hosts` replaces all other files of host keys, `more_known_hosts` is read besides them. `preferred_kex`
    are key exchanges to try first, where the configuration names none.
    """

    program: str = "ssh"
    config: Path | None = None
    known_hosts: tuple[Path, ...] = ()
    more_known_hosts: tuple[Path, ...] = ()
    identities: tuple[Path, ...] = ()
    agent: bool = True
    preferred_kex: str | None = None


def preferred_kex(version: str) -> str | None:
    """What an ssh of this version (`ssh -V`) is to try first.

    From 9.0 until 10.0 the first one is sntrup761: 75 ms of CPU on each side, where curve25519 takes 1. What travels
    here need not stay secret for decades.
    """
    found = re.search(r"OpenSSH_(\d+)\.\d", version)
    return "curve25519-sha256" if found is not None and int(found[1]) == 9 else None


def configuration(options: Options, *, connect_timeout_s: float) -> str:
    """The text for `ssh -F`."""
    lines = [_ALWAYS, f"ConnectTimeout {max(1, math.ceil(connect_timeout_s))}\n"]
    if options.known_hosts:
        lines.append(f"UserKnownHostsFile {_paths(options.known_hosts)}\nGlobalKnownHostsFile /dev/null\n")
    elif options.more_known_hosts:
        more = [Path(name) for name in _GLOBAL_KNOWN_HOSTS] + list(options.more_known_hosts)
        lines.append(f"GlobalKnownHostsFile {_paths(more)}\n")
    if not options.agent:
        lines.append("IdentityAgent none\n")
    lines += [f"IdentityFile {_paths([path])}\n" for path in options.identities]
    own = _OWN_FILES if options.config is None else (_quoted(str(options.config)),)
    lines += [f"Include {name}\n" for name in own]
    if options.preferred_kex is not None:
        lines.append(f"Match all\nKexAlgorithms ^{options.preferred_kex}\n")
    return "".join(lines)


def login(
    options: Options,
    target: Hop,
    *,
    configuration: Path,
    log: Path,
    socket: Path | None,
    command: str | None,
    through: Path | None = None,
    in_terminal: bool = False,
) -> list[str]:
    """The command line that logs in and runs `command`, over a TCP connection of its own.

    With `socket`, others may share that connection for as long as the command runs; without a command, for as long
    as the process does. `through` is the socket of a bastion's connection.
    """
    if socket is None:
        shared = ["-o", "ControlPath=none", "-o", "ControlMaster=no"]  # before all else, or another's is taken
    else:
        shared = ["-o", f"ControlPath={_escaped(str(socket))}", "-o", "ControlMaster=yes", "-o", "ControlPersist=no"]
    return [
        *(options.program, *shared, "-F", str(configuration), "-E", str(log), *_common(in_terminal=in_terminal)),
        *("-o", "ClearAllForwardings=yes", "-o", "RemoteCommand=none"),
        *(*_place(target), *_before(options, target, through)),
        *(["-N", "--", target.address] if command is None else ["--", target.address, command]),
    ]


def asked(options: Options, target: Hop, *, configuration: Path) -> list[str]:
    """The command line that prints what ssh would do to log in, and connects to nothing."""
    return [options.program, "-G", "-F", str(configuration), *_place(target), "--", target.address]


def over(options: Options, *, log: Path, socket: Path, command: str, in_terminal: bool = False) -> list[str]:
    """The command line that runs `command` over the connection behind `socket`, and never over one of its own."""
    common = _common(in_terminal=in_terminal)
    return [options.program, *_shared(socket), "-F", "none", "-E", str(log), *common, "--", "shared", command]


def _common(*, in_terminal: bool) -> list[str]:
    return ["-tt" if in_terminal else "-T", "-o", "LogLevel=DEBUG2", "-o", "EscapeChar=none"]


def while_read(words: Sequence[str]) -> list[str]:
    """The command line of a process that ends with whoever holds its input, even if that one is killed."""
    watch = 'exec 3<&0; "$@" </dev/null 3<&- & exec >/dev/null 2>&1; read -r line <&3; kill "$!"; wait'
    return ["sh", "-c", watch, "sh", *words]


def _place(target: Hop) -> list[str]:
    return [
        *(["-p", str(target.port)] if target.port_said else []),
        *(["-l", target.user] if target.user_said else []),
    ]


def _before(options: Options, target: Hop, through: Path | None) -> list[str]:
    """How the connection is made, where that is not for the person's own configuration to say."""
    if through is None:
        return ["-o", "ProxyJump=none"] if target.direct else []
    if not _PLAIN_NAME.fullmatch(target.address):
        raise UsageError(f"{target.address!r} cannot be the name of a host behind a bastion")
    words = [options.program, "-F", "none", *_shared(through), "-o", "LogLevel=ERROR", "-W"]
    command = " ".join(shlex.quote(_escaped(word)) for word in words)
    return ["-o", f"ProxyCommand={command} '[%h]:%p' shared", "-o", "ProxyUseFdpass=no"]


def _shared(socket: Path) -> list[str]:
    """Over the connection behind a socket; where it is gone, the way to another one is a program that fails."""
    return ["-o", f"ControlPath={_escaped(str(socket))}", "-o", "ControlMaster=no", "-o", "ProxyCommand=false"]


def _paths(paths: Iterable[Path]) -> str:
    return " ".join(_quoted(_escaped(str(path))) for path in paths)


def _escaped(text: str) -> str:
    return text.replace("%", "%%")


def _quoted(text: str) -> str:
    if _UNQUOTABLE.search(text):
        raise UsageError(f"{text!r} cannot be written in ssh's configuration", hint="give the file another path")
    return f'"{text}"'
