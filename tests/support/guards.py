"""Fails a test that leaves something behind: environment, working directory, threads or log handlers.

Unclosed sockets and files need no guard here: their warnings are errors.
"""

import logging
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

# A connection's own thread ends soon after its connection; one that is still there after this time is stuck.
_THREAD_END_S = 5.0

_PERSONAL = ["SSH_AUTH_SOCK", "SSH_ASKPASS", "NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE", "COLUMNS", "LINES"]


@pytest.fixture(scope="session", autouse=True)
def _nobodys_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Tests see no agent, no ~/.ssh and no settings of the person who runs them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
        patch.setenv("TERM", "dumb")
        for name in [*_PERSONAL, *(name for name in os.environ if name.startswith("SYSFLEET_"))]:
            patch.delenv(name, raising=False)
        yield


@pytest.fixture(autouse=True)
def _environment_is_left_alone() -> Iterator[None]:
    before = _environment()
    yield
    after = _environment()
    changed = sorted(name for name in before.keys() | after.keys() if before.get(name) != after.get(name))
    assert not changed, f"the test left environment variables changed: {', '.join(changed)}"


@pytest.fixture(autouse=True)
def _working_directory_is_left_alone() -> Iterator[None]:
    before = Path.cwd()
    yield
    after = Path.cwd()
    os.chdir(before)
    assert after == before, f"the test left the working directory at {after}"


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    before = set(threading.enumerate())
    yield
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(_THREAD_END_S)
    alive = [thread.name for thread in left if thread.is_alive()]
    assert not alive, f"the test left threads running: {', '.join(alive)}"


@pytest.fixture(autouse=True)
def _no_log_handler_is_left() -> Iterator[None]:
    before = _handlers()
    yield
    left = _handlers() - before
    assert not left, f"the test left log handlers: {', '.join(map(str, left))}"


def _environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}


def _handlers() -> set[logging.Handler]:
    loggers = [logging.root, *logging.root.manager.loggerDict.values()]
    real = [logger for logger in loggers if isinstance(logger, logging.Logger)]
    found = {handler for logger in real for handler in logger.handlers}
    # pytest's own come and go with the phases of a test; a library adds one that does nothing.
    telling = {handler for handler in found if not isinstance(handler, logging.NullHandler)}
    return {handler for handler in telling if not type(handler).__module__.startswith("_pytest.")}
