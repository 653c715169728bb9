"""The processes of one lab host with namespaces: its keeper, and its init, which boots the host and reaps.

Both are forked from the supervisor, never started anew, and never return: they end with os._exit.
"""

from __future__ import annotations

import os
import selectors
import signal
import socket
import subprocess
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Never

from sysfleet.lab import handing, linux, loaders, logins, namespaces, network, privilege, probe, rootfs
from sysfleet.lab.faults import disk, keys, owners, way
from sysfleet.lab.service import Service
from sysfleet.lab.spec import key_path
from sysfleet.lab.start import ENVIRONMENT, Start


def run_keeper(start: Start) -> Never:
    """Make the host's namespaces and its init, and end when that ends."""
    status = 1
    try:
        linux.die_with_parent()
        start.leave_supervisor()
        # Held until this process ends: only here can a socket still reach the port.
        _held = way.fill(start.listener) if "black_hole" in start.plan.spec.faults else []
        namespaces.enter_user_namespace()
        start.report(wants="ids")
        # The supervisor answers once the id maps are written; it ends, we end.
        if start.channel.recv(1):
            wire = namespaces.enter_namespaces()
            init = os.fork()
            if init == 0:
                _run_init(start, wire)
            start.report(pid=init)
            start.listener.close()
            status = os.waitstatus_to_exitcode(os.waitpid(init, 0)[1])
    except OSError as error:
        start.report_failure(error)
    finally:
        os._exit(status & 0xFF)


def _run_init(start: Start, wire: namespaces.Wire) -> Never:
    try:
        linux.die_with_parent()
        linux.set_process_name("init")
        os.umask(0o022)
        _boot(start, wire)
        _serve(start)
    except Exception as error:  # noqa: BLE001 - the boundary of a process
        start.report_failure(error)
    finally:
        os._exit(1)


def _boot(start: Start, wire: namespaces.Wire) -> None:
    plan = start.plan
    rootfs.build(plan.mount_point, plan.store, plan.spec, plan.loader, start.boot_id)
    privilege.show_programs(plan.mount_point, plan.spec)
    linux.change_root(plan.mount_point)
    socket.sethostname(plan.spec.name)
    logins.make_homes(plan.spec)
    if start.is_probe:
        start.report(inherited=probe.inherited_values())
    _write_values(plan.inherited)
    network.connect(plan, wire)
    rootfs.leave_out_keys(plan.spec.absent)
    if start.is_probe:
        probe.prove_writes()
    if start.is_first:
        _write_values(plan.spec.values)
    keys.spoil(plan.spec.faults)
    disk.spoil(plan.spec.faults, lambda: start.asks("immutable"))
    owners.seal(plan.spec.faults)
    if loaders.is_enabled(Path("/"), plan.loader) and loaders.has_work(Path("/")):
        # A real loader's complaints are a host's own affair: they are in its log.
        subprocess.run(loaders.boot_command(plan.loader), env=ENVIRONMENT, check=False)


def _write_values(values: Mapping[str, str]) -> None:
    for key, value in values.items():
        try:
            (Path("/proc/sys") / key_path(key)).write_text(f"{value}\n", encoding="utf-8")
        except OSError as error:
            raise OSError(error.errno, f"{key} = {value}: {error.strerror}") from error


def _serve(start: Start) -> Never:
    """Answer connections and reap what ends, for ever; ends with the SSH server where that is one process."""
    with selectors.DefaultSelector() as selector:
        ended = _child_events()
        selector.register(ended, selectors.EVENT_READ)
        selector.register(start.channel, selectors.EVENT_READ)
        service = Service(start, selector)
        service.open(start.listener)
        start.report(ready=True)
        while True:
            for event, _ in selector.select():
                if event.fileobj is ended:
                    ended.recv(4096)
                    _reap(service)
                elif event.fileobj is start.channel:
                    listeners = handing.receive(start.channel)
                    for listener in listeners:
                        service.move(listener)
                    if not listeners:
                        selector.unregister(start.channel)
                else:
                    service.answer()


def _child_events() -> socket.socket:
    """A socket that has something to read whenever a child may have ended."""
    here, there = socket.socketpair()
    here.setblocking(False)
    there.setblocking(False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(there.detach(), warn_on_full_buffer=False)
    return here


def _reap(service: Service) -> None:
    with suppress(ChildProcessError):
        while (pid := os.waitpid(-1, os.WNOHANG)[0]) != 0:
            if pid in service.processes:
                os._exit(1)
