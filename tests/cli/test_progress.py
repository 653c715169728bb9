"""What a run tells on standard error: a live line for a person, nothing into a pipe but notes and what is asked for."""

from __future__ import annotations

from threading import Thread

import pytest

from sysfleet.cli.progress import Telling
from sysfleet.cli.terminal import Terminal
from sysfleet.reporter import Reporter, Silent
from tests.cli.conftest import Stream
from tests.report.rows import ok, unreachable

ROWS = [ok("web1"), unreachable("db1", "no\x1b[2J answer")]


def told(*, person: bool, quiet: bool = False, verbose: bool = False, ask: bool = False) -> str:
    stderr = Stream(terminal=person)
    terminal = Terminal(Stream(), Stream(), stderr, {"TERM": "xterm", "COLUMNS": "80"})
    telling = Telling(terminal, quiet=quiet, verbose=verbose)
    telling.begin("r", "check", ["web1", "db1"])
    for row in ROWS:
        telling.phase(row.host, "connect")
        telling.row(row)
    if ask:
        with telling.paused():
            terminal.tell("<asked>")
            telling.phase("web1", "change")
            terminal.tell("<answered>")
    telling.note("one \x1b[2J note")
    telling.end()
    telling.end()
    return stderr.getvalue()


def test_a_pipe_gets_notes_alone() -> None:
    assert told(person=False) == "one \\x1b[2J note\n"


def test_verbose_adds_a_line_for_each_host() -> None:
    assert told(person=False, verbose=True) == (
        "web1: ok 0.05 s\ndb1: unreachable 10.00 s no\\x1b[2J answer\none \\x1b[2J note\n"
    )


def test_a_terminal_gets_a_live_line_that_goes_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")  # rich asks the process's own
    text = told(person=True)
    assert "2/2" in text
    assert "1 failed" in text
    assert "one \\x1b[2J note" in text
    assert text.endswith("\x1b[2K")


def test_quiet_has_no_live_line_and_still_the_notes() -> None:
    assert told(person=True, quiet=True) == "one \\x1b[2J note\n"


def test_nothing_is_drawn_while_a_person_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    before, _, after = told(person=True, ask=True).partition("<asked><answered>")
    hidden, shown = "\x1b[?25l", "\x1b[?25h"
    assert before.rindex(shown) > before.rindex(hidden)
    assert after.index(hidden) < after.index(shown)


def test_many_threads_may_tell_at_once() -> None:
    stderr = Stream()
    telling = Telling(Terminal(Stream(), Stream(), stderr, {}), verbose=True)
    telling.begin("r", "check", [f"web{number}" for number in range(200)])

    def tell(first: int) -> None:
        for number in range(first, 200, 8):
            telling.phase(f"web{number}", "read")
            telling.row(ok(f"web{number}"))

    threads = [Thread(target=tell, args=(first,)) for first in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    telling.end()
    assert sorted(stderr.getvalue().splitlines()) == sorted(f"web{number}: ok 0.05 s" for number in range(200))


def test_the_silent_reporter_is_a_reporter_and_says_nothing() -> None:
    silent: Reporter = Silent()
    silent.begin("r", "check", [])
    silent.phase("web1", "read")
    silent.row(ROWS[0])
    silent.note("x")
    silent.end()
