"""Ed25519 keys for a lab, made in a process of their own: the supervisor stays small, its forks cheap.

`python -m sysfleet.lab.keys NUMBER` writes a JSON list of pairs: private key in OpenSSH's form, public line.
"""

from __future__ import annotations

import json
import subprocess
import sys
from typing import NamedTuple

from sysfleet.errors import SetupError


class KeyPair(NamedTuple):
    """One key: the private half as a file's content, the public half as a line."""

    private: str
    public: str


def make_keys(number: int) -> list[KeyPair]:
    """Make so many keys."""
    words = [sys.executable, "-m", "sysfleet.lab.keys", str(number)]
    done = subprocess.run(words, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        last = (done.stderr.strip().splitlines() or ["no output"])[-1]
        raise SetupError(f"no keys for the lab: {last}", hint="pip install 'sysfleet[lab]'")
    return [KeyPair(*pair) for pair in json.loads(done.stdout)]


def _main() -> None:
    # What asyncssh and paramiko are made of; imported alone it costs a quarter of them.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

    pairs = []
    for _ in range(int(sys.argv[1])):
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
        pairs.append([private.decode(), public.decode() + "\n"])
    sys.stdout.write(json.dumps(pairs))


if __name__ == "__main__":
    _main()
