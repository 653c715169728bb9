"""What can go wrong, as one tree, and the exit code that each end of a run has.

```
FleetError
├── SetupError                 nothing was contacted
│   ├── UsageError   ├── InventoryError   ├── TemplateError   └── SelectionError
└── HostError                  one host, one phase; others go on
    ├── ConnectError: Unreachable · ConnectTimeout · HostKeyRejected · LoginRejected · ConnectionLost
    ├── CommandError: CommandFailed · CommandTimeout · PrivilegeDenied
    ├── ReadError    (output not understood)
    ├── ChangeError  (a write refused, or the file not in place)
    └── VerifyError  (carries the list of mismatches)
```

Knows nothing of hosts, SSH or printing.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from typing_extensions import override


class ExitCode(IntEnum):
    """The documented end of a command (DESIGN.md, 'Results')."""

    OK = 0
    DRIFT = 1
    USAGE = 2
    HOST_FAILED = 3
    UNVERIFIED = 4
    BUG = 70
    INTERRUPTED = 130


_WORST_FIRST = (
    ExitCode.INTERRUPTED,
    ExitCode.BUG,
    ExitCode.UNVERIFIED,
    ExitCode.HOST_FAILED,
    ExitCode.USAGE,
    ExitCode.DRIFT,
    ExitCode.OK,
)


def worst(codes: Iterable[ExitCode]) -> ExitCode:
    """The code that a run ends with when its parts ended with these; none is OK."""
    found = set(codes)
    return next((code for code in _WORST_FIRST if code in found), ExitCode.OK)


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong in an operator's file: where it is, what it is, and what was probably meant."""

    file: str
    line: int | None
    what: str
    hint: str | None = None

    @override
    def __str__(self) -> str:
        place = f"{self.file}:{self.line}" if self.line else self.file
        return f"{place}: {self.what}" + (f" ({self.hint})" if self.hint else "")


class FleetError(Exception):
    """Something the operator can act on: one statement, and a hint what to do next."""

    exit_code = ExitCode.HOST_FAILED

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint

    @override
    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments do not survive the default protocol.
        return _rebuilt, (type(self), self.message, self.__dict__)


def _rebuilt(kind: type[FleetError], message: str, state: dict[str, Any]) -> FleetError:
    error = kind.__new__(kind, message)
    error.args = (message,)
    error.__dict__.update(state)
    return error


class SetupError(FleetError):
    """The command cannot begin; nothing was contacted."""

    exit_code = ExitCode.USAGE

    def __init__(self, message: str, *, hint: str | None = None, problems: Iterable[Problem] = ()) -> None:
        super().__init__(message, hint=hint)
        self.problems = tuple(problems)


class UsageError(SetupError):
    """The command line or sysfleet.toml asks for what cannot be done."""


class InventoryError(SetupError):
    """The inventory does not hold together; `problems` has every finding."""


class TemplateError(SetupError):
    """A template does not give a valid document; `problems` has template and line."""


class SelectionError(SetupError):
    """A `--limit` expression that cannot be read, or that selects nothing."""


class HostError(FleetError):
    """One host failed in one phase; `evidence` is what the other side said, already cleaned."""

    def __init__(self, message: str, *, phase: str = "", hint: str | None = None, evidence: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.phase = phase
        self.evidence = evidence


class ConnectError(HostError):
    """No usable connection."""


class Unreachable(ConnectError):
    """The network refused, or there is no such address."""


class ConnectTimeout(ConnectError, TimeoutError):
    """Nothing answered in time."""


class HostKeyRejected(ConnectError):
    """The host's key is unknown, different or revoked."""


class LoginRejected(ConnectError):
    """The host refused every login that was offered."""


class ConnectionLost(ConnectError):
    """The connection ended in the middle of its work."""


class CommandError(HostError):
    """A program on the host did not come to its end as it should."""


class CommandFailed(CommandError):
    """The program ended with a status that is not its documented one."""


class CommandTimeout(CommandError, TimeoutError):
    """The program was not done by its deadline."""


class PrivilegeDenied(CommandError):
    """Root rights were needed and not given."""


class ReadError(HostError):
    """The host's output cannot be understood."""


class ChangeError(HostError):
    """A write was refused, or the file is not in place."""


class VerifyError(HostError):
    """Values are not what was written; `mismatches` lists them."""

    def __init__(
        self,
        message: str,
        *,
        mismatches: Iterable[str] = (),
        phase: str = "verify",
        hint: str | None = None,
        evidence: str | None = None,
    ) -> None:
        super().__init__(message, phase=phase, hint=hint, evidence=evidence)
        self.mismatches = tuple(mismatches)
