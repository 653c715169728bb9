"""What goes wrong is one line on standard error and the documented code; secrets stay out of reports."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import NoReturn

import pytest

from sysfleet.cli.bug import bug_report, redacted
from sysfleet.cli.errors import error_text, reported
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode, InventoryError, Problem, SelectionError, Unreachable


def terminal() -> Terminal:
    return Terminal(io.StringIO(), io.StringIO(), io.StringIO(), {"SUDO_PASSWORD": "hunter2!"})


def ends(error: BaseException) -> tuple[ExitCode, str]:
    def fail() -> NoReturn:
        raise error

    streams = terminal()
    code = reported(fail, ["check"], streams)
    assert isinstance(streams.stdout, io.StringIO)
    assert isinstance(streams.stderr, io.StringIO)
    assert streams.stdout.getvalue() == ""
    return code, streams.stderr.getvalue()


def test_every_problem_has_a_line_with_its_file_and_hint() -> None:
    problems = [
        Problem("inventory/hosts.yaml", 3, "unknown group wbe", "did you mean web?"),
        Problem("inventory/groups.yaml", None, "is empty"),
    ]
    code, said = ends(InventoryError("the inventory has 2 problems", problems=problems))
    assert code == ExitCode.USAGE
    assert said == (
        "sysfleet: the inventory has 2 problems\n"
        "inventory/hosts.yaml:3: unknown group wbe (did you mean web?)\n"
        "inventory/groups.yaml: is empty\n"
    )


def test_a_hint_stands_behind_its_error() -> None:
    text = error_text(SelectionError("role=wbe selects no host", hint="roles are web and db"))
    assert text == "sysfleet: role=wbe selects no host (roles are web and db)\n"


def test_a_hosts_words_in_an_error_cannot_reach_the_terminal_as_a_command() -> None:
    assert "\x1b" not in error_text(Unreachable("no \x1b[2J answer", hint="\x1b[2J"))


def test_a_host_that_failed_by_itself_is_3() -> None:
    assert ends(Unreachable("no answer")) == (ExitCode.HOST_FAILED, "sysfleet: no answer\n")


def test_an_interrupt_is_130() -> None:
    assert ends(KeyboardInterrupt()) == (ExitCode.INTERRUPTED, "sysfleet: interrupted\n")


def test_anything_else_is_a_bug_with_a_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    code, said = ends(RuntimeError("sent hunter2! twice"))
    assert code == ExitCode.BUG
    first, second = said.splitlines()
    assert first == "sysfleet: a bug: RuntimeError: sent *** twice"
    report = Path(second.removeprefix("the report is in "))
    assert report.parent == tmp_path
    assert report.stat().st_mode & 0o777 == 0o600
    text = report.read_text()
    assert re.match(r"sysfleet \S+\nPython 3\.", text)
    assert "command: sysfleet check\n" in text
    assert "Traceback (most recent call last):" in text
    assert "hunter2!" not in text


def test_a_report_that_cannot_be_written_is_told_instead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    code, said = ends(RuntimeError("boom"))
    assert code == ExitCode.BUG
    assert said == "sysfleet: a bug: RuntimeError: boom\nits report could not be written: No such file or directory\n"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("the token abcdef", "the token ***"),
        ("password=hunter2 more", "password=*** more"),
        ("{'password': 'hunter2'}", "{'password': ***"),
        ("a short one: abc", "a short one: abc"),
    ],
)
def test_secrets_are_masked(text: str, shown: str) -> None:
    assert redacted(text, {"API_TOKEN": "abcdef", "SHORT_PASS": "abc", "EDITOR": "one"}) == shown


def test_a_report_names_the_libraries() -> None:
    assert re.search(r"^nornir \d.*, paramiko \d", bug_report(ValueError("x"), [], {}), re.MULTILINE)
