"""One bastion that is connected to: it opens a wire to each host behind it, for many threads at once.

paramiko's own way of opening a channel gives one thread the refusal that was another's, and forgets a channel that
opens too late. Knows neither who shares the bastion nor what travels through it.
"""

# ruff: noqa: SLF001 - channels are opened with the parts that the library opens them with itself

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from paramiko.channel import Channel
from paramiko.common import cMSG_CHANNEL_OPEN, cMSG_GLOBAL_REQUEST
from paramiko.message import Message
from paramiko.ssh_exception import SSHException
from paramiko.transport import Transport
from typing_extensions import override

from sysfleet.errors import ConnectTimeout, HostError, Unreachable
from sysfleet.remote.evidence import clean
from sysfleet.remote.transport import shut
from sysfleet.remote.wire import ChannelWire

_WINDOW_BYTES = 1 << 21
_PACKET_BYTES = 1 << 15
# RFC 4254, 5.1
_PROHIBITED, _CONNECT_FAILED, _UNKNOWN_TYPE, _SHORTAGE = 1, 2, 3, 4
_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 2.0
_SILENCE_S = 3.0


class Refused(Exception):
    """The bastion opens no channel: the reason's number, and its words."""

    def __init__(self, reason: int, words: str) -> None:
        super().__init__(reason, words)
        self.reason = reason
        self.words = words


class _Channel(Channel):
    """A channel on which nothing follows its close: sshd ends the whole connection over one late byte."""

    def __init__(self, number: int) -> None:
        super().__init__(number)
        self._order = threading.RLock()

    @override
    def send(self, s: bytes | bytearray) -> int:
        while True:
            with self._order:
                with self.lock:
                    may = self.out_window_size > 0 or self.closed or self.eof_sent
                if may:
                    return super().send(s)
            with self.lock:
                self.out_buffer_cv.wait_for(lambda: self.out_window_size > 0 or self.closed or self.eof_sent)

    @override
    def close(self) -> None:
        with self._order:
            super().close()

    def _handle_close(self, message: Message) -> None:
        parent: Any = super()
        with self._order:
            parent._handle_close(message)


@dataclass(eq=False, slots=True)
class _Opening:
    channel: _Channel
    settled: threading.Event = field(default_factory=threading.Event)
    refused: Refused | None = None


class BastionTransport(Transport):
    """A transport that opens channels to other servers.

    What they send leaves through one thread, so that nobody else waits for a bastion that does not read.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._openings: dict[int, _Opening] = {}
        self._given_up: dict[int, Channel] = {}  # the library keeps weak references only
        self._knocked_at = self._answered_at = 0.0
        self._outgoing: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        self._sender = threading.Thread(target=self._send_all, name="sysfleet-bastion-sender", daemon=True)

    @override
    def run(self) -> None:
        self._sender.start()
        try:
            super().run()
        finally:
            self._outgoing.put(None)

    def _send_user_message(self, message: Message) -> None:
        self._outgoing.put(message)

    def _send_all(self) -> None:
        parent: Any = super()
        with suppress(OSError, EOFError, SSHException):  # the end of the connection, which readers meet too
            while (message := self._outgoing.get()) is not None:
                parent._send_user_message(message)

    def open_tcp(self, address: str, port: int, *, until: float) -> _Channel:
        """A channel to a server; raises Refused, EOFError at the bastion's end, TimeoutError at `until`."""
        opening = self._ask(address, port)
        try:
            if not opening.settled.wait(max(0.0, (until - time.monotonic()) / 2)):
                self._knock()
                opening.settled.wait(max(0.0, until - time.monotonic()))
        finally:
            self._done_with(opening)
        if opening.refused is not None:
            raise opening.refused
        if not self.is_active():
            raise EOFError
        if not opening.settled.is_set():
            raise TimeoutError
        return opening.channel

    def hangs(self) -> bool:
        """Whether it was asked for a sign of life, and has given none for seconds."""
        return self._knocked_at > self._answered_at and time.monotonic() - self._knocked_at >= _SILENCE_S

    def _ask(self, address: str, port: int) -> _Opening:
        library: Any = self
        with self.lock:
            number = library._next_channel()
            opening = self._openings[number] = _Opening(_Channel(number))
            library._channels.put(number, opening.channel)
            self.channel_events[number] = opening.settled
            library.channels_seen[number] = True
            channel: Any = opening.channel
            channel._set_transport(self)
            channel._set_window(_WINDOW_BYTES, _PACKET_BYTES)
        message = Message()
        message.add_byte(cMSG_CHANNEL_OPEN)
        message.add_string("direct-tcpip")
        for part in (number, _WINDOW_BYTES, _PACKET_BYTES):
            message.add_int(part)
        message.add_string(address)
        message.add_int(port)
        message.add_string("127.0.0.1")
        message.add_int(0)
        self._send_user_message(message)
        return opening

    def _done_with(self, opening: _Opening) -> None:
        with self.lock:
            self._openings.pop(opening.channel.chanid, None)
            if not opening.settled.is_set():
                self._given_up[opening.channel.chanid] = opening.channel

    def _knock(self) -> None:
        """Ask for something that every server answers, if only with a no: whether it is there at all."""
        self._knocked_at = time.monotonic()
        message = Message()
        message.add_byte(cMSG_GLOBAL_REQUEST)
        message.add_string("keepalive@openssh.com")
        message.add_boolean(True)
        self._send_user_message(message)

    def _parse_request_failure(self, message: Message) -> None:
        self._answered_at = time.monotonic()
        parent: Any = super()
        parent._parse_request_failure(message)

    def _parse_channel_open_failure(self, message: Message) -> None:
        number, reason, words = message.get_int(), message.get_int(), message.get_binary()
        library: Any = self
        with self.lock:
            self._given_up.pop(number, None)
            opening = self._openings.get(number)
            library._channels.delete(number)
            event = self.channel_events.pop(number, None)
            if opening is not None:
                opening.refused = Refused(reason, clean(words))
            if event is not None:
                event.set()

    def _parse_channel_open_success(self, message: Message) -> None:
        number = message.get_int()
        message.rewind()
        parent: Any = super()
        parent._parse_channel_open_success(message)
        with self.lock:
            late = self._given_up.pop(number, None)
        if late is not None:
            late.close()


class Bastion:
    """A bastion that is connected to, proven and logged in to."""

    def __init__(self, name: str, transport: BastionTransport, *, note: Callable[[str], None]) -> None:
        """`note` is told what was survived."""
        self._name = name
        self._transport = transport
        self._note = note
        self._changed = threading.Condition()
        self._asked = 0  # wires that are there or being opened
        self._ended = 0

    @property
    def alive(self) -> bool:
        """Whether it can be asked for a wire."""
        return self._transport.is_active()

    def close(self) -> None:
        """End the connection, and with it every wire."""
        shut(self._transport)
        with self._changed:
            self._changed.notify_all()

    def wire(self, address: str, port: int, *, until: float) -> ChannelWire:
        """A wire to a server behind it by `until` (time.monotonic); EOFError where the bastion is gone.

        A refusal that may be a limit is waited out: until a wire to another host has ended.
        """
        pause_s = _FIRST_PAUSE_S
        with self._changed:
            self._asked += 1
        try:
            while True:
                ended, others = self._ended, self._asked - 1
                try:
                    channel = self._transport.open_tcp(address, port, until=until)
                except Refused as refused:
                    others = max(others, self._asked - 1)
                    may_be_a_limit = refused.reason == _SHORTAGE or (refused.reason == _PROHIBITED and others)
                    if not may_be_a_limit or not self._wait(ended, pause_s, until):
                        raise self._refusal(refused, address, port, others) from refused
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
                except TimeoutError:
                    raise self._no_answer() from None
                else:
                    if pause_s > _FIRST_PAUSE_S:
                        self._note(f"bastion {self._name} refused more channels at once: hosts waited for each other")
                    return ChannelWire(channel, self._leave)
        except BaseException:
            self._leave()
            raise

    def _wait(self, ended: int, pause_s: float, until: float) -> bool:
        """Wait until a wire has ended since, or a while; whether there is time left."""
        with self._changed:
            self._changed.wait_for(
                lambda: self._ended != ended or not self.alive, max(0.0, min(pause_s, until - time.monotonic()))
            )
        return time.monotonic() < until

    def _leave(self) -> None:
        with self._changed:
            self._asked -= 1
            self._ended += 1
            self._changed.notify_all()

    def _no_answer(self) -> HostError:
        if self._transport.hangs():
            self.close()  # who comes next connects anew
            return ConnectTimeout(f"bastion {self._name} no longer answers", phase="connect")
        return ConnectTimeout(f"bastion {self._name} gets no answer from the host", phase="connect")

    def _refusal(self, refused: Refused, address: str, port: int, others: int) -> HostError:
        if refused.reason == _CONNECT_FAILED:
            return Unreachable(
                f"bastion {self._name} cannot connect to {address} port {port}",
                phase="connect",
                hint="check address, port and firewall, as seen from the bastion",
                evidence=refused.words or None,
            )
        return Unreachable(
            f"bastion {self._name} opens no channel to {address} port {port}"
            + (f" besides {others} others" * (others > 0)),
            phase="connect",
            hint="its AllowTcpForwarding, PermitOpen and MaxSessions decide (sshd_config), or fewer [run] workers",
            evidence=refused.words or None,
        )
