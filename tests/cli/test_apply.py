"""The question before a change: what it shows, whom it asks, what counts as yes."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

import pytest

from sysfleet.cli.apply import Question
from sysfleet.cli.progress import Telling
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode
from sysfleet.outcome import FleetReport, HostOutcome, Status, report
from tests.cli.conftest import Builder, Shell, Stream
from tests.report.rows import drifted, ok, setting, unreachable


def plan(*rows: HostOutcome) -> FleetReport:
    return report("r", "apply", rows)


def asked(answer: str, rows: list[HostOutcome], form: str = "table") -> tuple[Question, bool, str, str]:
    out, err = Stream(), Stream()
    terminal = Terminal(Stream(answer, terminal=True), out, err, {})
    question = Question(Namespace(format=form), terminal, Telling(terminal))
    approved = question(plan(*rows))
    return question, approved, out.getvalue(), err.getvalue()


DRIFT = [drifted(f"web{number}", setting("net.ipv4.ip_forward"), diff="+x = 0\n") for number in range(1, 13)]


def test_the_plan_is_shown_folded_and_the_number_of_hosts_is_in_the_question() -> None:
    question, approved, out, err = asked("y\n", [*DRIFT, ok("web20"), unreachable("db1")])
    assert approved
    assert not question.declined
    assert out == (
        "12 hosts: web[1-12]\n"
        "  key                  now  then  wanted by\n"
        "  net.ipv4.ip_forward  1    0     templates/web.conf.j2:12 (role web)\n"
        "  +x = 0\n"
        "\n"
        "db1: connect: connection refused\n"
        "\n"
        "14 hosts: 1 ok, 12 drifted, 1 unreachable\n"
        "\n"
    )
    assert err == "apply to 12 hosts? [y/N] "


@pytest.mark.parametrize("answer", ["y\n", "YES\n", " yes \n", "y"])
def test_yes_is_yes(answer: str) -> None:
    assert asked(answer, DRIFT)[1]


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "yep\n", "no\n"])
def test_anything_else_is_no(answer: str) -> None:
    question, approved, _, _ = asked(answer, DRIFT)
    assert not approved
    assert question.declined


def test_with_json_the_plan_goes_to_the_person_and_not_into_the_result() -> None:
    _, _, out, err = asked("y\n", DRIFT, "json")
    assert out == ""
    assert err.startswith("12 hosts: web[1-12]\n")


def test_nothing_to_change_is_no_question() -> None:
    question, approved, out, err = asked("", [ok("web1"), HostOutcome("web2", (), Status.BLOCKED)])
    assert approved
    assert not question.declined
    assert out + err == ""


def test_without_a_terminal_and_without_yes_apply_is_a_usage_error(shell: Shell, project: Builder) -> None:
    ended = shell("--project", project(), "apply").gives(ExitCode.USAGE)
    assert ended.err == "sysfleet: apply asks before it changes, and there is no terminal to ask (--yes does not ask)\n"


def test_a_plan_that_cannot_be_read_is_a_usage_error(shell: Shell, project: Builder, tmp_path: Path) -> None:
    folder = project()
    missing = shell("--project", folder, "apply", "--yes", "--plan", tmp_path / "none").gives(ExitCode.USAGE)
    assert missing.err == f"sysfleet: {tmp_path / 'none'} cannot be read: No such file or directory\n"
    (tmp_path / "other").write_text("{}")
    other = shell("--project", folder, "apply", "--yes", "--plan", tmp_path / "other").gives(ExitCode.USAGE)
    assert other.err == f"sysfleet: {tmp_path / 'other'} is no plan (sysfleet plan --out FILE writes one)\n"


def test_a_place_where_no_plan_can_be_written_is_found_before_anything_is_contacted(
    shell: Shell, project: Builder, tmp_path: Path
) -> None:
    for path in (tmp_path, tmp_path / "none" / "plan.json"):
        ended = shell("--project", project(), "plan", "--out", path).gives(ExitCode.USAGE)
        assert ended.out == ""
        assert f"{path} cannot be written" in ended.err
