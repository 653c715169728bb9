"""Whether this lab, and this machine, can have a host with its faults."""

from __future__ import annotations

import os
from pathlib import Path

from sysfleet.errors import SetupError, UsageError
from sysfleet.lab import loaders
from sysfleet.lab.faults.names import IN_A_FOLDER, NEEDS_BUSYBOX
from sysfleet.lab.faults.shell import login_shell
from sysfleet.lab.spec import HostSpec, Mode


def check_setting(spec: HostSpec, mode: Mode) -> None:
    """Raise UsageError where such a lab cannot have this host, SetupError where the machine lacks a part of it."""
    for fault in spec.faults:
        if mode == "folder" and fault not in IN_A_FOLDER:
            raise UsageError(f"{spec.name}: the fault {fault} needs namespaces, and this lab is made of folders")
        if fault in NEEDS_BUSYBOX and loaders.busybox() is None:
            raise SetupError(f"{spec.name}: the fault {fault} needs BusyBox", hint="Debian: busybox-static")
        if fault == "nixos" and Path("/nix").exists():
            raise SetupError(f"{spec.name}: the fault {fault} needs a machine without a Nix store of its own")
    shell = login_shell(spec.shell, spec.faults)
    if shell == "/bin/bash" and not os.access(shell, os.X_OK):
        raise SetupError(f"{spec.name}: its start files need bash")
