"""What the host's loader leaves at boot: with its files as they are, with our new file, and without ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from sysfleet.host import Reading, RunningState
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.loaders import Boot, BootSetting, SourceFile, predict
from sysfleet.sysctl.value import canonical
from sysfleet.sysctl.writers import COMMAND_LINE, of_command_line


class Boots:
    """Boot predictions for one reading; what the other files leave is worked out only where somebody asks."""

    def __init__(self, reading: Reading, path: str) -> None:
        self._reading = reading
        self._path = path
        self._existing = [k for k, running in reading.values.items() if running.state is not RunningState.ABSENT]
        self._others: Mapping[Key, str] | None = None

    def now(self) -> Boot:
        """With the files as they are."""
        return self._predict(self._reading.files)

    def having(self, content: bytes | None) -> Boot:
        """With our file as it would be; None: without it."""
        return self._predict(files_with(self._reading.files, self._path, content))

    def by_others(self, key: Key) -> str | None:
        """What the other files leave for a key; None where none of them sets it."""
        if self._others is None:
            self._others = {other: winner.value for other, winner in self.having(None).winners.items()}
        return self._others.get(key)

    def _predict(self, files: Sequence[SourceFile]) -> Boot:
        facts = self._reading.facts
        before = of_command_line(facts.command_line)
        boot = predict(facts.loader, files, self._existing, before, version=facts.loader_version)
        if not before:
            return boot
        kept = {key: BootSetting(key, canonical(key, text), COMMAND_LINE, 1) for key, text in before.items()}
        return replace(boot, winners={**kept, **boot.winners})


def files_with(files: Sequence[SourceFile], path: str, content: bytes | None) -> tuple[SourceFile, ...]:
    """The files with this one in place of what was at its path; None takes it away."""
    others = tuple(file for file in files if file.path != path)
    return others if content is None else (*others, SourceFile(path, content, None))
