"""What this machine can give a lab: namespaces or folders, whose ids, which SSH server. Decided by trying."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sysfleet.errors import SetupError, UsageError
from sysfleet.lab import etc, loaders, namespaces, openssh, probe, standin
from sysfleet.lab.namespaces import IdMap
from sysfleet.lab.plan import HostPlan
from sysfleet.lab.spec import Backend, HostSpec, Loader, Mode
from sysfleet.lab.supervised import SupervisedHost

_PROBE_TIMEOUT_S = 20.0


@dataclass(frozen=True, slots=True)
class Setting:
    """The decision; `reason` says why the mode is a folder, `inherited` what fresh hosts must unlearn."""

    mode: Mode
    reason: str
    backend: Backend
    loader: Loader
    ids: IdMap | None = None
    inherited: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, bytes] = field(default_factory=dict)


def decide(folder: Path, mode: Mode | None, backend: Backend | None) -> Setting:
    """Find out what works here, in a throw-away host below `folder`; errors where what was asked for does not."""
    loader = loaders.default_loader()
    if mode == "folder":
        return _folder_setting("asked for", loader, backend)
    if loader is None and mode is None:
        reason = "this machine has neither systemd-sysctl nor procps nor BusyBox to load files at boot"
        return _folder_setting(reason, loader, backend)
    wanted: tuple[IdMap, ...] = ("range", "single") if namespaces.has_range() else ("single",)
    refusal = ""
    for ids in wanted:
        try:
            inherited = _try_namespaces(folder, ids)
        except OSError as error:
            refusal = refusal or str(error)
        else:
            return Setting("namespaces", "", _backend(ids, backend), loader or "none", ids, inherited)
    reason = f"namespaces are refused here: {refusal}"
    if mode == "namespaces":
        raise SetupError(reason)
    return _folder_setting(reason, loader, backend)


def _try_namespaces(folder: Path, ids: IdMap) -> Mapping[str, str]:
    spec = HostSpec("probe", refuse=True, loader="none")
    plan = HostPlan(spec, 0, folder, "none", "asyncssh")
    for name in etc.LASTING:
        (plan.store / name).mkdir(parents=True, exist_ok=True)
    etc.write_host_files(plan.store, spec, "none", b"", "")
    plan.mount_point.mkdir(exist_ok=True)
    host = SupervisedHost(plan, ids, {})
    try:
        host.start(is_probe=True)
        if host.channel is not None:
            host.channel.settimeout(_PROBE_TIMEOUT_S)
        while host.state == "starting":
            host.receive_some()
        if host.state != "up":
            raise OSError(host.error or "a host made of them ends at once")
        return dict(host.told.get("inherited", {}))
    finally:
        host.end()
        host.listener.close()
        shutil.rmtree(folder, ignore_errors=True)


def _backend(ids: IdMap, wanted: Backend | None) -> Backend:
    obstacle = None
    if ids == "single":
        obstacle = "needs root, or newuidmap and a range in /etc/subuid and /etc/subgid"
    elif openssh.program() is None:
        obstacle = "needs sshd (Debian: openssh-server)"
    if wanted == "openssh" and obstacle:
        raise UsageError(f"backend openssh {obstacle}")
    return wanted or ("asyncssh" if obstacle else "openssh")


def _folder_setting(reason: str, loader: Loader | None, backend: Backend | None) -> Setting:
    if backend == "openssh":
        raise UsageError(f"backend openssh needs namespaces; {reason}")
    inherited = {key: value for key, value in probe.inherited_values().items() if ".lo." not in key}
    inherited["net.ipv4.ip_forward"] = "0"
    return Setting("folder", reason, "asyncssh", loader or "systemd", None, inherited, standin.machine_values())
