"""What is said before a program is sent: one answer to one question, and nothing to anybody who did not ask."""

from __future__ import annotations

import pytest

from sysfleet.errors import CommandFailed
from sysfleet.remote.dialogue import Dialogue, Turn

READY = b"\nsysfleet-ready\n"
PROMPT = b"sysfleet%secret:"
PROMPTS = [
    PROMPT,
    b"\rdoas (ops@web1) password: ",
    b"[sudo] password for ops: ",
    b"Password: ",
    b"[sudo: sysfleet%%secret:] Password: ",
    b"We trust you have received the usual lecture.\n\n    #1) Respect the privacy of others.\n\n" + PROMPT,
]


def dialogue(password: str | None = "swordfish") -> tuple[Dialogue, list[str]]:
    worked: list[str] = []
    return Dialogue(password, lambda: worked.append("worked")), worked


@pytest.mark.parametrize("where", ["output", "errors"])
@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_question_is_answered_once_and_worked_when_the_stub_runs(prompt: bytes, where: str) -> None:
    one, worked = dialogue()

    def turn(said: bytes, ready: bytes = b"") -> Turn:
        return one.next(said + ready, b"") if where == "output" else one.next(ready, said)

    assert turn(b"") is Turn.WAIT
    assert turn(prompt) is Turn.ANSWER
    assert one.answer() == b"swordfish\n"
    assert turn(prompt + b"\r\n") is Turn.WAIT
    assert worked == []
    assert turn(prompt + b"\r\n", READY) is Turn.READY
    assert turn(prompt + b"\r\n", READY) is Turn.READY
    assert worked == ["worked"]


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_question_that_comes_byte_by_byte_is_one_question(prompt: bytes) -> None:
    one, _ = dialogue()
    said, answers = bytearray(), 0
    for byte in prompt + b"\r\n":
        said.append(byte)
        if one.next(b"", said) is Turn.ANSWER:
            one.answer()
            answers += 1
    assert answers == 1


@pytest.mark.parametrize("prompt", PROMPTS)
def test_a_second_question_is_a_refusal_and_never_answered(prompt: bytes) -> None:
    one, worked = dialogue()
    assert one.next(b"", prompt) is Turn.ANSWER
    one.answer()
    assert one.next(b"", prompt + b"\r\nSorry, try again.\r\n" + prompt) is Turn.REFUSED
    with pytest.raises(ValueError, match="no answer"):
        one.answer()
    assert worked == []


def test_a_stub_that_runs_unasked_proves_nothing() -> None:
    one, worked = dialogue()
    assert one.next(b"Welcome\n" + READY, b"") is Turn.READY
    assert worked == []
    assert not one.answered


def test_without_a_password_no_question_is_answered() -> None:
    one, _ = dialogue(None)
    assert one.next(b"", PROMPT) is Turn.WAIT
    assert one.next(READY, PROMPT) is Turn.READY


@pytest.mark.parametrize("said", [b"", b"your password has expired\n", b"sysfleet-asks\n", b"enter password: no\n"])
def test_what_is_no_question_is_not_answered(said: bytes) -> None:
    assert dialogue()[0].next(said, said) is Turn.WAIT


def test_a_host_that_talks_without_end_is_cut_off() -> None:
    with pytest.raises(CommandFailed, match="more than 1048576 bytes before the program"):
        dialogue()[0].next(b"x" * (1 << 21), b"")


def test_no_representation_shows_the_password_and_what_repeats_it_is_cleaned() -> None:
    one, _ = dialogue()
    assert "swordfish" not in repr(one)
    assert one.without_password(b"you said swordfish\n") == b"you said ***\n"
