"""A plan on paper: written and read back, refused where it is none, compared with what is now."""

from __future__ import annotations

import json

import msgspec
import pytest

from sysfleet.errors import UsageError
from sysfleet.planning.saved import (
    KIND,
    SCHEMA,
    SavedHost,
    SavedPlan,
    SavedSetting,
    changed_since,
    from_json,
    made_from,
    to_json,
)

KEY = "net.ipv4.ip_forward"
SETTING = SavedSetting(KEY, "0", "1", "1", "0", "templates/web.conf.j2:12")
HOST = SavedHost("web1", "192.0.2.1:22", 1, made_from("old"), (SETTING,), "+x = 0")
PLAN = SavedPlan(KIND, SCHEMA, "20261123T000000Z-00000000", "0.1.0", (HOST,))


def then_now(**changes: object) -> str | None:
    """What is said of a host whose setting has changed so."""
    setting = msgspec.structs.replace(SETTING, **changes)
    return changed_since(HOST, msgspec.structs.replace(HOST, made_from=made_from("new"), settings=(setting,)))


def test_a_plan_is_read_back_as_it_was_written() -> None:
    assert from_json(to_json(PLAN), "plan.json") == PLAN


def test_a_plan_can_be_read_by_people_and_says_what_it_is() -> None:
    text = to_json(PLAN).decode()
    assert text.startswith('{\n  "kind": "sysfleet plan",\n  "schema": 1,\n')
    assert json.loads(text)["hosts"][0]["settings"][0]["running"] == "1"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "plan.json is no plan"),
        (b"\xff{}", "plan.json is no plan"),
        (b'{"schema": 1, "hosts": []}', "plan.json is no plan"),
        (b"[]", "plan.json is no plan"),
        (b'{"kind": "sysfleet plan", "schema": 2}', "plan.json is of schema 2, and this sysfleet reads 1"),
        (b'{"kind": "sysfleet plan", "schema": 1, "hosts": []}', "plan.json is damaged: "),
        (to_json(PLAN)[:-9], "plan.json is no plan"),
    ],
)
def test_what_is_no_plan_is_a_usage_error(data: bytes, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        from_json(data, "plan.json")
    assert caught.value.message.startswith(said)
    assert caught.value.hint


def test_what_a_plan_was_made_from_is_one_number_for_equal_parts_alone() -> None:
    assert made_from([("a", "1")], b"x") == made_from((("a", "1"),), b"x")
    assert len({made_from(["a"], ["b"]), made_from(["a", "b"]), made_from(["a"], ["B"])}) == 3


def test_nothing_has_changed_where_it_is_made_from_the_same() -> None:
    moved = msgspec.structs.replace(SETTING, origin="templates/web.conf.j2:14")
    assert changed_since(HOST, msgspec.structs.replace(HOST, settings=(moved,))) is None


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"running": "0"}, f"{KEY} was 1 and is 0"),
        ({"running": None}, f"{KEY} was 1 and is unknown"),
        ({"at_boot": "0"}, f"{KEY} was 1 at boot and is 0"),
        ({"wanted": "2", "asked": ">= 2"}, f"{KEY} was to be 0 and is to be >= 2"),
        ({"key": "kernel.sysrq"}, f"{KEY} is no longer asked for, kernel.sysrq was not asked for"),
        ({}, "other values or files of the host"),
    ],
)
def test_what_has_changed_is_named(changes: dict[str, object], said: str) -> None:
    assert then_now(**changes) == said


def test_another_file_is_said_where_the_settings_are_the_same() -> None:
    now = msgspec.structs.replace(HOST, made_from=made_from("new"), diff="+x = 1")
    assert changed_since(HOST, now) == "our file"


def test_of_many_differences_a_few_are_named() -> None:
    settings = tuple(SavedSetting(f"kernel.k{number}", "1", "0", "0") for number in range(9))
    now = msgspec.structs.replace(HOST, made_from=made_from("new"), settings=(SETTING, *settings))
    said = changed_since(HOST, now)
    assert said is not None
    assert said.endswith("kernel.k4 was not asked for (+4 more)")
