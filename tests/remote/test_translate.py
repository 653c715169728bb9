"""Foreign exceptions become ours: every one of the library's has its counterpart."""

from __future__ import annotations

import errno
import socket

import pytest
from paramiko import ssh_exception

from sysfleet.errors import (
    CommandTimeout,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    HostError,
    HostKeyRejected,
    LoginRejected,
    Unreachable,
)
from sysfleet.remote.translate import TABLE, translated

LIBRARY = [
    found
    for found in vars(ssh_exception).values()
    if isinstance(found, type) and issubclass(found, BaseException) and found.__module__ == ssh_exception.__name__
]


@pytest.mark.parametrize("kind", LIBRARY, ids=lambda kind: kind.__name__)
def test_every_exception_of_the_library_has_its_own_counterpart(kind: type[BaseException]) -> None:
    assert kind in TABLE, f"{kind.__name__} is new: say in translate.py what it means"


def test_the_library_has_exceptions_at_all() -> None:
    assert len(LIBRARY) > 10


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ssh_exception.AuthenticationException("no"), LoginRejected),
        (ssh_exception.BadAuthenticationType("no", ["publickey"]), LoginRejected),
        (ssh_exception.IncompatiblePeer("Incompatible ssh peer (no acceptable host key)"), HostKeyRejected),
        (ssh_exception.IncompatiblePeer("Incompatible ssh peer (no acceptable kex algorithm)"), ConnectError),
        (ssh_exception.SSHException("bad"), ConnectError),
        (EOFError(), ConnectionLost),
        (ConnectionRefusedError(errno.ECONNREFUSED, "Connection refused"), Unreachable),
        (ConnectionResetError(), ConnectionLost),
        (OSError(errno.EHOSTUNREACH, "No route to host"), Unreachable),
        (OSError(errno.ETIMEDOUT, "Connection timed out"), ConnectTimeout),
        (TimeoutError(), ConnectTimeout),
        (socket.gaierror(-2, "Name or service not known"), Unreachable),
        (KeyError("anything"), ConnectError),
    ],
)
def test_the_most_specific_meaning_wins(error: BaseException, kind: type[HostError]) -> None:
    assert type(translated(error, phase="connect")) is kind


def test_an_error_of_ours_stays_as_it_is() -> None:
    ours = CommandTimeout("late", phase="run")
    assert translated(ours, phase="connect") is ours


def test_the_words_of_the_other_side_are_cleaned() -> None:
    error = translated(ssh_exception.SSHException("bad \x1b[31mpacket\r\n"), phase="connect")
    assert error.evidence == "bad packet"
    assert error.phase == "connect"
