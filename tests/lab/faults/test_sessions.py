"""Sessions that are not quiet, not lenient, or not English."""

from typing import Any

import asyncssh
import pytest
from typing_extensions import override

from sysfleet.lab import Lab
from tests.support.lab import ssh


def test_noisy_start_files_print_and_change_directory(faulty: Lab) -> None:
    answer = ssh(faulty, "noisy-start-files", "pwd")
    assert answer.stdout.startswith(b"*** all use of this host is logged ***\nroot@elsewhere:/tmp# \n")
    assert answer.stdout.endswith(b"\n/tmp\n")
    assert answer.stderr


@pytest.mark.parametrize("shell", ["bash -l", "sh -l"])
def test_noisy_login_shells_are_noisy_as_well(faulty: Lab, shell: str) -> None:
    assert ssh(faulty, "noisy-start-files", f"exec {shell} -c pwd").stdout.count(b"***") >= 2


def test_a_noisy_host_shows_a_banner_before_the_login(faulty: Lab) -> None:
    seen: list[str] = []

    class Client(asyncssh.SSHClient):
        @override
        def auth_banner_received(self, msg: str, lang: str) -> None:
            seen.append(msg)

    def ask(name: str) -> Any:
        return ssh(faulty, name, "true", client_factory=Client)

    assert ask("noisy-start-files").status == 0
    assert [message.splitlines()[0] for message in seen] == ["Authorised users only."]
    ask("nixos")
    assert len(seen) == 1


def test_a_strict_start_file_ends_the_shell_at_the_first_failure(faulty: Lab) -> None:
    answer = ssh(faulty, "start-file-set-e", "echo on; false; echo after")
    assert (answer.status, answer.stdout) == (1, b"on\n")
    assert b"after" not in ssh(faulty, "start-file-set-e", 'echo "$not_set"; echo after').stdout


def test_a_session_can_speak_another_language(faulty: Lab) -> None:
    answer = ssh(faulty, "foreign-locale", 'echo "$LC_ALL $LANG $LANGUAGE"')
    assert answer.stdout == b"C.UTF-8 de_DE.UTF-8 de\n"
