"""Nothing that a terminal could obey, hide or reorder survives."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.report.columns import Column, cells, columns, cut
from sysfleet.report.printable import printable, printable_lines


@given(st.text())
def test_the_result_is_printable_and_stays_so(text: str) -> None:
    shown = printable(text)
    assert shown.isprintable()
    assert printable(shown) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain text, 4096 87380", "plain text, 4096 87380"),
        ("größer ≥ 日本", "größer ≥ 日本"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("two\nlines\r", "two\\nlines\\r"),
        ("\x9b2J", "\\x9b2J"),
        ("a\u202eb", "a\\u202eb"),
        ("\udcff", "\\udcff"),
        ("no\xa0break", "no\\xa0break"),
    ],
)
def test_what_is_dangerous_is_written_as_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


def test_tabulators_of_a_file_become_blanks() -> None:
    assert printable_lines(["a\tb", "c\x07"]) == ["a       b", "c\\x07"]


@given(st.text(), st.integers(1, 30))
def test_cut_text_fits(text: str, width: int) -> None:
    assert cells(cut(printable(text), width)) <= width


def test_wide_characters_take_two_cells() -> None:
    lines = columns([Column("name"), Column("n", right=True)], [("日本", "1"), ("abc", "10")])
    assert lines == ["name   n", "日本   1", "abc   10"]
