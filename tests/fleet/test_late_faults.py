"""Hosts that fail after the first write, in other ways than by being lost: all is put back, and the row says so."""

from __future__ import annotations

import pytest

from sysfleet.fleet import Fleet
from sysfleet.lab import HostSpec, Lab, Login
from sysfleet.outcome import HostOutcome, Status
from sysfleet.settings import override, parse
from tests.support.lab import LabFactory
from tests.support.needs import needs_root

KEY = "net.ipv4.tcp_fin_timeout"
WRITTEN = f'[ "$(cat /proc/sys/{KEY.replace(".", "/")})" = 30 ]'
BASH = "/bin/bash"


def applied(lab: Lab, *settings: str) -> HostOutcome:
    (lab.folder / "templates").mkdir(exist_ok=True)
    (lab.folder / "templates/base.conf.j2").write_text(f"{KEY} = 30\n")
    (lab.folder / "templates/web.conf.j2").write_text("")
    text = (lab.folder / "sysfleet.toml").read_text()
    set_here = ("run.deadline_s=30", "run.confirm_timeout_s=4", *settings)
    fleet = Fleet(lab.folder, override(parse(text), set_here), environ={"HOME": "/nonexistent", "USER": "nobody"})
    (row,) = fleet.apply().hosts
    return row


@pytest.mark.parametrize(
    ("start_file", "said"),
    [
        (f"{WRITTEN} && exit 3\n", "runs no programs"),
        (f"{WRITTEN} && yes flood\n", "more than"),
        (f"{WRITTEN} && sleep 60\n", "in time"),
    ],
    ids=["shell that exits", "flood", "silence"],
)
def test_a_shell_that_fails_once_the_value_is_new_has_it_put_back(
    lab_factory: LabFactory, start_file: str, said: str
) -> None:
    host = HostSpec("web1", groups=("web",), shell=BASH, files={"/root/.bashrc": start_file.encode()})
    lab = lab_factory(host, mode="namespaces", backend="openssh")
    row = applied(lab)
    assert row.error is not None
    assert said in row.error.message
    assert row.status is Status.REVERTED, row.error
    assert lab.hosts["web1"].read(KEY) == "60"
    left = lab.hosts["web1"].run(["sh", "-c", "ls -A /etc/sysctl.d /run/sysfleet; ps -e -o args"]).stdout.decode()
    assert ".sysfleet-" not in left
    assert "99-zz-sysfleet.conf" not in left
    assert "undo-" not in left


def test_a_host_that_gives_no_root_rights_any_more_puts_it_back_by_itself(lab_factory: LabFactory) -> None:
    needs_root("setuid programs in a host need the machine's root")
    host = HostSpec("web1", groups=("web",), user="ops", logins=(Login("ops", sudo=("nopasswd",)),))
    lab = lab_factory(host, mode="namespaces", backend="openssh")
    profile = lab.hosts["web1"]
    # The second time that root is asked for, nobody is in sudoers any more.
    profile.run(["sh", "-c", f"(until {WRITTEN}; do sleep 0.02; done; : >/etc/sudoers) >/dev/null 2>&1 </dev/null &"])
    row = applied(lab)
    assert row.status is Status.DENIED, row.error
    assert row.error is not None
    assert "state unknown" in row.error.message
    assert profile.read(KEY) == "60"
