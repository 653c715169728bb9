"""A new project folder: made from the sample, complete, and never over something that is there."""

from __future__ import annotations

from pathlib import Path

from sysfleet.errors import ExitCode
from sysfleet.sample import sample_folder
from tests.cli.conftest import Shell


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_init_copies_the_sample_and_says_what_comes_next(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "new fleet"
    ended = shell("init", folder).gives(ExitCode.OK)
    assert files(folder / "inventory") == files(sample_folder("inventory").resolve())
    assert files(folder / "templates") == files(sample_folder("templates").resolve())
    assert f"sysfleet --project '{folder}' check" in ended.out


def test_a_new_project_holds_together(shell: Shell, tmp_path: Path) -> None:
    shell("init", tmp_path / "fleet").gives(ExitCode.OK)
    shell("--project", tmp_path / "fleet", "inventory").gives(ExitCode.OK)


def test_a_folder_that_is_not_empty_is_left_alone(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "fleet").mkdir()
    (tmp_path / "fleet" / "mine").write_text("x")
    ended = shell("init", tmp_path / "fleet").gives(ExitCode.USAGE)
    assert "not empty" in ended.err
    assert files(tmp_path / "fleet") == {"mine": b"x"}


def test_an_empty_folder_will_do(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "fleet").mkdir()
    shell("init", tmp_path / "fleet").gives(ExitCode.OK)


def test_a_folder_that_cannot_be_made_is_a_usage_error(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    assert "cannot be made" in shell("init", tmp_path / "file" / "fleet").gives(ExitCode.USAGE).err
