"""JSON that a terminal cannot be made to obey by, and that reads back as it was."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from sysfleet.outcome import plain_json


def test_controls_and_marks_that_turn_text_around_are_escaped() -> None:
    data = json.dumps({"diff": "\u009b2J \u202egnp.txt \U000e0001 é 漢"}, ensure_ascii=False).encode()
    shown = plain_json(data).decode()
    assert shown.isprintable()
    assert "é 漢" in shown
    assert json.loads(shown) == json.loads(data)


@given(st.text())
def test_what_is_read_back_is_what_was_written(text: str) -> None:
    data = json.dumps([text], ensure_ascii=False).encode("utf-8", "surrogatepass")
    try:
        data.decode()
    except UnicodeDecodeError:
        return  # half a pair is never written
    shown = plain_json(data)
    assert shown.decode().isprintable()
    assert json.loads(shown) == [text]
