"""Whether hosts answer: a connection to each at once, until every one has said that it speaks SSH."""

from __future__ import annotations

import selectors
import socket
import time
from collections.abc import Iterable
from contextlib import ExitStack

from sysfleet.errors import SetupError
from sysfleet.lab.faults.names import is_silent
from sysfleet.lab.supervised import SupervisedHost

_CONNECT_TIMEOUT_S = 5.0


def await_banners(ways: Iterable[tuple[SupervisedHost, socket.socket]], deadline: float) -> None:
    """Wait until every host that is to answer has said that it speaks SSH; SetupError where one does not.

    A way is a host and a socket of the network that its port is open in.
    """
    with selectors.DefaultSelector() as selector, ExitStack() as connections:
        waiting: dict[str, SupervisedHost] = {}
        for host, connection in ways:
            connections.enter_context(connection)
            spec = host.plan.spec
            if not (spec.refuse or spec.hang or is_silent(spec.faults)) and host.channel is not None:
                connection.settimeout(_CONNECT_TIMEOUT_S)
                connection.connect(("127.0.0.1", host.port))
                selector.register(connection, selectors.EVENT_READ, host)
                selector.register(host.channel, selectors.EVENT_READ, host)
                waiting[host.plan.spec.name] = host
        while waiting:
            events = selector.select(max(0.0, deadline - time.monotonic()))
            if not events:
                raise SetupError(f"no SSH server answers on {', '.join(waiting)}")
            for event, _ in events:
                name = event.data.plan.spec.name
                # A host says nothing more when it is up; its channel ends with it.
                is_banner = isinstance(event.fileobj, socket.socket) and event.fileobj.recv(4) == b"SSH-"
                if not is_banner:
                    raise SetupError(f"lab host {name} does not answer", hint=f"see {event.data.plan.log}")
                selector.unregister(event.fileobj)
                del waiting[name]
