"""Root rights: what a refusal of sudo or doas asks for, and whose words it is told in."""

from __future__ import annotations

import subprocess

import pytest

from sysfleet.errors import CommandFailed
from sysfleet.remote import terminal
from sysfleet.remote.framing import STUB
from sysfleet.remote.privilege import PLAIN, Method, Need, command_line, need, own_words, proves_the_password
from sysfleet.remote.rights import Refused, never_began

REFUSALS = {
    "sudo: a password is required": Need.PASSWORD,
    "sudo: interactive authentication is required": Need.PASSWORD,
    "sudo: Maximum 3 incorrect authentication attempts": Need.PASSWORD,
    "sudo: il est nécessaire de saisir un mot de passe": Need.PASSWORD,
    "doas: Authentication required": Need.PASSWORD_IN_TERMINAL,
    "doas: Authentication failed": Need.PASSWORD_IN_TERMINAL,
    "sudo: sorry, you must have a tty to run sudo": Need.TERMINAL,
    "sudo: a terminal is required to read the password; either use the -S option": Need.TERMINAL,
    "sudo: no tty present and no askpass program specified": Need.TERMINAL,
    "doas: a tty is required": Need.TERMINAL,
    "tester is not in the sudoers file.  This incident will be reported.": Need.NOTHING,
    "Sorry, user tester is not allowed to execute '/bin/sh -c x' as root on web1.": Need.NOTHING,
    "Sorry, user tester may not run sudo on web1.": Need.NOTHING,
    "doas: Operation not permitted": Need.NOTHING,
    "sh: 1: exec: sudo: not found": Need.NOTHING,
    "sh: 1: exec: doas: not found": Need.NOTHING,
    "neither sudo nor doas is installed": Need.NOTHING,
    "sudo: /usr/bin/sudo must be owned by uid 0 and have the setuid bit set": Need.NOTHING,
}
STUBS = {"pipes": STUB, "terminal": terminal.STUB}


@pytest.mark.parametrize(("words", "wanted"), REFUSALS.items())
def test_a_refusal_says_what_it_wants(words: str, wanted: Need) -> None:
    assert need(f"Welcome to web1\nsysfleet-asks\n{words}\n".encode()) is wanted


@pytest.mark.parametrize("words", [words for words in REFUSALS if "mot de passe" not in words])
def test_a_refusal_is_told_in_its_own_words_alone(words: str) -> None:
    said = f"Welcome to web1\r\nsysfleet-asks\r\nsysfleet%secret:\r\n{words}\r\n"
    assert own_words(said.encode()) == " ".join(words.split())


def test_words_that_are_not_known_are_told_as_they_are() -> None:
    assert own_words(b"sysfleet-asks\n\x1b[31mnope\x1b[0m, says web1\n") == "nope, says web1"


def test_who_may_not_though_the_password_was_right_has_proven_it() -> None:
    proving = [words for words in REFUSALS if proves_the_password(words.encode())]
    assert proving == [words for words in REFUSALS if words.startswith(("tester", "Sorry"))]


def test_root_needs_nobody() -> None:
    assert command_line("auto", user="root", with_password=False) == PLAIN
    assert command_line("none", user="anyone", with_password=True) == PLAIN


@pytest.mark.parametrize("method", ["sudo", "doas", "auto"])
@pytest.mark.parametrize("with_password", [False, True])
def test_a_terminal_that_shows_the_command_shows_neither_question_nor_sign(
    method: Method, *, with_password: bool
) -> None:
    command = command_line(method, user="me", with_password=with_password, stub=terminal.STUB)
    assert all(sign not in command for sign in ("sysfleet-asks", "sysfleet-ready", "sysfleet%secret:"))


@pytest.mark.parametrize(
    ("method", "with_password", "stub", "how"),
    [
        ("sudo", False, "pipes", "exec sudo -n -- sh"),
        ("sudo", False, "terminal", "exec sudo -n -- sh"),
        ("sudo", True, "pipes", "exec sudo -S -p sysfleet%%secret: -- sh"),
        ("sudo", True, "terminal", "exec sudo -p sysfleet%%secret: -- sh"),
        ("doas", True, "pipes", "exec doas -n -- sh"),
        ("doas", True, "terminal", "exec doas -- sh"),
    ],
)
def test_only_a_password_makes_anybody_ask_and_doas_only_in_a_terminal(
    method: Method, stub: str, how: str, *, with_password: bool
) -> None:
    assert how in command_line(method, user="me", with_password=with_password, stub=STUBS[stub])


def test_without_sudo_and_doas_auto_says_so_and_no_word_of_the_shell_is_taken_for_theirs() -> None:
    command = command_line("auto", user="me", with_password=False).replace("/usr/local/bin:/usr/bin:/bin", "/nowhere")
    command = command.replace("[ -O /proc/1 ]", "false")
    done = subprocess.run(["/bin/sh", "-c", command], env={"PATH": "/nowhere"}, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (127, b"")
    done = subprocess.run(
        ["/bin/sh", "-c", command.replace("sh -c '", "/bin/sh -c '", 1)],
        env={"PATH": "/nowhere"},
        capture_output=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (97, b"sysfleet-asks\n")
    assert own_words(done.stderr) == "neither sudo nor doas is installed"


def test_a_login_shell_that_runs_nothing_is_no_matter_of_rights() -> None:
    with pytest.raises(CommandFailed) as caught:
        never_began(b"This account is currently not available.\n", 1)
    assert caught.value.message == "the login shell runs no programs (status 1)"
    assert caught.value.evidence == "This account is currently not available."


def test_a_stub_that_ran_was_not_refused() -> None:
    with pytest.raises(CommandFailed, match="never began"):
        never_began(b"sysfleet-asks\nsysfleet-ready\n", 96)


def test_a_terminal_that_cannot_be_had_is_told_as_that() -> None:
    with pytest.raises(CommandFailed, match="terminal cannot be switched"):
        never_began(b"sysfleet-asks\r\n\r\nsysfleet-no-terminal sh: stty: not found\r\n", 95)


def test_what_stands_after_the_sign_is_the_refusal() -> None:
    assert isinstance(never_began(b"hello\nsysfleet-asks\n\nsudo: a password is required\n", 1), Refused)
