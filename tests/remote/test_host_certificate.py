"""What makes a host's certificate worth nothing, each on its own, with certificates as ssh-keygen makes them."""

from __future__ import annotations

import base64
import subprocess
import time
from pathlib import Path

import pytest

from sysfleet.remote.host_certificate import HostCertificate, read_certificate
from sysfleet.remote.known_hosts import HostKey
from tests.remote.servers import make_key
from tests.support.needs import needs


def made(folder: Path, *options: str, kind: str = "ed25519") -> tuple[bytes, HostKey]:
    """A certificate for the name h1, and its authority."""
    authority, key = make_key(folder / "authority", kind), make_key(folder / "key")
    command = [needs("ssh-keygen"), "-q", "-s", str(authority), "-I", "test", "-n", "h1", *options, f"{key}.pub"]
    subprocess.run(command, check=True)
    return blob_of(folder / "key-cert.pub"), HostKey(type_of(folder), blob_of(folder / "authority.pub"))


def type_of(folder: Path) -> str:
    return (folder / "authority.pub").read_text().split()[0]


def blob_of(path: Path) -> bytes:
    return base64.b64decode(path.read_text().split()[1])


def certificate(blob: bytes) -> HostCertificate:
    found = read_certificate(blob)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("options", "kind", "problem"),
    [
        (["-h"], "ed25519", None),
        (["-h"], "rsa", None),
        ([], "ed25519", "its certificate is not for hosts"),
        (
            ["-h", "-O", "critical:night=yes"],
            "ed25519",
            "its certificate has conditions that are not understood",
        ),
        (["-h", "-O", "extension:x=y"], "ed25519", None),
        (["-h", "-t", "ssh-rsa"], "rsa", "the signature of its certificate is wrong"),
    ],
)
def test_a_certificate_counts_if_it_is_for_hosts_without_conditions_and_well_signed(
    tmp_path: Path, options: list[str], kind: str, problem: str | None
) -> None:
    blob, authority = made(tmp_path, *options, kind=kind)
    assert certificate(blob).problem("h1", (authority,), time.time()) == problem


def test_a_certificate_that_was_changed_after_it_was_signed_is_worth_nothing(tmp_path: Path) -> None:
    blob, authority = made(tmp_path, "-h")
    forged = blob.replace(b"\0\0\0\2h1", b"\0\0\0\2h2")
    assert forged != blob
    assert certificate(forged).problem("h2", (authority,), time.time()) == "the signature of its certificate is wrong"
    broken = blob[:-1] + bytes([blob[-1] ^ 1])
    assert certificate(broken).problem("h1", (authority,), time.time()) == "the signature of its certificate is wrong"
