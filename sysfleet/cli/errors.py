"""The one place that turns an exception into text on standard error and an exit code."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode, FleetError, SetupError
from sysfleet.report.printable import printable


def reported(work: Callable[[], ExitCode], argv: Sequence[str], terminal: Terminal) -> ExitCode:
    """The code that the work ends with, whatever it ends with."""
    try:
        return work()
    except FleetError as error:
        terminal.tell(error_text(error))
        return error.exit_code
    except KeyboardInterrupt:
        terminal.tell("sysfleet: interrupted\n")
        return ExitCode.INTERRUPTED
    except Exception as error:  # noqa: BLE001 - the boundary of the process
        from sysfleet.cli.bug import report_bug

        terminal.tell(report_bug(error, argv, terminal.environ))
        return ExitCode.BUG


def error_text(error: FleetError) -> str:
    """What is wrong, one line a problem: `file:line: what (hint)`."""
    lines = [f"sysfleet: {printable(error.message)}" + (f" ({printable(error.hint)})" if error.hint else "")]
    if isinstance(error, SetupError):
        lines += [printable(text) for problem in error.problems if (text := str(problem)) != error.message]
    return "".join(f"{line}\n" for line in lines)
