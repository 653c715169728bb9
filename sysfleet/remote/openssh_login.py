"""Logging in with the system's ssh: until the host has taken the login, or until it is known why it does not.

Knows no program that is to be run there; whoever gets the process ends it.
"""

from __future__ import annotations

import time
from dataclasses import replace

from sysfleet.errors import CommandFailed, ConnectError
from sysfleet.remote.access import Access
from sysfleet.remote.child import Child
from sysfleet.remote.openssh_client import Client, Files
from sysfleet.remote.openssh_command import WAITING, configuration, login, while_read
from sysfleet.remote.openssh_log import Said
from sysfleet.remote.openssh_passage import Passage
from sysfleet.remote.openssh_words import reason
from sysfleet.remote.target import Hop

# Banners, and a profile that talks, are shorter.
_NOISE_BYTES = 1 << 20
_LAST_WORDS_S = 1.0


def log_in(
    client: Client,
    target: Hop,
    access: Access,
    *,
    until: float,
    shared: bool = False,
    through: Passage | None = None,
    in_terminal: str | None = None,
) -> tuple[Child, Files]:
    """A process that is in, with a shell on the host for a command; a HostError where the host let nobody in.

    `shared`: others may come in by the same connection, through the socket among the files. `in_terminal`: a command
    that is run at once instead, in a terminal. `through` is the bastion before the host.
    """
    return _logged_in(
        client,
        target,
        access,
        until=until,
        shared=shared,
        through=through,
        command=WAITING if in_terminal is None else in_terminal,
        in_terminal=in_terminal is not None,
    )


def hold(client: Client, bastion: Hop, access: Access, *, until: float, through: Passage | None) -> Passage:
    """A connection to a bastion, logged in, that asks for nothing there; a HostError where it let nobody in."""
    child, files = _logged_in(client, bastion, access, until=until, shared=True, through=through, command=None)
    return Passage(client, child, files)


def _logged_in(
    client: Client,
    target: Hop,
    access: Access,
    *,
    until: float,
    shared: bool,
    through: Passage | None,
    command: str | None,
    in_terminal: bool = False,
) -> tuple[Child, Files]:
    began_at = time.monotonic()
    files = client.files()
    try:
        text = configuration(client.options, connect_timeout_s=access.connect_timeout_s)
        files.configuration.write_text(text, encoding="utf-8")
        words = login(
            client.options,
            target,
            configuration=files.configuration,
            log=files.log,
            socket=files.socket if shared else None,
            command=command,
            through=None if through is None else through.socket,
            in_terminal=in_terminal,
        )
        # Without a shell over there that waits for input, nothing else would end it with this process.
        child = client.start(while_read(words) if command is None else words, files.log)
    except BaseException:
        files.remove()
        raise
    try:
        _wait(child, client, target, through, until=until, began_at=began_at)
    except BaseException:
        child.kill()
        client.end(child)
        files.remove()
        raise
    files.configuration.unlink()
    files.log.unlink()
    return child, files


def _wait(child: Child, client: Client, target: Hop, through: Passage | None, *, until: float, began_at: float) -> None:
    def is_in() -> bool:
        return child.silent or Said(child.log, "").in_session

    try:
        in_time = child.pump(is_in, until=until, limit_bytes=_NOISE_BYTES)
        if in_time and child.silent:
            last = min(until, time.monotonic() + _LAST_WORDS_S)
            child.pump(lambda: child.gone, until=last, limit_bytes=_NOISE_BYTES)
    except CommandFailed as error:
        raise ConnectError(f"{error.message} before any program", phase="connect") from error
    if in_time and not child.silent:
        # What was said up to here is a banner's or a bastion's, and no program's.
        child.drain()
        child.stderr.clear()
        return
    said = Said(child.log, child.stderr.decode("utf-8", "replace"))
    if through is not None and in_time and said.on_the_way:
        said = replace(said, errors=f"{through.refusal(child.log)}\n{said.errors}")
    if in_time and said.logged_in:
        return
    raise reason(
        said,
        user=target.user,
        host=target.address,
        elapsed_s=time.monotonic() - began_at,
        late=not in_time,
        trusted=client.host_key_lines,
    )
