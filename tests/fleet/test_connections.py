"""Whole runs over each kind of connection: real servers, and the row that a host gets."""

from __future__ import annotations

import pytest

from sysfleet.errors import UsageError
from sysfleet.fleet import Fleet
from sysfleet.lab import HostSpec, Lab, Login
from sysfleet.outcome import FleetReport, HostOutcome, Status
from sysfleet.sample import sample_folder
from sysfleet.settings import override, parse
from tests.support.lab import LabFactory
from tests.support.needs import needs

# sshd hands it to the login shell, which may be any.
SHELL_ONLY = (
    "ForceCommand exec /bin/sh -c "
    '\'if [ -n "$SSH_ORIGINAL_COMMAND" ]; then echo no commands here >&2; exit 1; fi; exec "$SHELL" -i\''
)
PASSWORD = "correct horse"


@pytest.fixture
def make_lab(lab_factory: LabFactory) -> LabFactory:
    def make(*hosts: HostSpec, **options: object) -> Lab:
        return lab_factory(*hosts, templates=sample_folder("templates"), **options)

    return make


def fleet_of(lab: Lab, *settings: str, **environ: str) -> Fleet:
    text = (lab.folder / "sysfleet.toml").read_text()
    around = {"HOME": "/nonexistent", "USER": "nobody", **environ}
    return Fleet(lab.folder, override(parse(text), settings), environ=around)


def rows_of(report: FleetReport) -> dict[str, HostOutcome]:
    return {row.host: row for row in report.hosts}


def appliance(name: str, *logins: Login, **data: object) -> HostSpec:
    user = logins[0].name if logins else "root"
    fields = {"connection": "netmiko", **data}
    return HostSpec(name, groups=("web",), data=fields, logins=logins, user=user, sshd=(SHELL_ONLY,))


def test_a_host_with_a_shell_alone_is_checked_over_netmiko_as_others_are(make_lab: LabFactory) -> None:
    needs("sudo")
    lab = make_lab(
        HostSpec("web1", groups=("web",)),
        appliance("app1"),
        appliance("app2", connection="paramiko"),
        mode="namespaces",
        backend="openssh",
    )
    rows = rows_of(fleet_of(lab).check())
    assert {name: row.status for name, row in rows.items()} == {
        "web1": Status.DRIFTED,
        "app1": Status.DRIFTED,
        "app2": Status.FAILED,
    }
    assert rows["app1"].settings == rows["web1"].settings
    assert rows["app1"].file == rows["web1"].file
    assert rows["app2"].error is not None
    assert "no commands here" in rows["app2"].error.message


def test_nothing_is_changed_over_an_interactive_shell_and_the_row_says_why(make_lab: LabFactory) -> None:
    lab = make_lab(appliance("app1"), mode="namespaces", backend="openssh")
    fleet = fleet_of(lab)
    planned = rows_of(fleet.plan())["app1"]
    assert planned.status is Status.DRIFTED
    assert any("apply refuses: over an interactive shell" in note for note in planned.notes)
    row = rows_of(fleet.apply())["app1"]
    assert row.status is Status.BLOCKED
    assert row.error is not None
    assert "interactive shell" in row.error.message
    assert rows_of(fleet.check())["app1"].settings == planned.settings


BY_SUDO = {
    "nopasswd": Login("ops", sudo=("nopasswd",)),
    "password": Login("ops", password=PASSWORD, sudo=("password",)),
    "lecture": Login("ops", password=PASSWORD, sudo=("password", "lecture")),
    "use-pty": Login("ops", password=PASSWORD, sudo=("password", "use_pty")),
    "requiretty": Login("ops", password=PASSWORD, sudo=("password", "requiretty")),
    "tcsh": Login("ops", password=PASSWORD, sudo=("password",), shell="/usr/bin/tcsh"),
    "fish": Login("ops", password=PASSWORD, sudo=("password",), shell="/usr/bin/fish"),
    "ash": Login("ops", password=PASSWORD, sudo=("password",), shell="/bin/ash"),
    "none": Login("ops", password=PASSWORD),
}
BY_DOAS = {
    "doas": Login("ops", password=PASSWORD, doas="password"),
    "doas-nopass": Login("ops", doas="nopass"),
    "none": Login("ops", password=PASSWORD),
}


@pytest.mark.parametrize(("method", "logins"), [("sudo", BY_SUDO), ("doas", BY_DOAS)])
def test_root_rights_are_had_in_the_terminal_in_every_way(
    make_lab: LabFactory, method: str, logins: dict[str, Login]
) -> None:
    for program in (method, "tcsh", "fish", "busybox"):
        needs(program)
    hosts = [appliance(name, login) for name, login in logins.items()]
    lab = make_lab(*hosts, mode="namespaces", backend="openssh")
    fleet = fleet_of(lab, f"privilege.method={method}", "privilege.password_env=PW", PW=PASSWORD)
    rows = rows_of(fleet.check())
    statuses = {name: row.status for name, row in rows.items()}
    assert statuses == {**dict.fromkeys(logins, Status.DRIFTED), "none": Status.DENIED}
    assert PASSWORD not in str(rows)


@pytest.mark.parametrize(("method", "login"), [("sudo", BY_SUDO["password"]), ("doas", BY_DOAS["doas"])])
def test_a_wrong_password_is_denied_in_the_words_of_the_program(
    make_lab: LabFactory, method: str, login: Login
) -> None:
    needs(method)
    lab = make_lab(appliance("app1", login), mode="namespaces", backend="openssh")
    fleet = fleet_of(lab, f"privilege.method={method}", "privilege.password_env=PW", PW="wrong horse")
    row = rows_of(fleet.check())["app1"]
    assert row.status is Status.DENIED, row
    assert "wrong horse" not in str(row)
    assert row.error is not None
    assert {"sudo": "try again", "doas": "doas"}[method] in row.error.message


def test_an_unsafe_option_of_netmiko_is_an_error_before_anything_is_contacted(make_lab: LabFactory) -> None:
    lab = make_lab(appliance("app1"), mode="namespaces", backend="openssh")
    hosts = lab.folder / "inventory" / "hosts.yaml"
    options = "  connection_options: {sysfleet.netmiko: {extras: {ssh_strict: false}}}\n"
    hosts.write_text(hosts.read_text().replace("app1:\n", f"app1:\n{options}", 1))
    with pytest.raises(UsageError, match=r"app1: .*ssh_strict"):
        fleet_of(lab).check()


def test_an_agent_that_is_gone_is_a_note_and_the_run_goes_on_with_the_keys_in_files(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)), mode="namespaces", backend="openssh")
    report = fleet_of(lab, SSH_AUTH_SOCK="/nonexistent/agent").check()
    assert rows_of(report)["web1"].status is Status.DRIFTED
    assert report.notes == ("the ssh-agent at /nonexistent/agent cannot be reached: No such file or directory",)
