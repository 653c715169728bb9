"""The journal: what is written comes back, and nothing that a disk does ends a run."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Thread

import pytest

from sysfleet.outcome import HostOutcome, Status, report
from sysfleet.store.journal import Header, Journal, header, load, private_folder, run_id, runs

NOON = datetime(2026, 1, 31, 12, 0, 0, tzinfo=UTC)


def begin(run: str = "20260131T120000Z-00000001") -> Header:
    return header(run, "check", NOON, "root", "role=web", "0.1.0")


def rows(count: int) -> list[HostOutcome]:
    return [HostOutcome(f"web{number}", ("web",), Status.OK) for number in range(count)]


def journal_of(project: Path, warnings: list[str]) -> Journal:
    return Journal.open(project, begin(), warnings.append)


def only(project: Path) -> Path:
    (path,) = runs(project)
    return path


def test_a_finished_run_comes_back_as_it_was_written(tmp_path: Path) -> None:
    warnings: list[str] = []
    journal = journal_of(tmp_path, warnings)
    for row in rows(3):
        journal.row(row)
    journal.end(report("r", "check", rows(3), ["a note"]))
    history = load(only(tmp_path))
    assert history.header == begin()
    assert history.hosts == tuple(rows(3))
    assert history.end is not None
    assert (history.end.summary, history.end.exit_code) == ({"hosts": 3, "ok": 3}, 0)
    assert history.end.notes == ("a note",)
    assert warnings == []


def test_every_row_is_on_disk_as_soon_as_it_is_told(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, [])
    journal.row(rows(1)[0])
    assert [row.host for row in load(only(tmp_path)).hosts] == ["web0"]
    journal.close()


def test_a_journal_cut_at_any_byte_gives_its_whole_lines(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, [])
    for row in rows(2):
        journal.row(row)
    journal.end(report("r", "check", rows(2)))
    path = only(tmp_path)
    data = path.read_bytes()
    for end in range(data.index(b"\n"), len(data)):
        path.write_bytes(data[:end])
        history = load(path)
        whole = data[:end].count(b"\n") - 1
        # The last line may be whole without its line break.
        assert len(history.hosts) in {max(whole, 0), min(whole + 1, 2)}
        assert history.hosts == tuple(rows(2))[: len(history.hosts)]


def test_a_broken_line_in_the_middle_is_no_journal(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, [])
    journal.close()
    path = only(tmp_path)
    path.write_bytes(path.read_bytes() + b"{\n{}\n")
    with pytest.raises(ValueError, match="line 2: not a line of a journal"):
        load(path)


def test_another_file_is_no_journal(tmp_path: Path) -> None:
    path = tmp_path / "other.jsonl"
    path.write_bytes(b'{"line": "end"}\n')
    with pytest.raises(ValueError, match="line 1: not a line of a journal"):
        load(path)


def test_rows_of_many_threads_do_not_mix(tmp_path: Path) -> None:
    journal = journal_of(tmp_path, [])
    told = rows(200)

    def tell(part: list[HostOutcome]) -> None:
        for row in part:
            journal.row(row)

    threads = [Thread(target=tell, args=(told[start::8],)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    journal.close()
    assert {row.host for row in load(only(tmp_path)).hosts} == {row.host for row in told}


def test_a_project_that_cannot_be_written_is_said_once_and_the_run_goes_on(tmp_path: Path) -> None:
    (tmp_path / ".sysfleet").write_text("in the way")
    warnings: list[str] = []
    journal = journal_of(tmp_path, warnings)
    for row in rows(3):
        journal.row(row)
    journal.end(report("r", "check", rows(3)))
    assert len(warnings) == 1
    assert warnings[0].startswith("the journal of this run is not kept: ")


def test_a_disk_that_fills_up_is_said_once(tmp_path: Path) -> None:
    warnings: list[str] = []
    with open("/dev/full", "wb", buffering=0) as full:  # noqa: PTH123
        journal = Journal(full, warnings.append)
        for row in rows(3):
            journal.row(row)
    assert warnings == ["the journal of this run is not kept: No space left on device"]


def test_only_its_owner_may_read_it_and_git_leaves_it_out(tmp_path: Path) -> None:
    old = os.umask(0)
    try:
        journal_of(tmp_path, []).close()
    finally:
        os.umask(old)
    path = only(tmp_path)
    modes = [place.stat().st_mode & 0o777 for place in (path, path.parent, path.parent.parent)]
    assert modes == [0o600, 0o700, 0o700]
    assert (tmp_path / ".sysfleet" / ".gitignore").read_text() == "*\n"


def test_a_gitignore_that_is_there_is_left_alone(tmp_path: Path) -> None:
    folder = private_folder(tmp_path)
    (folder / ".gitignore").write_text("runs\n")
    private_folder(tmp_path)
    assert (folder / ".gitignore").read_text() == "runs\n"


def test_run_ids_sort_by_time_whatever_the_zone() -> None:
    east = timezone(timedelta(hours=9))
    earlier = run_id(datetime(2026, 2, 1, 8, 59, 59, tzinfo=east), b"\xff" * 4)
    later = run_id(datetime(2026, 2, 1, 0, 0, 0, tzinfo=UTC), b"\x00" * 4)
    assert earlier == "20260131T235959Z-ffffffff"
    assert earlier < later


def test_journals_are_listed_oldest_first_and_nothing_else_is(tmp_path: Path) -> None:
    for run in ("20260131T120001Z-00000001", "20260131T120000Z-ffffffff"):
        Journal.open(tmp_path, begin(run), print).close()
    (tmp_path / ".sysfleet" / "runs" / "notes.jsonl").touch()
    assert [path.stem for path in runs(tmp_path)] == [
        "20260131T120000Z-ffffffff",
        "20260131T120001Z-00000001",
    ]
