"""Words of the other side can be shown: no control characters, bounded."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.remote.evidence import clean, clean_fact


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (b"plain", "plain"),
        (b"two\nlines\r\n", "two lines"),
        (b"\x1b[1;31mred\x1b[0m", "red"),
        (b"\x1b]0;title\x07text", "text"),
        (b"\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\", "link"),
        (b"bell\x07 back\x08space", "bell back space"),
        ("right\u202eleft", "right left"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_what_a_terminal_would_obey_is_taken_out(words: bytes | str, shown: str) -> None:
    assert clean(words) == shown


def test_long_words_keep_their_end() -> None:
    assert clean("a" * 1000 + "END", limit=10) == "…aaaaaaEND"


def test_long_facts_keep_their_beginning() -> None:
    assert clean_fact("BEGIN" + "a" * 1000, limit=8) == "BEGINaaa"


@given(st.text(), st.integers(min_value=1, max_value=50))
def test_nothing_unshowable_and_nothing_too_long_is_left(words: str, limit: int) -> None:
    for shown in (clean(words, limit=limit), clean_fact(words, limit=limit)):
        assert len(shown) <= limit
        assert not any(unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} for char in shown)
