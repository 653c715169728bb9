"""Changes whose controller dies, or that cut their own way in: the host goes back by itself, and the row says so."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from sysfleet.fleet import Fleet
from sysfleet.lab import HostSpec, Lab, LabHost
from sysfleet.outcome import HostOutcome, Status
from sysfleet.sample import sample_folder
from sysfleet.settings import override, parse
from tests.support.lab import LabFactory

OURS = "etc/sysctl.d/99-zz-sysfleet.conf"
KEY = "net.ipv4.tcp_rfc1337"
ENVIRON = {"HOME": "/nonexistent", "USER": "nobody", "PATH": os.defpath}
# From the second login on nobody is answered, as long as the change stands.
HANGS = "#!/bin/sh\n[ -e /run/once ] && exec sleep 60\n: >/run/once\ncat /etc/ssh/authorized_keys.d/root\n"
# While the change stands nobody is let in, and whoever tries ends the first login as well.
CUTS = """#!/bin/sh
read -r value </proc/sys/net/ipv4/tcp_rfc1337
if [ "$value" = 1 ]; then
    [ ! -e /run/first ] || kill -9 "$(cat /run/first)"
    exit 1
fi
[ -e /run/first ] || echo "$PPID" >/run/first
cat /etc/ssh/authorized_keys.d/root
"""


@pytest.fixture
def make_lab(lab_factory: LabFactory) -> LabFactory:
    def make(*hosts: HostSpec | int, **options: object) -> Lab:
        lab = lab_factory(*hosts, templates=sample_folder("templates"), mode="namespaces", **options)
        if lab.backend != "openssh":
            pytest.skip("not on this kernel: only OpenSSH asks a command for keys")
        return lab

    return make


def let_in(host: LabHost, command: str) -> None:
    """Have the host's server ask this command whom it lets in."""
    keys, config = host.etc / "ssh" / "keys", host.etc / "ssh" / "sshd_config"
    keys.write_text(command)
    keys.chmod(0o755)
    first = "AuthorizedKeysCommand /etc/ssh/keys\nAuthorizedKeysCommandUser root\nAuthorizedKeysFile none\n"
    config.write_text(first + config.read_text())


def fleet_of(lab: Lab, *settings: str) -> Fleet:
    return Fleet(lab.folder, override(parse((lab.folder / "sysfleet.toml").read_text()), settings), environ=ENVIRON)


def only(rows: tuple[HostOutcome, ...]) -> HostOutcome:
    (row,) = rows
    return row


def state(host: LabHost) -> Mapping[str, bytes]:
    """What the host has, from outside SSH."""
    asked = {
        "values": "grep -rs . /proc/sys/net | grep -v -e stable_secret -e fastopen_key | sort",
        "addresses": "ip -o addr | sed 's/ scope.*//' | sort; ip route; ip -6 route show default",
        "files": "cd /etc/sysctl.d && ls -lA . && cat ./* 2>/dev/null",
    }
    return {name: host.run(["sh", "-c", text]).stdout for name, text in asked.items()}


def wait_until(host: LabHost, test: str) -> None:
    done = host.run(["sh", "-c", f"until {test}; do sleep 0.1; done"], timeout_s=60)
    assert done.returncode == 0, done.stderr


def assert_nothing_left(host: LabHost) -> None:
    assert host.run(["ls", "/run/sysfleet"]).stdout.split() == [b"change", b"lock"]
    running = host.run(["sh", "-c", "cat /proc/[0-9]*/cmdline | tr '\\0' ' '"]).stdout
    assert b"undo-" not in running


def test_a_host_whose_controller_is_killed_goes_back_by_itself(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    host = lab.hosts["web1"]
    before = state(host)
    let_in(host, HANGS)
    words = ["--project", str(lab.folder), "apply", "--yes", "--set", "run.confirm_timeout_s=2"]
    with subprocess.Popen(
        [sys.executable, "-m", "sysfleet", *words],
        env={**ENVIRON, "PYTHONPATH": str(Path(__file__).parents[2])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as controller:
        wait_until(host, "grep -qs ^watched /run/sysfleet/change && grep -q 1 /proc/sys/net/ipv4/tcp_rfc1337")
        controller.kill()
    assert host.read(KEY) == "1"
    wait_until(host, "grep -q ^reverted /run/sysfleet/change")
    wait_until(host, "[ ! -e /run/sysfleet/undo-* ]")
    assert state(host) == before
    assert_nothing_left(host)


def test_a_change_that_cuts_both_logins_is_put_back_by_the_host_and_its_row_says_so(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    host = lab.hosts["web1"]
    before = state(host)
    let_in(host, CUTS)
    row = only(fleet_of(lab, "run.confirm_timeout_s=2", "run.deadline_s=40").apply().hosts)
    assert row.error is not None
    assert row.status is Status.REVERTED, row.error
    assert "the host's record says reverted: nobody confirmed the change in time" in row.error.message
    assert state(host) == before
    assert_nothing_left(host)


def test_a_host_that_stays_away_after_its_change_is_in_an_unknown_state(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    let_in(lab.hosts["web1"], CUTS.replace('"$value" = 1', "-e /run/first"))
    row = only(fleet_of(lab, "run.confirm_timeout_s=2", "run.deadline_s=14").apply().hosts)
    assert row.error is not None
    assert row.status is Status.UNREACHABLE, row.error
    assert row.error.message.startswith("in change, state unknown")
