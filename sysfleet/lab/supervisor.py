"""The daemon behind a lab: holds every listening socket, starts hosts, and ends them when it ends.

Hosts are its children and die with it. It is asked through a socket in the lab's folder, one JSON line each way.
"""

from __future__ import annotations

import json
import selectors
import shutil
import signal
import socket
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import FrameType
from typing import Any

from sysfleet.errors import FleetError, SetupError, UsageError
from sysfleet.lab import bastion, etc, loaders, logins, privilege, standin, state
from sysfleet.lab.banners import await_banners
from sysfleet.lab.faults.setting import check_setting as check_faults
from sysfleet.lab.keys import KeyPair, make_keys
from sysfleet.lab.plan import HostPlan
from sysfleet.lab.processes import Process
from sysfleet.lab.setting import Setting, decide
from sysfleet.lab.spec import Backend, HostSpec, Mode
from sysfleet.lab.supervised import SupervisedHost

_BOOT_TIMEOUT_S = 120.0
_REQUEST_TIMEOUT_S = 5.0
_INSTALL = "pip install 'sysfleet[lab]', or as root with OpenSSH's sshd"


class Supervisor:
    """All hosts of one lab."""

    def __init__(self, folder: Path, setting: Setting, specs: Iterable[HostSpec]) -> None:
        self._folder = folder
        self._setting = setting
        self._hosts: dict[str, SupervisedHost] = {}
        self._public_keys: dict[str, str] = {}
        self._is_ending = False
        self._control = state.listen(folder)
        specs = list(specs)
        client, *host_keys = make_keys(1 + len(specs))
        _write_client_key(folder, client)
        shutil.rmtree(folder / "hosts", ignore_errors=True)
        for number, (spec, key) in enumerate(zip(specs, host_keys, strict=True), start=1):
            self._hosts[spec.name] = self._prepare(number, spec, key, client)
            self._public_keys[spec.name] = key.public.strip()

    def _prepare(self, number: int, spec: HostSpec, key: KeyPair, client: KeyPair) -> SupervisedHost:
        setting = self._setting
        plan = HostPlan(
            spec,
            number,
            self._folder / "hosts" / spec.name,
            spec.loader or setting.loader,
            setting.backend,
            setting.inherited,
        )
        if setting.mode == "namespaces" and not loaders.is_available(plan.loader):
            raise UsageError(f"{spec.name}: this machine has no program to be the loader {plan.loader}")
        if setting.mode == "folder":
            standin.check(spec)
        check_faults(spec, setting.mode)
        logins.check_setting(spec, setting.mode, setting.backend)
        privilege.check_machine(spec)
        for folder in (plan.store, plan.mount_point):
            folder.mkdir(parents=True)
        etc.write_host_files(plan.store, spec, plan.loader, key.private.encode(), client.public)
        return SupervisedHost(plan, setting.ids, setting.values)

    def boot(self, names: Iterable[str]) -> None:
        """Start these hosts together and wait until they answer; SetupError where one does not."""
        deadline = time.monotonic() + _BOOT_TIMEOUT_S
        for hosts in bastion.in_order([self._hosts[name] for name in names]):
            self._boot_together(hosts, deadline)
            for host in hosts:
                bastion.open_behind(host, self._hosts.values())
            await_banners(bastion.ways_to(hosts, self._hosts), deadline)

    def _boot_together(self, hosts: list[SupervisedHost], deadline: float) -> None:
        for host in hosts:
            host.start()
        with selectors.DefaultSelector() as selector:
            for host in hosts:
                if host.channel is not None:
                    selector.register(host.channel, selectors.EVENT_READ, host)
            while any(host.state == "starting" for host in hosts) and time.monotonic() < deadline:
                for event, _ in selector.select(deadline - time.monotonic()):
                    channel = event.fileobj
                    event.data.receive()
                    if event.data.state != "starting":
                        selector.unregister(channel)
        for host in hosts:
            if host.state != "up":
                raise SetupError(f"lab host {host.plan.spec.name} does not come up: {host.error or host.state}")

    def serve(self, lifeline: int | None) -> None:
        """Answer until told to end, by request, signal, or the end of the process that holds the lifeline."""
        for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(signum, self._end_by_signal)
        waker, there = socket.socketpair()
        waker.setblocking(False)
        there.setblocking(False)
        signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
        with self._control, waker, there:
            while not self._is_ending:
                self._wait(waker, lifeline)
            signal.set_wakeup_fd(-1)

    def _wait(self, waker: socket.socket, lifeline: int | None) -> None:
        with selectors.DefaultSelector() as selector:
            selector.register(self._control, selectors.EVENT_READ)
            selector.register(waker, selectors.EVENT_READ)
            if lifeline is not None:
                selector.register(lifeline, selectors.EVENT_READ)
            for host in self._hosts.values():
                if host.channel is not None:
                    selector.register(host.channel, selectors.EVENT_READ, host)
            for event, _ in selector.select():
                if event.fileobj is self._control:
                    self._answer()
                elif event.fileobj is waker:
                    waker.recv(64)
                elif event.fileobj == lifeline:
                    self._is_ending = True
                elif event.data.channel is event.fileobj:
                    event.data.receive()
                    self.save()

    def _end_by_signal(self, _signum: int, _frame: FrameType | None) -> None:
        self._is_ending = True

    def _answer(self) -> None:
        connection, _ = self._control.accept()
        with connection, suppress(OSError):
            connection.settimeout(_REQUEST_TIMEOUT_S)
            data = b""
            while not data.endswith(b"\n") and (more := connection.recv(1 << 16)):
                data += more
            try:
                self._obey(json.loads(data))
                answer: dict[str, Any] = {"done": True}
            except (FleetError, OSError, ValueError, KeyError) as error:
                answer = {"error": str(error)}
            connection.sendall(json.dumps(answer).encode())

    def _obey(self, request: Mapping[str, Any]) -> None:
        if request["do"] == "down":
            self.end()
            return
        host = self._hosts[request["host"]]
        host.end()
        try:
            if request["do"] == "restart":
                self.boot([request["host"]])
        finally:
            self.save()

    def end(self) -> None:
        """End every host."""
        self._is_ending = True
        for host in self._hosts.values():
            host.end()
        self.save()
        state.stop_listening(self._folder)

    def save(self) -> None:
        """Write lab.json."""
        setting = self._setting
        state.write(
            self._folder,
            {
                "state": "down" if self._is_ending else "up",
                "supervisor": Process.myself(),
                "mode": setting.mode,
                "reason": setting.reason,
                "backend": setting.backend,
                "hosts": {name: self._host_state(name, host) for name, host in self._hosts.items()},
            },
        )

    def _host_state(self, name: str, host: SupervisedHost) -> dict[str, Any]:
        return {
            "state": host.state,
            "error": host.error,
            "port": host.port,
            "process": host.process,
            "boot_id": host.boot_id,
            "loader": host.plan.loader,
            "host_key": self._public_keys[name],
            "spec": host.plan.spec.to_json(),
        }


def make(folder: Path, specs: list[HostSpec], mode: Mode | None, backend: Backend | None) -> Supervisor:
    """Bring up a lab; on any error nothing of it is left running."""
    setting = decide(folder / ".probe", mode, backend)
    if setting.backend == "asyncssh":
        # Once for all hosts: they are forked from here.
        try:
            from sysfleet.lab import asyncssh_server  # noqa: F401
        except ImportError as error:
            raise SetupError(f"the lab's own SSH server is missing: {error}", hint=_INSTALL) from error
    supervisor = Supervisor(folder, setting, specs)
    try:
        supervisor.boot([spec.name for spec in specs])
        supervisor.save()
    except BaseException:
        supervisor.end()
        raise
    return supervisor


def _write_client_key(folder: Path, key: KeyPair) -> None:
    private = folder / state.CLIENT_KEY
    private.unlink(missing_ok=True)
    private.touch(0o600)
    private.write_text(key.private, encoding="utf-8")
    private.with_suffix(".pub").write_text(key.public, encoding="utf-8")
