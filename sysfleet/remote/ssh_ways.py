"""What an ssh_config says of the way to one server: the options that apply, expanded and judged.

Knows what each option means here; reads no file itself, and contacts nobody.
"""

from __future__ import annotations

import fnmatch
import os
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sysfleet.errors import Problem
from sysfleet.remote.ssh_config import Applied, Option, SshConfig
from sysfleet.remote.ssh_options import HARMLESS, NAMES, ONLY, REFUSED

_ELSEWHERE = 'connection = "openssh" follows it'
# What ends up in a command line for a shell: nothing in it may mean anything there.
_PLAIN = re.compile(r"[A-Za-z0-9_.:@%+=,/~-]*", re.ASCII)
# sshd_config(5), TIME FORMATS: `90`, `1m30s`.
_TIME = re.compile(r"([0-9]+)([smhdw]?)", re.IGNORECASE)
_TIMES = re.compile(r"(?:[0-9]+[smhdw]?)+", re.IGNORECASE)
_UNITS_S = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
_LONGEST_S = 3600


@dataclass(frozen=True, slots=True)
class KeyChoice:
    """Which keys to offer: files (None: the usual ones), an agent's socket, and whether just those of it in files."""

    files: tuple[Path, ...] | None
    agent: str | None
    only: bool


@dataclass(frozen=True, slots=True)
class TrustChoice:
    """Which files of host keys to ask: the user's and everybody's; None: the usual ones."""

    users: tuple[Path, ...] | None
    everybodys: tuple[Path, ...] | None


@dataclass(frozen=True, slots=True)
class Said:
    """What a config says of one server; None is nothing. `problems` has every option that cannot be followed."""

    address: str | None = None
    port: int | None = None
    user: str | None = None
    known_as: str | None = None
    jump: str | None = None
    proxy_command: str | None = None
    keys: KeyChoice | None = None
    trust: TrustChoice | None = None
    connect_timeout_s: float | None = None
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What tokens and variables stand for on this machine."""

    home: Path
    local_user: str
    environ: Mapping[str, str] = field(repr=False)
    machine: str = field(default_factory=socket.gethostname)


class Ways:
    """The ways to servers by name, each looked up once."""

    def __init__(self, config: SshConfig, around: Surroundings) -> None:
        self._config = config
        self._around = around
        self._found: dict[tuple[str, str | None, int | None, str], Said] = {}

    def of(self, name: str, *, user: str | None, port: int | None, default_user: str) -> Said:
        """What is said of a name as somebody would type it after `ssh`; user and port are those that are asked for."""
        key = (name, user, port, default_user)
        found = self._found.get(key)
        if found is None:
            applied = self._config.applied(
                name, user=user, local_user=self._around.local_user, default_user=default_user
            )
            found = self._found[key] = _Reading(applied, self._around, name, user, port, default_user).said()
        return found


class _Reading:
    def __init__(
        self, applied: Applied, around: Surroundings, name: str, user: str | None, port: int | None, default_user: str
    ) -> None:
        self._first = applied.first
        self._several = applied.several
        self._around = around
        self._problems = list(applied.problems)
        self._tokens = {"n": name, "h": name, "d": str(around.home), "u": around.local_user, "i": str(os.getuid())}
        self._tokens |= {"l": around.machine, "L": around.machine.partition(".")[0]}
        self._name, self._user, self._port, self._default_user = name, user, port, default_user

    def said(self) -> Said:
        self._judge()
        host = self._first.get("hostname")
        address = self._expanded(host, host.value, "h") if host is not None else None
        self._tokens["h"] = address or self._name
        port = self._number("port", 65535)
        user = self._value("user")
        self._tokens |= {"p": str(self._port or port or 22), "r": self._user or user or self._default_user}
        known_as = self._value("hostkeyalias")
        self._tokens["k"] = known_as or self._name
        proxy_command = self._proxy_command()
        return Said(
            address=address,
            port=port,
            user=user,
            known_as=known_as,
            jump=self._jump(),
            proxy_command=proxy_command,
            keys=self._keys(),
            trust=self._trust(),
            connect_timeout_s=self._timeout_s(),
            problems=tuple(self._problems),
        )

    def _judge(self) -> None:
        ignored = self._first.get("ignoreunknown")
        patterns = [part.lower() for word in (ignored.values if ignored else ()) for part in word.split(",")]
        options = [*self._first.values(), *(one for several in self._several.values() for one in several)]
        for option in options:
            name = NAMES.get(option.name)
            if name is None:
                if not any(fnmatch.fnmatchcase(option.name, pattern) for pattern in patterns):
                    self._refuse(option, f"the option {option.name} cannot be honoured here", _ELSEWHERE)
            elif name in REFUSED:
                self._refuse(option, f"{name} cannot be honoured here: {REFUSED[name]}", _ELSEWHERE)
            elif name in ONLY and option.value.lower() not in ONLY[name][0]:
                self._refuse(option, f"{name} {option.value} cannot be honoured here: {ONLY[name][1]}", _ELSEWHERE)
            elif name not in HARMLESS and not option.values:
                self._refuse(option, f"{name} has no value")

    def _refuse(self, option: Option, what: str, hint: str | None = None) -> None:
        self._problems.append(option.problem(what, hint))

    def _value(self, name: str) -> str | None:
        option = self._first.get(name)
        return option.value if option is not None and option.values else None

    def _jump(self) -> str | None:
        """The bastions with their tokens, which ssh hands to the command that goes to them."""
        option = self._first.get("proxyjump")
        return self._expanded(option, option.value, "hnpr") if option is not None and option.values else None

    def _timeout_s(self) -> int | None:
        option = self._first.get("connecttimeout")
        if option is None or option.value.lower() == "none":
            return None
        parts = _TIME.findall(option.value) if _TIMES.fullmatch(option.value) else []
        seconds = sum(int(count[:9]) * _UNITS_S[unit.lower()] for count, unit in parts)
        if not 0 < seconds <= _LONGEST_S:
            self._refuse(option, f"ConnectTimeout {option.value} is no time from 1 to {_LONGEST_S} seconds")
            return None
        return seconds

    def _number(self, name: str, most: int) -> int | None:
        option = self._first.get(name)
        if option is None:
            return None
        text = option.value
        if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= most):
            self._refuse(option, f"{NAMES[name]} {text} is no number from 1 to {most}")
            return None
        return int(text)

    def _expanded(self, option: Option, text: str, allowed: str) -> str:
        def token(match: re.Match[str]) -> str:
            letter = match[1]
            if letter == "%":
                return "%"
            if letter not in allowed or letter not in self._tokens:
                self._refuse(option, f"{NAMES[option.name]}: %{letter} cannot be expanded here", _ELSEWHERE)
                return ""
            return self._tokens[letter]

        return re.sub(r"%(.?)", token, text)

    def _path(self, option: Option, text: str) -> Path | None:
        """A path of an option: home, environment and tokens; None where it is refused."""
        before = len(self._problems)

        def variable(match: re.Match[str]) -> str:
            value = self._around.environ.get(match[1])
            if value is None:
                self._refuse(option, f"{NAMES[option.name]}: the environment variable {match[1]} is not set")
            return value or ""

        text = re.sub(r"\$\{([^}]*)\}", variable, text)
        text = self._expanded(option, text, "dhiklLnpru")
        if text.startswith("~/"):
            text = f"{self._around.home}/{text[2:]}"
        elif text.startswith("~"):
            self._refuse(option, f"{NAMES[option.name]}: {text} is somebody else's home")
        return Path(text) if len(self._problems) == before else None

    def _paths(self, options: Iterable[Option]) -> tuple[Path, ...] | None:
        """All paths of the options; None where there is no option."""
        options = tuple(options)
        if not options:
            return None
        found = (
            self._path(option, text) for option in options for text in option.values if text and text.lower() != "none"
        )
        return tuple(dict.fromkeys(path for path in found if path is not None))

    def _proxy_command(self) -> str | None:
        option = self._first.get("proxycommand")
        if option is None or not option.values:
            return None
        if option.value.lower() == "none":
            return "none"
        for letter in "hnr":
            value = self._tokens[letter]
            if f"%{letter}" in option.value and (value.startswith("-") or not _PLAIN.fullmatch(value)):
                self._refuse(option, f"ProxyCommand: {value} cannot stand in a command line")
                return None
        return self._expanded(option, option.value, "dhiklLnpru")

    def _keys(self) -> KeyChoice | None:
        files = self._paths((*self._several.get("certificatefile", ()), *self._several.get("identityfile", ())))
        only = (self._value("identitiesonly") or "no").lower() in {"yes", "true"}
        agent = self._first.get("identityagent")
        if files is None and agent is None and not only:
            return None
        return KeyChoice(files, self._agent(agent), only)

    def _agent(self, option: Option | None) -> str | None:
        usual = self._around.environ.get("SSH_AUTH_SOCK")
        if option is None or option.value == "SSH_AUTH_SOCK":
            return usual
        if option.value.lower() == "none":
            return None
        if option.value.startswith("$") and not option.value.startswith("${"):
            return self._around.environ.get(option.value[1:])
        path = self._path(option, option.value)
        return None if path is None else str(path)

    def _trust(self) -> TrustChoice | None:
        own, everybodys = (self._first.get(name) for name in ("userknownhostsfile", "globalknownhostsfile"))
        if own is None and everybodys is None:
            return None
        return TrustChoice(self._paths([own] if own else ()), self._paths([everybodys] if everybodys else ()))
