"""Who is selected, without contacting anybody; and what is said where an inventory does not hold."""

from __future__ import annotations

import json

import pytest

from sysfleet.errors import ExitCode
from tests.cli.conftest import HOSTS, Builder, Shell


def test_the_table_has_every_host_with_roles_and_layers(shell: Shell, project: Builder) -> None:
    ended = shell("--project", project(), "inventory").gives(ExitCode.OK)
    assert ended.out == (
        "host  address      roles  groups  layers, lowest first\n"
        "db1   127.0.0.1:1  db     db      base < role db < host\n"
        "web1  127.0.0.1:1  web    web     base < role web\n"
        "web2  127.0.0.1:1  web    web     base < role web\n"
        "\n"
        "3 hosts\n"
    )
    assert ended.err == ""


def test_json_has_a_schema_and_the_same_hosts(shell: Shell, project: Builder) -> None:
    ended = shell("inventory", "--project", project(), "--limit", "role=db", "--format", "json")
    found = json.loads(ended.gives(ExitCode.OK).out)
    assert found["schema"] == 1
    assert found["hosts"] == [
        {
            "host": "db1",
            "address": "127.0.0.1",
            "port": 1,
            "groups": ["db"],
            "roles": ["db"],
            "layers": ["base", "role db", "host"],
        }
    ]


@pytest.mark.parametrize("command", ["inventory", "check", "plan", "apply"])
def test_a_broken_inventory_is_told_with_file_and_line_before_anything_else(
    command: str, shell: Shell, project: Builder
) -> None:
    broken = project(**{"inventory/hosts.yaml": HOSTS.replace("groups: [db]", "groups: [bd]")})
    ended = shell("--project", broken, command, *(["--yes"] if command == "apply" else [])).gives(ExitCode.USAGE)
    assert ended.out == ""
    assert "inventory/hosts.yaml:12: " in ended.err
    assert "did you mean db?" in ended.err


def test_a_broken_template_is_told_too(shell: Shell, project: Builder) -> None:
    broken = project(**{"templates/web.conf.j2": "net.core.somaxconn = {{ nonsense }}\n"})
    ended = shell("--project", broken, "inventory").gives(ExitCode.USAGE)
    assert "templates/web.conf.j2:1: " in ended.err


def test_a_limit_that_selects_nobody_is_an_error(shell: Shell, project: Builder) -> None:
    assert shell("--project", project(), "inventory", "--limit", "role=wbe").gives(ExitCode.USAGE).err


def test_a_folder_that_is_no_project_is_an_error(shell: Shell, project: Builder) -> None:
    folder = project()
    assert "there is no folder" in shell("--project", folder / "gone", "check").gives(ExitCode.USAGE).err
    assert "is no project" in shell("--project", folder / "templates", "check").gives(ExitCode.USAGE).err


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--set", "run.wrokers=3"], "did you mean"),
        (["--workers", "many"], "run.workers"),
        (["--deadline", "-1"], "run.deadline_s"),
    ],
)
def test_settings_that_cannot_be_are_errors(words: list[str], said: str, shell: Shell, project: Builder) -> None:
    assert said in shell("--project", project(), "check", *words).gives(ExitCode.USAGE).err
