"""What a test needs of the machine: without it the test is skipped, which fails in CI (see `skips`)."""

import functools
import os
import shutil
import subprocess

import pytest

from tests.support.skips import NOT_ON_THIS_KERNEL

_SYSTEM_FOLDERS = os.pathsep.join(["/usr/local/sbin", "/usr/sbin", "/sbin", "/usr/lib/systemd", "/lib/systemd"])


def needs(program: str) -> str:
    """The program's path, found also in the folders of system programs; without it the test is skipped."""
    path = shutil.which(program) or shutil.which(program, path=_SYSTEM_FOLDERS)
    if path is None:
        pytest.skip(f"the program {program} is not installed")
    return path


def needs_namespaces() -> str:
    """The path of unshare, where user, network and mount namespaces can be made and written in."""
    unshare = needs("unshare")
    if not _writes_in_namespaces(unshare):
        pytest.skip(f"{NOT_ON_THIS_KERNEL} no namespaces for this user")
    return unshare


@functools.cache
def _writes_in_namespaces(unshare: str) -> bool:
    # The status of unshare alone proves nothing: some systems allow the call and refuse the write.
    key = "/proc/sys/net/ipv4/ip_forward"
    probe = f"mount -t tmpfs none /mnt && echo 1 >{key} && cat {key}"
    done = subprocess.run(
        [unshare, "-Urnm", "sh", "-c", probe], capture_output=True, text=True, check=False, timeout=30
    )
    return done.returncode == 0 and done.stdout.strip() == "1"


def needs_root(why: str) -> None:
    """The test is skipped unless the machine's root runs it."""
    if os.geteuid() != 0:
        pytest.skip(f"{NOT_ON_THIS_KERNEL} {why}")
