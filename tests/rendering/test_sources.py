"""Templates are read from a folder; what cannot be read is said with its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from sysfleet.errors import TemplateError
from sysfleet.rendering import Templates


def test_a_folder_of_templates_gives_its_roles(tmp_path: Path) -> None:
    for name in ("base.conf.j2", "web.conf.j2", "db.conf.j2", "_shared.conf.j2", "_m.j2", "notes.txt"):
        (tmp_path / name).write_text("")
    assert Templates.load(tmp_path).roles == ("db", "web")


def test_a_file_that_is_no_text_is_named_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "base.conf.j2").write_bytes(b"# one\n# two \xff\n")
    with pytest.raises(TemplateError) as caught:
        Templates.load(tmp_path)
    (found,) = caught.value.problems
    assert (found.file, found.line) == ("templates/base.conf.j2", 2)


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(TemplateError) as caught:
        Templates.load(tmp_path / "templates")
    assert str(tmp_path / "templates") in str(caught.value)


def test_base_is_needed(tmp_path: Path) -> None:
    (tmp_path / "web.conf.j2").write_text("")
    with pytest.raises(TemplateError, match=r"base\.conf\.j2"):
        Templates.load(tmp_path)


def test_a_file_with_windows_line_ends_reads_the_same(tmp_path: Path) -> None:
    (tmp_path / "base.conf.j2").write_bytes(b"# why\r\nvm.swappiness = 1\r\n")
    assert Templates.load(tmp_path).keys_to_read("base") == {"vm.swappiness"}
