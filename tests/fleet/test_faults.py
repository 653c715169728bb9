"""Sixty hosts, most of them faulty, met by one `apply`: each has the row that docs/reference/faults.md says."""

from __future__ import annotations

import os
import re
import resource
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import pytest

from sysfleet.errors import ExitCode
from sysfleet.fleet import Fleet
from sysfleet.lab import Lab
from sysfleet.outcome import FleetReport, HostOutcome, Status
from sysfleet.sample import sample_folder
from sysfleet.settings import override, parse
from tests.fleet.faults import CASES, KEY, PHASES, ROOT_PASSWORD, WORDS, Case
from tests.support.lab import make_lab
from tests.support.needs import needs, needs_root

OURS = "etc/sysctl.d/99-zz-sysfleet.conf"
ALL_AT_ONCE = ("run.batch=100%", "run.max_failures=100%", "run.max_lost=100%")
SETTINGS = (
    *("run.deadline_s=10", "run.workers=24", "ssh.connect_timeout_s=5", "privilege.password_env=ROOT_PASSWORD"),
    *ALL_AT_ONCE,
)
# Nobody can say from outside whether their write was the last before the end.
UNDECIDED = {"drops-mid-write"}


class Met(NamedTuple):
    """What one `apply` on all of them gave, and what the hosts say from outside SSH."""

    report: FleetReport
    rows: Mapping[str, HostOutcome]
    values: Mapping[str, str | None]
    files: Mapping[str, bool]
    memory_kib: int


@pytest.fixture(scope="module", params=["paramiko", "openssh"])
def met(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Met]:
    needs_root("setuid programs in a host need the machine's root")
    for program in ("fish", "csh", "ssh"):
        needs(program)
    lab = make_lab(
        tmp_path_factory.mktemp("faults") / "lab",
        [case.host for case in CASES],
        backend="openssh",
        mode="namespaces",
        templates=sample_folder("templates"),
    )
    with lab:
        (lab.folder / "no-config").touch(0o600)  # nor that of the person who runs the tests
        chosen = (f"ssh.connection={request.param}", "ssh.config=no-config")
        settings = override(parse((lab.folder / "sysfleet.toml").read_text()), (*SETTINGS, *chosen))
        environ = {"HOME": "/nonexistent", "USER": "nobody", "PATH": os.defpath, "ROOT_PASSWORD": ROOT_PASSWORD}
        report = Fleet(lab.folder, settings, environ=environ).apply()
        memory_kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        rows = {row.host: row for row in report.hosts}
        yield Met(report, rows, _values(lab), _files(lab), memory_kib)


def _values(lab: Lab) -> dict[str, str | None]:
    readable = (case.host.name for case in CASES if "key_unreadable" not in case.host.faults)
    return {name: lab.hosts[name].read(KEY) for name in readable}


def _files(lab: Lab) -> dict[str, bool]:
    # Asked inside: a folder that is covered there is not the one that is seen from outside.
    return {name: host.run(["test", "-s", f"/{OURS}"]).returncode == 0 for name, host in lab.hosts.items()}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.host.name)
def test_each_has_its_row(met: Met, case: Case) -> None:
    row = met.rows[case.host.name]
    message = "" if row.error is None else row.error.message
    assert re.fullmatch(case.status, row.status.value), (row.status, message)
    for said in case.says:
        assert re.search(said, message, re.DOTALL), (said, message)
    verdicts = {setting.key: setting.verdict.value for setting in row.settings}
    for key, verdict in case.settings.items():
        assert re.fullmatch(verdict, verdicts[key]), (key, verdicts[key])
    if row.error is not None:
        assert row.error.phase == PHASES[case.host.name], row.error
        assert row.error.message.isprintable()


def test_the_page_has_words_for_every_row_that_says_something() -> None:
    assert [case.host.name for case in CASES if case.says and case.host.name not in WORDS] == []


def test_every_host_has_exactly_one_row_and_the_run_says_that_some_failed(met: Met) -> None:
    assert len(met.report.hosts) == len(met.rows) == len(CASES) == 60
    assert met.report.exit_code is ExitCode.HOST_FAILED


def test_what_was_not_changed_is_as_it_was(met: Met) -> None:
    left = {name: row for name, row in met.rows.items() if name not in UNDECIDED and row.status is not Status.CHANGED}
    values = {met.values[name] for name in left if met.values.get(name) is not None}
    assert {value for value in values if value and value.startswith("60")} == values
    named = {case.host.name for case in CASES if {"file_immutable", "file_of_others"} & set(case.host.faults)}
    assert [name for name in left if met.files[name] and name not in named] == []


def test_what_was_changed_has_its_value_and_its_file(met: Met) -> None:
    changed = [name for name, row in met.rows.items() if row.status is Status.CHANGED]
    absent = {"absent-key"}
    assert {met.values[name] for name in changed if name not in absent} == {"30"}
    assert all(met.files[name] for name in changed)


def test_floods_cost_the_controller_no_more_than_their_limit(met: Met) -> None:
    assert met.memory_kib < 512 << 10
