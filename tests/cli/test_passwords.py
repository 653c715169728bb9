"""Passwords on the command line: asked for on the controlling terminal, before the run, and never shown."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from sysfleet.errors import ExitCode
from tests.cli.conftest import FILES, Builder, Shell
from tests.remote.servers import make_key
from tests.support.needs import needs

SSH = FILES["sysfleet.toml"]


@dataclass(frozen=True)
class Seen:
    """How a command line ended that a person sat before: what the terminal showed, and both streams."""

    code: int
    terminal: str
    out: str
    err: str


def at_terminal(project: Path, *argv: str, typed: tuple[str, ...] = ()) -> Seen:
    """Run a command line whose controlling terminal is ours, with output and error output into files.

    Each text of `typed` is sent when the next question has been read.
    """
    controller, screen = os.openpty()
    words = [needs("setsid"), "--ctty", "--wait", sys.executable, "-m", "sysfleet", "--project", str(project), *argv]
    environ = {"HOME": str(project), "USER": "op", "PATH": os.environ["PATH"], "PYTHONPATH": os.environ["PYTHONPATH"]}
    with (project / "out").open("w") as out, (project / "err").open("w") as err:
        process = subprocess.Popen(words, stdin=screen, stdout=out, stderr=err, env=environ)
    os.close(screen)
    shown = ""
    for answer in typed:
        shown += _until(controller, ": ")
        os.write(controller, answer.encode() + b"\n")
    shown += _until(controller, None)
    os.close(controller)
    code = process.wait(60)
    return Seen(code, shown, (project / "out").read_text(), (project / "err").read_text())


def _until(controller: int, words: str | None) -> str:
    """What the terminal shows up to these words, or until nobody has it open any more."""
    shown = ""
    while words is None or not shown.endswith(words):
        try:
            more = os.read(controller, 4096)
        except OSError:
            return shown
        shown += more.decode()
    return shown


@pytest.fixture(autouse=True)
def _path(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))


def test_the_login_password_is_asked_for_once_on_the_terminal_and_shown_nowhere(project: Builder) -> None:
    seen = at_terminal(project(), "check", "--ask-login-password", typed=("swordfish",))
    assert seen.terminal.split() == ["login", "password:"]
    assert "refuses connections" in seen.out + seen.err
    assert "swordfish" not in seen.out + seen.err
    assert seen.code == ExitCode.HOST_FAILED


def test_the_root_password_is_asked_for_where_the_run_may_need_root(project: Builder) -> None:
    folder = project(**{"inventory/defaults.yaml": "username: ops\n"})
    assert "root password" in at_terminal(folder, "apply", "--yes", "--ask-root-password", typed=("x",)).terminal
    settings = ("--set", "privilege.method=sudo", "--ask-root-password")
    assert "root password" in at_terminal(folder, "check", *settings, typed=("x",)).terminal


@pytest.mark.parametrize(
    ("user", "argv"),
    [
        ("ops", ["check"]),
        ("ops", ["plan"]),
        ("root", ["apply", "--yes"]),
        ("ops", ["apply", "--yes", "--set", "privilege.method=none"]),
    ],
)
def test_nobody_is_asked_for_a_root_password_that_nothing_needs(project: Builder, user: str, argv: list[str]) -> None:
    folder = project(**{"inventory/defaults.yaml": f"username: {user}\n"})
    seen = at_terminal(folder, *argv, "--ask-root-password")
    assert (seen.code, seen.terminal) == (ExitCode.HOST_FAILED, "")


def test_each_encrypted_key_is_asked_for_by_its_name(project: Builder, tmp_path: Path) -> None:
    keys = [make_key(tmp_path / name, passphrase="open sesame") for name in ("one", "two")]
    plain = make_key(tmp_path / "three")
    settings = f"{SSH}identity_files = {[str(path) for path in [*keys, plain]]}\n"
    folder = project(**{"sysfleet.toml": settings})
    seen = at_terminal(folder, "check", "--ask-passphrase", typed=("open sesame", "open sesame"))
    assert seen.terminal.split("\r\n") == [f"passphrase of {path}: " for path in keys] + [""]
    assert seen.code == ExitCode.HOST_FAILED
    wrong = at_terminal(folder, "check", "--ask-passphrase", typed=("swordfish",))
    assert wrong.err == f"sysfleet: the passphrase of the key {keys[0]} is not accepted\n"
    assert wrong.code == ExitCode.USAGE


def test_an_answer_of_nothing_is_an_error(project: Builder) -> None:
    seen = at_terminal(project(), "check", "--ask-login-password", typed=("",))
    assert seen.err == "sysfleet: the login password from ssh.password_prompt is empty\n"
    assert seen.code == ExitCode.USAGE


def test_without_a_terminal_a_prompt_is_an_error_and_nothing_is_read_from_standard_input(project: Builder) -> None:
    words = [sys.executable, "-m", "sysfleet", "--project", str(project()), "check", "--ask-login-password"]
    done = subprocess.run(
        words, input="swordfish\n", capture_output=True, text=True, check=False, start_new_session=True
    )
    assert done.stderr.startswith("sysfleet: there is no terminal to ask on for the login password (")
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, "")


def test_two_sources_for_one_secret_are_an_error(project: Builder, shell: Shell) -> None:
    folder = project(**{"sysfleet.toml": f'{SSH}password_env = "PW"\n'})
    ended = shell("check", "--project", folder, "--ask-login-password").gives(ExitCode.USAGE)
    assert "more than one source: ssh.password_env, ssh.password_prompt" in ended.err


def test_a_source_that_fails_ends_the_run_before_any_host_is_contacted(project: Builder, shell: Shell) -> None:
    folder = project(**{"sysfleet.toml": f'{SSH}password_command = ["false"]\n'})
    ended = shell("check", "--project", folder).gives(ExitCode.USAGE)
    assert ended.err == "sysfleet: the command for the login password, false, failed with status 1\n"
    assert not (folder / "runs").exists()


def test_a_command_may_be_set_on_the_command_line(project: Builder, shell: Shell) -> None:
    ended = shell("check", "--project", project(), "--set", "ssh.password_command=echo, swordfish")
    assert "swordfish" not in ended.gives(ExitCode.HOST_FAILED).out + ended.err


def test_a_command_that_is_no_list_is_not_repeated(project: Builder, shell: Shell) -> None:
    folder = project(**{"sysfleet.toml": f'{SSH}password_command = "echo swordfish"\n'})
    ended = shell("check", "--project", folder).gives(ExitCode.USAGE)
    assert "expects a list of a program and its arguments" in ended.err
    assert "swordfish" not in ended.err
