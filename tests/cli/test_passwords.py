"""Passwords on the command line: asked for on the controlling terminal, before the run, and never shown."""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sysfleet.errors import ExitCode
from sysfleet.lab import HostSpec, Lab, Login
from tests.cli.conftest import FILES, Builder, Shell
from tests.remote.servers import make_key
from tests.support.lab import LAB_KINDS, make_lab
from tests.support.needs import needs, needs_root

SSH = FILES["sysfleet.toml"]


@dataclass(frozen=True)
class Seen:
    """How a command line ended that a person sat before: what the terminal showed, and both streams."""

    code: int
    terminal: str
    out: str
    err: str


def at_terminal(project: Path, *argv: str, typed: tuple[str, ...] = (), ring: str = "fail") -> Seen:
    """Run a command line whose controlling terminal is ours, with output and error output into files.

    Each text of `typed` is sent when the next question has been read.
    """
    controller, screen = os.openpty()
    words = [needs("setsid"), "--ctty", "--wait", sys.executable, "-m", "sysfleet", "--project", str(project), *argv]
    environ = {
        "HOME": str(project),
        "USER": "op",
        "PATH": os.environ["PATH"],
        "PYTHONPATH": os.environ["PYTHONPATH"],
        "PYTHON_KEYRING_BACKEND": f"keyring.backends.{ring}.Keyring",
    }
    with (project / "out").open("w") as out, (project / "err").open("w") as err:
        process = subprocess.Popen(words, stdin=screen, stdout=out, stderr=err, env=environ)
    os.close(screen)
    shown = ""
    try:
        for answer in typed:
            shown += _until(controller, ": ")
            os.write(controller, answer.encode() + b"\n")
        shown += _until(controller, None)
        code = process.wait(60)
    finally:
        os.close(controller)  # which ends whoever still waits for an answer
        process.wait(60)
    return Seen(code, shown, (project / "out").read_text(), (project / "err").read_text())


def _until(controller: int, words: str | None) -> str:
    """What the terminal shows up to these words, or until nobody has it open any more."""
    shown = ""
    while words is None or not shown.endswith(words):
        assert select.select([controller], [], [], 60)[0], f"nothing more is shown after {shown!r}"
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
    wrong = at_terminal(folder, "check", "--ask-passphrase", typed=("swordfish", "open sesame"))
    assert (wrong.code, "swordfish" in wrong.out + wrong.err) == (ExitCode.HOST_FAILED, False)


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


@pytest.mark.parametrize(
    ("ring", "said"),
    [
        ("fail", "this machine has none that can be used"),
        ("null", "the login password is to come from ssh.password_keyring, which has none for ops"),
    ],
)
def test_a_keyring_without_a_password_ends_the_run_before_any_host_is_contacted(
    project: Builder, ring: str, said: str
) -> None:
    settings = {"sysfleet.toml": f'{SSH}password_keyring = "sysfleet"\n', "inventory/defaults.yaml": "username: ops\n"}
    seen = at_terminal(project(**settings), "check", ring=ring)
    assert (seen.code, seen.out) == (ExitCode.USAGE, "")
    assert said in seen.err


NAMES = ("web1", "web2", "web3", "web4", "web5", "web6")
LOGINS = ("login1", "login2", "login3")
RIGHT, WRONG = "lab-Pa55 wörd", "swordfish"


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Hosts whose login needs a password for sudo, one that asks for none, and some that take no key."""
    needs("sudo")
    needs_root("setuid programs in a host need the machine's root")
    asked = Login("ops", sudo=("password",), password=RIGHT)
    free = Login("ops", sudo=("nopasswd",))
    hosts = [HostSpec(name, logins=(asked,), user="ops") for name in NAMES[:-1]]
    folder = tmp_path_factory.mktemp("passwords")
    (folder / "templates").mkdir()
    (folder / "templates/base.conf.j2").write_text("")
    options = {**LAB_KINDS["openssh"], "templates": folder / "templates"}
    hosts.append(HostSpec(NAMES[-1], logins=(free,), user="ops"))
    keyless = Login("ops", keys=(), password=RIGHT)
    hosts += [HostSpec(name, logins=(keyless,), user="ops") for name in LOGINS]
    with make_lab(folder / "lab", hosts, **options) as lab:
        yield lab


def rows(seen: Seen) -> dict[str, dict[str, Any]]:
    assert seen.out, seen
    return {row["host"]: row for row in json.loads(seen.out)["hosts"]}


@contextmanager
def wanting(lab: Lab, setting: str) -> Iterator[None]:
    """The fleet's defaults with one more wanted setting."""
    defaults = lab.folder / "inventory/defaults.yaml"
    before = defaults.read_text()
    defaults.write_text(f"{before}\ndata:\n  sysctl:\n    {setting}\n")
    try:
        yield
    finally:
        defaults.write_text(before)


def applied(lab: Lab, password: str, value: int, *argv: str) -> dict[str, dict[str, Any]]:
    at_once = ("--batch", "100%", "--max-failures", "100%")
    words = ("apply", "--yes", "--format", "json", "--ask-root-password", *at_once, *argv)
    with wanting(lab, f"net.ipv4.tcp_fin_timeout: {value}"):
        seen = at_terminal(lab.folder, *words, typed=(password,))
    assert password not in seen.terminal + seen.out + seen.err
    return rows(seen)


def running(lab: Lab) -> set[str | None]:
    return {lab.hosts[name].read("net.ipv4.tcp_fin_timeout") for name in NAMES}


@pytest.mark.parametrize("workers", ["1", "6"])
def test_of_all_hosts_one_is_given_a_wrong_password_and_none_is_changed_for_it(fleet: Lab, workers: str) -> None:
    found = applied(fleet, WRONG, 31, "--workers", workers, "--limit", "web* & !web6")
    errors = {name: row["error"]["message"] for name, row in found.items()}
    assert {row["status"] for row in found.values()} == {"denied"}
    (first,) = [name for name, said in errors.items() if "Sorry, try again" in said]
    others = {said for name, said in errors.items() if name != first}
    assert others == {f"not tried here: {first} refused the password: sudo: a password is required"}
    assert errors[first].startswith("ops gets no root rights: ")
    assert {row["error"]["phase"] for row in found.values()} == {"change"}
    assert "31" not in running(fleet)


def test_a_host_that_asks_for_no_password_is_changed_whatever_was_typed(fleet: Lab) -> None:
    assert applied(fleet, WRONG, 32, "--limit", "web6")["web6"]["status"] == "changed"


def test_the_right_password_is_typed_once_for_all(fleet: Lab) -> None:
    found = applied(fleet, RIGHT, 33, "--limit", "web*")
    assert {row["status"] for row in found.values()} == {"changed"}
    assert running(fleet) == {"33"}


def test_of_all_hosts_one_is_given_a_wrong_login_password(fleet: Lab) -> None:
    words = ("check", "--format", "json", "--ask-login-password", "--limit", "login*")
    found = rows(at_terminal(fleet.folder, *words, typed=(WRONG,)))
    assert {name: row["status"] for name, row in found.items()} == dict.fromkeys(LOGINS, "rejected")
    errors = {name: row["error"]["message"] for name, row in found.items()}
    (first,) = [name for name, said in errors.items() if "has refused" not in said]
    assert "a password" in errors[first]
    others = [said for name, said in errors.items() if name != first]
    assert all(f"not offered: a password that {first} has refused" in said for said in others)
    right = rows(at_terminal(fleet.folder, *words, typed=(RIGHT,)))
    assert {row["status"] for row in right.values()} <= {"ok", "drifted"}


def test_a_key_that_the_login_cannot_read_is_denied_by_name_and_read_as_root(fleet: Lab) -> None:
    words = ("check", "--format", "json", "--limit", "web1")
    with wanting(fleet, "net.ipv4.tcp_fastopen_key: 00000000-00000000-00000000-00000000"):
        denied = rows(at_terminal(fleet.folder, *words))["web1"]
        as_root = ("--set", "privilege.method=sudo", "--ask-root-password")
        read = rows(at_terminal(fleet.folder, *words, *as_root, typed=(RIGHT,)))["web1"]
    assert denied["status"] == "denied"
    assert denied["error"]["message"] == "not readable for this login: net.ipv4.tcp_fastopen_key"
    assert read["status"] in {"ok", "drifted"}
