"""The only place where foreign exceptions become ours: paramiko's, sockets' and the resolver's.

Knows which of their classes means what; refuses to know what was being attempted.
"""

from __future__ import annotations

import errno
import socket

from paramiko import ssh_exception
from paramiko.pkey import UnknownKeyType

from sysfleet.errors import (
    CommandFailed,
    ConnectError,
    ConnectionLost,
    ConnectTimeout,
    HostError,
    HostKeyRejected,
    LoginRejected,
    Unreachable,
)
from sysfleet.remote.evidence import clean

# Looked up along the exception's own class order, so that the most specific one decides.
TABLE: dict[type[BaseException], tuple[type[HostError], str]] = {
    ssh_exception.PasswordRequiredException: (LoginRejected, "the private key needs a passphrase"),
    ssh_exception.BadAuthenticationType: (LoginRejected, "the host takes no login of this kind"),
    ssh_exception.PartialAuthentication: (LoginRejected, "the host wants more than one proof"),
    ssh_exception.UnableToAuthenticate: (LoginRejected, "the host refused every login"),
    ssh_exception.AuthenticationException: (LoginRejected, "the host refused the login"),
    ssh_exception.BadHostKeyException: (HostKeyRejected, "the host key is not the known one"),
    ssh_exception.IncompatiblePeer: (ConnectError, "the host speaks no algorithm that is allowed here"),
    ssh_exception.MessageOrderError: (ConnectError, "the host breaks the order of the key exchange"),
    ssh_exception.ChannelException: (CommandFailed, "the host opens no session"),
    ssh_exception.ProxyCommandFailure: (Unreachable, "the way to the host failed"),
    ssh_exception.NoValidConnectionsError: (Unreachable, "no address of the host answers"),
    ssh_exception.CouldNotCanonicalize: (Unreachable, "the host's name has no canonical form"),
    ssh_exception.ConfigParseError: (ConnectError, "the ssh configuration cannot be read"),
    ssh_exception.SSHException: (ConnectError, "the SSH connection failed"),
    UnknownKeyType: (HostKeyRejected, "the host key is of an unknown type"),
    socket.gaierror: (Unreachable, "the host's name cannot be resolved"),
    ConnectionRefusedError: (Unreachable, "the host refuses connections"),
    ConnectionResetError: (ConnectionLost, "the host ended the connection"),
    BrokenPipeError: (ConnectionLost, "the host ended the connection"),
    EOFError: (ConnectionLost, "the host ended the connection"),
    TimeoutError: (ConnectTimeout, "nothing answered in time"),
    OSError: (Unreachable, "the network refused"),
    ValueError: (ConnectError, "the host broke the SSH protocol"),
    Exception: (ConnectError, "the SSH connection failed"),
}

NO_KNOWN_TYPE = "the host has no key of the types that are known for it"
_NO_HOST_KEY = "no acceptable host key"
_HINTS: dict[type[HostError], str] = {
    LoginRejected: "check the user, the key and the agent: ssh -v with the same ones tells more",
    Unreachable: "check address, port and firewall",
    ConnectTimeout: "check address, port and firewall, or raise [ssh] connect_timeout_s",
}


def translated(error: BaseException, *, phase: str, deadline_passed: bool = False) -> HostError:
    """Our error for this one, ready to be raised `from` it; one of ours comes back as it is."""
    if isinstance(error, HostError):
        return error
    kind, message = next(TABLE[one] for one in type(error).__mro__ if one in TABLE)
    words = _words(error)
    if isinstance(error, ssh_exception.IncompatiblePeer) and _NO_HOST_KEY in words:
        kind, message = HostKeyRejected, NO_KNOWN_TYPE
    elif deadline_passed or (isinstance(error, OSError) and error.errno == errno.ETIMEDOUT):
        kind, message = TABLE[TimeoutError]
    return kind(message, phase=phase, hint=_HINTS.get(kind), evidence=words or None)


def _words(error: BaseException) -> str:
    if isinstance(error, OSError) and error.strerror:
        return clean(error.strerror)
    return clean(str(error))
