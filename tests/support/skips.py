"""With CI=true a test that is skipped for a missing part fails, since CI installs every part.

A reason that begins with `not on this kernel:` stays a skip: no package brings what a kernel refuses.
"""

import os
from collections.abc import Generator

import pytest

NOT_ON_THIS_KERNEL = "not on this kernel:"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    if os.environ.get("CI") == "true" and report.skipped and not hasattr(report, "wasxfail"):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        reason = reason.removeprefix("Skipped: ")
        if not reason.startswith(NOT_ON_THIS_KERNEL):
            report.outcome = "failed"
            report.longrepr = f"skipped although CI has every part: {reason}"
    return report
