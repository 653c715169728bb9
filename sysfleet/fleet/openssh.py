"""The system's ssh for one run: which program, in which environment, and with which of the project's files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from sysfleet.errors import UsageError
from sysfleet.remote.openssh_client import Client
from sysfleet.remote.openssh_command import Options, preferred_kex
from sysfleet.remote.runtime_folder import runtime_folder
from sysfleet.settings import Ssh, identity_paths, known_hosts_paths, project_known_hosts, ssh_config_path

_VERSION_S = 10.0


def openssh_client(ssh: Ssh, folder: Path, environ: Mapping[str, str]) -> Client:
    """The client for a project's hosts; UsageError where there is no ssh. `environ` is handed on to it."""
    program = shutil.which("ssh", path=environ.get("PATH"))
    if program is None:
        raise UsageError(
            "connection openssh needs the program ssh, which is not on PATH",
            hint='install the OpenSSH client, or use connection = "paramiko"',
        )
    home = Path(environ.get("HOME") or "/")
    config = ssh_config_path(ssh, home=home, project=folder)
    if ssh.config is not None and ssh.config.lower() == "none":
        config = Path("none")  # ssh's own word
    elif config is not None and not config.is_file():
        raise UsageError(f"[ssh] config: there is no file {config}")
    own = project_known_hosts(folder)
    options = Options(
        program=program,
        config=config,
        known_hosts=known_hosts_paths(ssh, home=home, project=folder, exists=Path.is_file) if ssh.known_hosts else (),
        more_known_hosts=(own,) if own.is_file() else (),
        identities=identity_paths(ssh, home=home, project=folder, exists=Path.is_file) if ssh.identity_files else (),
        agent=ssh.agent,
        preferred_kex=preferred_kex(_version(program, environ)),
    )
    return Client(options, runtime=runtime_folder(environ, uid=os.geteuid()), environ=environ)


def _version(program: str, environ: Mapping[str, str]) -> str:
    try:
        done = subprocess.run(
            [program, "-V"], stderr=subprocess.PIPE, env=dict(environ), timeout=_VERSION_S, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UsageError(f"{program} does not run: {error}") from error
    return done.stderr.decode("utf-8", "replace")
