"""How a run tells of itself while it runs: a live line on a terminal, else plain lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from threading import Lock
from typing import TYPE_CHECKING

from sysfleet.cli.terminal import Terminal, is_terminal
from sysfleet.errors import ExitCode
from sysfleet.outcome import HostOutcome
from sysfleet.report.printable import printable
from sysfleet.report.table import why

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

_GOOD = {ExitCode.OK, ExitCode.DRIFT}


class Telling:
    """A reporter on standard error: notes always, a live line on a terminal, a line a host if verbose."""

    def __init__(self, terminal: Terminal, *, quiet: bool = False, verbose: bool = False) -> None:
        self._terminal = terminal
        self._live = is_terminal(terminal.stderr) and not quiet and terminal.environ.get("TERM") != "dumb"
        self._verbose = verbose
        self._lock = Lock()
        self._phases: dict[str, str] = {}
        self._failed = 0
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def begin(self, run: str, command: str, hosts: Sequence[str]) -> None:
        """Show the live line."""
        del run
        self._failed = 0
        self._phases.clear()
        if self._live:
            self._progress = _line(self._terminal)
            self._task = self._progress.add_task(command, total=len(hosts), about="")
            self._progress.start()

    def phase(self, host: str, phase: str) -> None:
        """Count the host where it is now."""
        with self._lock:
            self._phases[host] = phase
            self._refresh()

    def row(self, outcome: HostOutcome) -> None:
        """Count the host as done."""
        with self._lock:
            self._phases.pop(outcome.host, None)
            self._failed += outcome.status.exit_code not in _GOOD
            if self._progress is not None and self._task is not None:
                self._progress.advance(self._task)
            self._refresh()
        if self._verbose:
            self.note(f"{outcome.host}: {outcome.status} {outcome.elapsed_s:.2f} s {why(outcome)}".rstrip())

    def note(self, text: str) -> None:
        """Write a line of its own, above the live one."""
        with self._lock:
            if self._progress is not None:
                self._progress.console.print(printable(text), markup=False, highlight=False, soft_wrap=True)
            else:
                self._terminal.tell(f"{printable(text)}\n")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Without the live line, while a person is asked something."""
        progress = self._progress
        if progress is None:
            yield
            return
        progress.stop()
        try:
            yield
        finally:
            progress.start()

    def end(self) -> None:
        """Take the live line away."""
        with self._lock:
            progress, self._progress = self._progress, None
        if progress is not None:
            progress.stop()

    def _refresh(self) -> None:
        if self._progress is None or self._task is None:
            return
        counts = Counter(self._phases.values())
        parts = [f"{self._failed} failed"] if self._failed else []
        parts += [f"{printable(phase)} {count}" for phase, count in counts.most_common()]
        self._progress.update(self._task, about="  ".join(parts))


def _line(terminal: Terminal) -> Progress:
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(file=terminal.stderr, no_color=not terminal.colour(terminal.stderr))
    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("{task.fields[about]}", markup=False),
        console=console,
        transient=True,
        refresh_per_second=5,
    )
