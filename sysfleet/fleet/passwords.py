"""Where the passwords of a run come from: a prompt, the system keyring, an environment variable, a command.

Knows the settings that name them and gives texts; refuses to know who is given one, and never repeats one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock
from typing import Literal, get_args

from sysfleet.errors import UsageError
from sysfleet.fleet.answers import first_line, from_keyring
from sysfleet.settings import Settings

Ask = Callable[[str], str]
"""Shows a person these words and gives back what they type unseen; UsageError where there is nobody to ask."""

_Kind = Literal["env", "command", "keyring", "prompt"]
# What sudo, doas and OpenSSH all take is below 1,024 bytes; PAM may take less.
_LIMIT_BYTES = 1000


@dataclass(frozen=True, slots=True)
class Source:
    """One secret's source. `setting` is what names it, `what` is the secret in words."""

    setting: str
    what: str
    # Whether every login, or key file, has a text of its own.
    own: bool
    _fetch: Callable[[str], str | None] = field(repr=False)
    _texts: dict[str, str | None] = field(default_factory=dict, repr=False)
    _lock: Lock = field(default_factory=Lock, repr=False)

    def text(self, whose: str) -> str | None:
        """The secret of a login or key file, fetched at most once; None where a keyring has none for it.

        Raises UsageError where the source fails, or gives what cannot be one.
        """
        who = whose if self.own else ""
        with self._lock:
            if who not in self._texts:
                text = self._fetch(whose)
                self._texts[who] = None if text is None else self._checked(text)
            return self._texts[who]

    @property
    def fetched(self) -> tuple[str, ...]:
        """The secrets that were fetched so far."""
        with self._lock:
            return tuple(text for text in self._texts.values() if text is not None)

    def _checked(self, text: str) -> str:
        problem = _problem(text)
        if problem is not None:
            raise UsageError(f"{self.what} from {self.setting} {problem}")
        return text


@dataclass(frozen=True, slots=True)
class Sources:
    """The sources of a run's secrets, as the settings name them; None for a secret that has none."""

    login: Source | None
    root: Source | None
    passphrase: Source | None

    @classmethod
    def of(cls, settings: Settings, environ: Mapping[str, str], ask: Ask | None) -> Sources:
        """Nothing is fetched yet; UsageError where one secret has two sources."""
        finder = _Finder(settings, environ, ask)
        return cls(
            finder.source("ssh", "password", "the login password", "login password: "),
            finder.source("privilege", "password", "the root password", "root password, for sudo or doas: "),
            finder.source("ssh", "passphrase", "the passphrase", "passphrase of {}: "),
        )

    @property
    def fetched(self) -> tuple[str, ...]:
        """Every secret that was fetched so far."""
        sources = (self.login, self.root, self.passphrase)
        return tuple(text for source in sources if source is not None for text in source.fetched)


def children_environ(settings: Settings, environ: Mapping[str, str]) -> dict[str, str]:
    """The environment for programs that a run starts here: without the variables that hold its secrets."""
    secret = {settings.ssh.password_env, settings.ssh.passphrase_env, settings.privilege.password_env}
    return {name: value for name, value in environ.items() if name not in secret}


class _Finder:
    def __init__(self, settings: Settings, environ: Mapping[str, str], ask: Ask | None) -> None:
        self._settings = settings
        self._environ = environ
        self._ask = ask

    def source(self, section: str, name: str, what: str, question: str) -> Source | None:
        """The source that the settings name for one secret."""
        record = getattr(self._settings, section)
        kinds: tuple[_Kind, ...] = get_args(_Kind)
        given = {f"{section}.{name}_{kind}": kind for kind in kinds if getattr(record, f"{name}_{kind}")}
        if not given:
            return None
        (setting, kind), *more = given.items()
        if more:
            raise UsageError(
                f"{what} has more than one source: {', '.join(given)}",
                hint=f"keep one; --set {setting}= takes one back for a run",
            )
        value = getattr(record, setting.partition(".")[2])
        match kind:
            case "env":
                return Source(setting, what, False, self._by_variable(value))
            case "command":
                return Source(setting, what, False, self._by_command(value, what))
            case "keyring":
                return Source(setting, what, True, lambda whose: from_keyring(value, whose, what))
            case "prompt":
                return Source(setting, what, "{}" in question, self._by_prompt(what, question))

    def _by_variable(self, variable: str) -> Callable[[str], str]:
        def fetch(_whose: str) -> str:
            value = self._environ.get(variable)
            if value is None:
                raise UsageError(f"the environment variable {variable} is not set", hint="sysfleet.toml names it")
            return value

        return fetch

    def _by_command(self, argv: tuple[str, ...], what: str) -> Callable[[str], str]:
        return lambda _whose: first_line(argv, children_environ(self._settings, self._environ), what)

    def _by_prompt(self, what: str, question: str) -> Callable[[str], str]:
        def fetch(whose: str) -> str:
            if self._ask is None:
                raise UsageError(f"there is nobody to ask for {what}", hint="take it from another source")
            return self._ask(question.format(whose))

        return fetch


def _problem(text: str) -> str | None:
    if not text:
        return "is empty"
    if any(unicodedata.category(char) == "Cc" for char in text):
        return "holds a line break or another control character"
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        return "is not UTF-8"
    return f"is longer than {_LIMIT_BYTES} bytes" if size > _LIMIT_BYTES else None
