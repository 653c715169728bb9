"""Root rights: refusals of sudo and doas are told from other failures, in the program's own words."""

from __future__ import annotations

import pytest

from sysfleet.remote.privilege import PLAIN, command_line, refusal

REFUSALS = [
    b"sudo: a password is required\n",
    b"sudo: a terminal is required to read the password; either use the -S option\n",
    b"sudo: sorry, you must have a tty to run sudo\n",
    b"tester is not in the sudoers file.  This incident will be reported.\n",
    b"Sorry, user tester is not allowed to execute '/bin/sh -c x' as root on web1.\n",
    b"Sorry, user tester may not run sudo on web1.\n",
    b"doas: Operation not permitted\n",
    b"doas: Authentication required\n",
    b"env: 'sudo': No such file or directory\n",
    b"sh: 1: doas: not found\n",
    b"bash: line 1: doas: command not found\n",
    b"sudo: neither sudo nor doas is installed\n",
]


@pytest.mark.parametrize("words", REFUSALS)
def test_a_refusal_is_known_by_its_words(words: bytes) -> None:
    denied = refusal(b"Welcome to web1\n" + words, user="tester")
    assert denied is not None
    assert denied.evidence == " ".join(words.decode().split())
    assert denied.hint


@pytest.mark.parametrize(
    "words", [b"", b"This account is currently not available.\n", b"sh: syntax error\n", b"bash: awk: not found\n"]
)
def test_other_failures_are_no_refusal(words: bytes) -> None:
    assert refusal(words, user="tester") is None


def test_root_needs_nobody() -> None:
    assert command_line("auto", user="root", with_password=False) == PLAIN
    assert command_line("none", user="anyone", with_password=True) == PLAIN
