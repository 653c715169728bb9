"""`sysfleet lint`: files in, findings out, in three forms; no project is needed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sysfleet.errors import ExitCode
from sysfleet.sysctl.lint import RULES
from tests.cli.conftest import Shell

ARTICLE = Path(__file__).parents[1] / "data/article.conf"


def test_a_clean_file_ends_with_0(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("kernel.randomize_va_space = 2\n")
    assert shell("lint", tmp_path / "a.conf").gives(ExitCode.OK).out == "nothing in 1 file\n"


def test_findings_have_file_line_and_column_and_end_with_1(shell: Shell) -> None:
    ended = shell("lint", ARTICLE).gives(ExitCode.DRIFT)
    assert f"{ARTICLE}:7:1: unknown-key: there is no key net.ipv6.ip_forward" in ended.out
    assert "did you mean net.ipv6.conf.all.forwarding?" in ended.out
    assert ended.out.endswith("\n\n6 findings in 1 file\n")


def test_json_has_the_same_findings(shell: Shell) -> None:
    found = json.loads(shell("lint", "--format", "json", ARTICLE).gives(ExitCode.DRIFT).out)
    assert (found["schema"], found["command"], found["files"]) == (1, "lint", [str(ARTICLE)])
    assert [(one["rule"], one["line"]) for one in found["findings"]][3] == ("unknown-key", 7)


def test_sarif_names_rules_and_places(shell: Shell) -> None:
    log = json.loads(shell("lint", "--format", "sarif", ARTICLE).gives(ExitCode.DRIFT).out)
    assert log["version"] == "2.1.0"
    run = log["runs"][0]
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == list(RULES)
    result = run["results"][3]
    place = result["locations"][0]["physicalLocation"]
    assert result["ruleId"] == run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "unknown-key"
    assert place["artifactLocation"]["uri"] == str(ARTICLE)
    assert place["region"] == {"startLine": 7, "startColumn": 1}


def test_standard_input_is_a_file_as_well(shell: Shell) -> None:
    assert "-:1:" in shell("lint", "-", typed="kernel.panic = 010\n").gives(ExitCode.DRIFT).out


def test_files_are_taken_together_in_the_order_of_their_names(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "z").mkdir()
    early, late = tmp_path / "z/10-a.conf", tmp_path / "20-b.conf"
    early.write_text("net.ipv4.conf.all.accept_source_route = 0\nnet.ipv4.ip_forward = 0\n")
    late.write_text("net.ipv4.ip_forward = 0\n")
    assert f"{late}:1:1: duplicate:" in shell("lint", late, early).gives(ExitCode.DRIFT).out


@pytest.mark.parametrize("name", ["missing.conf", "folder.conf", "web.conf.j2"])
def test_what_cannot_be_judged_ends_with_2_and_is_named(shell: Shell, tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.conf").mkdir()
    (tmp_path / "web.conf.j2").write_text("{{ x }}\n")
    ended = shell("lint", ARTICLE, tmp_path / name).gives(ExitCode.USAGE)
    assert name in ended.err
    assert ended.out == ""


def test_escape_sequences_in_a_file_do_not_reach_the_terminal(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_bytes(b"kernel.x\x1b[2Jy = 1\nkernel.panic = \x1b]0;x\x07\xff\n")
    for form in ("text", "json", "sarif"):
        out = shell("lint", "--format", form, tmp_path / "a.conf").gives(ExitCode.DRIFT).out
        assert "\x1b" not in out
        out.encode()
