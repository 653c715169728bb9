"""The guards catch what they are for, shown by running small suites that offend."""

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

_OFFENDERS = """
import logging, os, threading

def test_environment():
    os.environ["LEFT"] = "1"

def test_directory():
    os.chdir("/")

def test_thread(monkeypatch):
    monkeypatch.setattr("tests.support.guards._THREAD_END_S", 0.01)
    threading.Thread(target=threading.Event().wait, daemon=True, name="stuck").start()

def test_handler():
    logging.getLogger("x").addHandler(logging.StreamHandler())

def test_that_tidies_up(monkeypatch):
    monkeypatch.setenv("GONE", "1")
"""

_SKIPS = """
import pytest

def test_part():
    pytest.skip("no busybox")

def test_kernel():
    pytest.skip("not on this kernel: namespaces")
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    pytester.makeconftest('pytest_plugins = ["tests.support.guards", "tests.support.skips"]')
    return pytester


def test_a_test_that_leaves_something_behind_fails(suite: pytest.Pytester) -> None:
    suite.makepyfile(_OFFENDERS)
    result = suite.runpytest_subprocess("-p", "no:randomly")
    result.assert_outcomes(passed=5, errors=4)
    result.stdout.fnmatch_lines(
        [
            "*left environment variables changed: LEFT",
            "*left the working directory at /",
            "*left threads running: stuck",
            "*left log handlers: *",
        ]
    )


@pytest.mark.parametrize(("ci", "failed"), [("", 0), ("true", 1)])
def test_a_skip_for_a_missing_part_fails_in_ci_alone(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, ci: str, failed: int
) -> None:
    monkeypatch.setenv("CI", ci)
    suite.makepyfile(_SKIPS)
    suite.runpytest_subprocess().assert_outcomes(failed=failed, skipped=2 - failed)
