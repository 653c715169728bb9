"""The whole job on real SSH hosts: what the rows say, and what the hosts' kernels and files say from outside SSH."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import msgspec
import pytest
import typing_extensions

from sysfleet.errors import ExitCode, SelectionError
from sysfleet.fleet import Fleet
from sysfleet.lab import HostSpec, Lab, Loader, mixed_hosts
from sysfleet.outcome import FleetReport, HostOutcome, Status, report_from_json, to_json
from sysfleet.planning.content import HEADER
from sysfleet.reporter import Silent
from sysfleet.sample import sample_folder
from sysfleet.settings import override, parse
from tests.support.lab import LabFactory

OURS = "etc/sysctl.d/99-zz-sysfleet.conf"
FORWARDS = {"net.ipv4.ip_forward": "1", "net.ipv4.conf.all.accept_redirects": "0"}


def fleet_of(lab: Lab, *settings: str) -> Fleet:
    text = (lab.folder / "sysfleet.toml").read_text()
    return Fleet(lab.folder, override(parse(text), settings), environ={"HOME": "/nonexistent", "USER": "nobody"})


def rows_of(report: FleetReport) -> dict[str, HostOutcome]:
    return {row.host: row for row in report.hosts}


def statuses(report: FleetReport) -> dict[str, Status]:
    return {row.host: row.status for row in report.hosts}


def text_of(row: HostOutcome, key: str) -> str | None:
    return next(setting.running for setting in row.settings if setting.key == key)


def seen(lab: Lab, host: str, keys: Iterable[str]) -> dict[str, str | None]:
    return {key: lab.hosts[host].read(key) for key in keys}


@pytest.fixture
def make_lab(lab_factory: LabFactory) -> LabFactory:
    def make(*hosts: HostSpec | int, **options: object) -> Lab:
        return lab_factory(*hosts, templates=sample_folder("templates"), **options)

    return make


def test_check_apply_check_apply_on_every_kind_of_lab(make_lab: LabFactory, lab_kind: dict[str, object]) -> None:
    lab = make_lab(4, **lab_kind)
    fleet = fleet_of(lab)
    before = fleet.check()
    assert set(statuses(before).values()) == {Status.DRIFTED}
    assert before.exit_code is ExitCode.DRIFT
    changed = fleet.apply()
    assert set(statuses(changed).values()) == {Status.CHANGED}
    assert changed.exit_code is ExitCode.OK
    after = fleet.check()
    assert set(statuses(after).values()) == {Status.OK}
    again = fleet.apply()
    assert [(row.status, row.changes) for row in again.hosts] == [(Status.OK, 0)] * 4
    assert seen(lab, "web1", ["net.ipv4.tcp_rfc1337", "net.ipv4.conf.eth0.accept_redirects"]) == {
        "net.ipv4.tcp_rfc1337": "1",
        "net.ipv4.conf.eth0.accept_redirects": "0",
    }
    assert lab.hosts["router1"].read("net.ipv4.ip_forward") == "1"
    assert all(row.stand_in is (lab.mode == "folder") for row in after.hosts)


def test_one_apply_turns_redirects_off_on_a_host_that_forwarded_before(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",), values=FORWARDS))
    assert statuses(fleet_of(lab).apply()) == {"web1": Status.CHANGED}
    wanted = {"net.ipv4.ip_forward": "0", "net.ipv4.conf.all.accept_redirects": "0"}
    assert seen(lab, "web1", wanted) == wanted


@pytest.mark.parametrize("loader", ["systemd", "procps", "alpine", "openrc"])
def test_a_restart_comes_up_with_what_was_applied(make_lab: LabFactory, loader: Loader) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",), loader=loader, values=FORWARDS), mode="namespaces")
    fleet = fleet_of(lab)
    applied = rows_of(fleet.apply())["web1"]
    assert (applied.status, applied.loader) == (Status.CHANGED, loader)
    boot = lab.hosts["web1"].boot_id
    lab.restart("web1")
    assert lab.hosts["web1"].boot_id != boot
    after = rows_of(fleet.check())["web1"]
    assert after.status is Status.OK
    foretold = {each.key: each.at_boot for each in applied.settings}
    assert {each.key: each.running for each in after.settings} == foretold


def test_a_second_apply_writes_nothing_anywhere(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    fleet = fleet_of(lab)
    fleet.apply()
    host = lab.hosts["web1"]
    path = lab.hosts["web1"].root / OURS
    first = (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes())
    lock = host.run(["stat", "-c", "%y %z", "/run/sysfleet", "/run/sysfleet/lock"]).stdout
    assert statuses(fleet.apply()) == {"web1": Status.OK}
    assert (path.stat().st_mtime_ns, path.stat().st_ino, path.read_bytes()) == first
    assert host.run(["stat", "-c", "%y %z", "/run/sysfleet", "/run/sysfleet/lock"]).stdout == lock


def test_the_file_is_root_readable_by_all_and_nothing_is_left_beside_it(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    fleet_of(lab).apply()
    path = lab.hosts["web1"].root / OURS
    assert path.stat().st_mode & 0o7777 == 0o644
    assert path.read_text().startswith(HEADER + "\n")
    assert [entry.name for entry in path.parent.iterdir() if "sysfleet" in entry.name] == [path.name]


def test_a_drift_that_somebody_made_is_found_and_mended(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    fleet = fleet_of(lab)
    fleet.apply()
    lab.hosts["web1"].write("net.ipv4.conf.all.accept_redirects", "1")
    row = rows_of(fleet.check())["web1"]
    assert row.status is Status.DRIFTED
    assert row.changes == 1
    assert text_of(row, "net.ipv4.conf.all.accept_redirects") == "1"
    assert statuses(fleet.apply()) == {"web1": Status.CHANGED}


def test_a_change_that_was_planned_on_other_values_is_blocked(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))

    def meanwhile(_plan: FleetReport) -> bool:
        lab.hosts["web1"].write("net.ipv4.tcp_fin_timeout", "45")
        return True

    row = rows_of(fleet_of(lab).apply(approve=meanwhile))["web1"]
    assert row.status is Status.BLOCKED
    assert row.error is not None
    assert "net.ipv4.tcp_fin_timeout" in row.error.message
    assert lab.hosts["web1"].read("net.ipv4.tcp_rfc1337") == "0"
    assert not (lab.hosts["web1"].root / OURS).exists()


def test_a_change_that_was_planned_on_other_files_is_blocked(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))

    def meanwhile(_plan: FleetReport) -> bool:
        (lab.hosts["web1"].etc / "sysctl.d" / "10-new.conf").write_text("net.core.somaxconn = 128\n")
        return True

    row = rows_of(fleet_of(lab).apply(approve=meanwhile))["web1"]
    assert row.status is Status.BLOCKED
    assert lab.hosts["web1"].read("net.ipv4.tcp_rfc1337") == "0"


def test_a_question_that_is_declined_writes_nothing(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    shown: list[FleetReport] = []

    def no(plan: FleetReport) -> bool:
        shown.append(plan)
        return False

    report = fleet_of(lab).apply(approve=no)
    assert statuses(report) == {"web1": Status.DRIFTED}
    assert report.exit_code is ExitCode.DRIFT
    assert rows_of(shown[0])["web1"].changes > 0
    assert lab.hosts["web1"].read("net.ipv4.tcp_rfc1337") == "0"


def test_an_approved_change_tells_what_was_and_what_is(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    row = rows_of(fleet_of(lab).apply(approve=lambda _plan: True))["web1"]
    assert row.status is Status.CHANGED
    setting = next(each for each in row.settings if each.key == "net.ipv4.tcp_rfc1337")
    assert (setting.running, setting.at_boot, setting.notes) == ("1", "1", ("was 0",))


@pytest.mark.parametrize("options", ["ro", "size=4k"])
def test_a_file_that_cannot_be_written_leaves_the_values_as_they_were(make_lab: LabFactory, options: str) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)), mode="namespaces")
    host = lab.hosts["web1"]
    full = "cat /dev/zero >/etc/sysctl.d/filled 2>/dev/null || :"
    host.run(["sh", "-c", f"mount -t tmpfs -o {options} none /etc/sysctl.d && {full}"])
    row = rows_of(fleet_of(lab).apply())["web1"]
    assert row.error is not None
    if options == "ro":
        assert row.status is Status.BLOCKED
        assert "cannot be written: /etc/sysctl.d (tmpfs) is mounted read-only" in row.error.message
    else:
        assert row.status is Status.FAILED
        assert row.error.message == "/etc/sysctl.d: No space left on device; nothing was written"
    assert host.read("net.ipv4.tcp_rfc1337") == "0"
    assert host.read("net.ipv4.conf.eth0.accept_redirects") == "1"
    assert host.run(["ls", "-A", "/run/sysfleet"]).stdout.split() in ([], [b"lock"]), "it is in change no more"
    assert b"sysfleet" not in host.run(["ls", "-A", "/etc/sysctl.d"]).stdout


def test_a_link_in_our_place_is_blocked_before_the_first_write(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    (lab.hosts["web1"].root / OURS).symlink_to("/etc/passwd")
    row = rows_of(fleet_of(lab).apply())["web1"]
    assert row.status is Status.BLOCKED
    assert row.error is not None
    assert "is a link to /etc/passwd" in row.error.message
    assert lab.hosts["web1"].read("net.ipv4.tcp_rfc1337") == "0"


def test_a_rival_file_that_wins_is_blocked_and_named(make_lab: LabFactory) -> None:
    rival = {"/etc/sysctl.d/99-zzz-rival.conf": b"# mine\nnet.ipv4.tcp_fin_timeout = 45\n"}
    lab = make_lab(HostSpec("web1", groups=("web",), files=rival))
    fleet = fleet_of(lab)
    setting = next(each for each in rows_of(fleet.check())["web1"].settings if each.key == "net.ipv4.tcp_fin_timeout")
    assert setting.verdict == "shadowed"
    assert setting.boot_winner is not None
    assert (setting.boot_winner.file, setting.boot_winner.line) == ("/etc/sysctl.d/99-zzz-rival.conf", 2)
    assert statuses(fleet.apply()) == {"web1": Status.BLOCKED}
    assert lab.hosts["web1"].read("net.ipv4.tcp_rfc1337") == "0"


def test_render_gives_the_file_that_apply_pushes(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    fleet = fleet_of(lab)
    rendered = fleet.render("web1")
    fleet.apply()
    assert (lab.hosts["web1"].root / OURS).read_bytes() == rendered == fleet.render("web1")


def test_an_override_of_a_host_beats_its_role(make_lab: LabFactory) -> None:
    lab = make_lab(2)
    hosts = lab.folder / "inventory" / "hosts.yaml"
    override_text = "web1:\n  data: {sysctl: {net.ipv4.tcp_fin_timeout: {value: 20, reason: short lived}}}\n"
    hosts.write_text(hosts.read_text().replace("web1:\n", override_text))
    report = fleet_of(lab).apply("web1")
    setting = next(each for each in report.hosts[0].settings if each.key == "net.ipv4.tcp_fin_timeout")
    assert (setting.running, setting.origin and setting.origin.layer) == ("20", "host")
    assert [link.layer for link in setting.chain] == ["base", "host"]
    assert lab.hosts["web1"].read("net.ipv4.tcp_fin_timeout") == "20"
    assert lab.hosts["db1"].read("net.ipv4.tcp_fin_timeout") == "60"


def test_limit_selects_and_an_empty_selection_is_an_error(make_lab: LabFactory) -> None:
    fleet = fleet_of(make_lab(4))
    assert [row.host for row in fleet.check("role=web | db*").hosts] == ["db1", "web1"]
    with pytest.raises(SelectionError):
        fleet.check("role=web & db*")


def test_every_run_leaves_a_journal_with_every_row(make_lab: LabFactory) -> None:
    lab = make_lab(2)
    report = fleet_of(lab).check()
    (journal,) = (lab.folder / ".sysfleet" / "runs").glob("*.jsonl")
    lines = journal.read_bytes().splitlines()
    assert journal.stem == report.run
    assert {msgspec.json.decode(line)["outcome"]["host"] for line in lines[1:-1]} == {"web1", "db1"}


def test_a_report_survives_its_json(make_lab: LabFactory) -> None:
    report = fleet_of(make_lab(2)).check()
    assert report_from_json(to_json(report)) == report


def test_an_unknown_host_key_is_rejected_with_its_fingerprint(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    (lab.folder / "known_hosts").write_text("")
    row = rows_of(fleet_of(lab).check())["web1"]
    assert row.status is Status.REJECTED
    assert row.error is not None
    assert "SHA256:" in row.error.message


def test_a_refused_login_is_rejected(make_lab: LabFactory, tmp_path: Path) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    fleet = fleet_of(lab, f"ssh.identity_files=[{str(other_key(tmp_path))!r}]")
    row = rows_of(fleet.check())["web1"]
    assert row.status is Status.REJECTED
    assert row.error is not None
    assert "other" in row.error.message


def other_key(folder: Path) -> Path:
    import asyncssh

    path = folder / "other"
    asyncssh.generate_private_key("ssh-ed25519").write_private_key(str(path))
    path.chmod(0o600)
    return path


def test_a_mixed_fleet_of_fifty_gives_fifty_right_rows(make_lab: LabFactory) -> None:
    lab = make_lab(*mixed_hosts(), mode="namespaces")
    fleet = fleet_of(lab, "ssh.connect_timeout_s=5", "run.deadline_s=60")
    unreachable = {"router1", "router2", "router3", "bastion1", "bastion2"}
    report = fleet.apply()
    assert len(report.hosts) == 50
    expected = dict.fromkeys(lab.hosts, Status.CHANGED) | dict.fromkeys(unreachable, Status.UNREACHABLE)
    expected["db4"] = Status.BLOCKED
    assert statuses(report) == expected
    assert report.exit_code is ExitCode.HOST_FAILED
    for name in ("db1", "db2", "db3"):  # forwarded before
        wanted = {"net.ipv4.ip_forward": "0", "net.ipv4.conf.all.accept_redirects": "0"}
        assert seen(lab, name, wanted) == wanted
    redirects = [f"net.ipv4.conf.eth{number}.accept_redirects" for number in (0, 999, 1999)]
    assert seen(lab, "web1", redirects) == dict.fromkeys(redirects, "0")
    assert lab.hosts["db4"].read("net.ipv4.tcp_rfc1337") == "0"
    missing = next(each for each in rows_of(report)["db5"].settings if each.key == "net.ipv4.tcp_rfc1337")
    assert missing.verdict == "missing"
    again = fleet.check()
    calm = expected | {name: Status.OK for name, status in expected.items() if status is Status.CHANGED}
    calm["db4"] = Status.DRIFTED
    assert statuses(again) == calm


def test_a_key_that_no_template_spells_out_costs_a_second_read_and_the_row_says_so(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    template = lab.folder / "templates" / "web.conf.j2"
    template.write_text('{% set key = ["net", "ipv4", "tcp_sack"] | join(".") %}\n{{ key }} = 0\n')
    row = rows_of(fleet_of(lab).check())["web1"]
    assert text_of(row, "net.ipv4.tcp_sack") == "1"
    assert row.notes == ("read twice: no template spells out net.ipv4.tcp_sack",)


def test_an_interrupt_at_the_question_is_a_no_and_every_host_has_its_row(make_lab: LabFactory) -> None:
    lab = make_lab(2)

    def interrupted(_plan: FleetReport) -> bool:
        raise KeyboardInterrupt

    report = fleet_of(lab).apply(approve=interrupted)
    assert set(statuses(report).values()) == {Status.DRIFTED}
    assert report.exit_code is ExitCode.INTERRUPTED
    assert lab.hosts["web1"].read("net.ipv4.tcp_rfc1337") == "0"


def test_of_two_applies_at_once_one_changes_a_host_and_the_other_is_blocked(make_lab: LabFactory) -> None:
    lab = make_lab(4)
    fleets = [fleet_of(lab), fleet_of(lab)]
    together = threading.Barrier(2)

    def at_once(fleet: Fleet) -> FleetReport:
        def go(_plan: FleetReport) -> bool:
            together.wait(timeout=60)
            return True

        return fleet.apply(approve=go)

    with ThreadPoolExecutor(2) as pool:
        one, other = (statuses(report) for report in pool.map(at_once, fleets))
    for name in lab.hosts:
        assert {one[name], other[name]} == {Status.CHANGED, Status.BLOCKED}, name
    assert set(statuses(fleets[0].check()).values()) == {Status.OK}


def test_a_host_that_another_run_is_changing_is_blocked_until_that_run_is_over(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    host = lab.hosts["web1"]
    fleet = fleet_of(lab)
    uptime = int(float(host.run(["cat", "/proc/uptime"]).stdout.split()[0]))
    host.run(["mkdir", "-m", "0700", "/run/sysfleet"])
    host.run(["tee", "/run/sysfleet/change"], input=f"armed another-run {uptime + 3600} {host.boot_id}\n".encode())
    row = rows_of(fleet.apply())["web1"]
    assert row.status is Status.BLOCKED
    assert row.error is not None
    assert row.error.message == "another run is changing this host"
    assert host.read("net.ipv4.tcp_rfc1337") == "0"
    host.run(["tee", "/run/sysfleet/change"], input=f"armed another-run {uptime - 11} {host.boot_id}\n".encode())
    assert statuses(fleet.apply()) == {"web1": Status.CHANGED}
    assert host.run(["ls", "/run/sysfleet"]).stdout.split() == [b"change", b"lock"]


def test_a_host_that_takes_no_second_login_is_put_back_over_the_first(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    host = lab.hosts["web1"]
    # From the second login on, nobody is let in any more.
    once = "#!/bin/sh\n[ -e /run/once ] && exit 1\n: >/run/once\ncat /etc/ssh/authorized_keys.d/root\n"
    (host.etc / "ssh" / "keys").write_text(once)
    if lab.backend != "openssh":
        pytest.skip("not on this kernel: only OpenSSH asks a command for keys")
    (host.etc / "ssh" / "keys").chmod(0o755)
    config = host.etc / "ssh" / "sshd_config"
    config.write_text(
        "AuthorizedKeysCommand /etc/ssh/keys\nAuthorizedKeysCommandUser root\nAuthorizedKeysFile none\n"
        + config.read_text()
    )
    row = rows_of(fleet_of(lab).apply())["web1"]
    assert row.status is Status.REVERTED
    assert row.error is not None
    assert row.error.message.endswith("; the running values were put back")
    assert (row.error.type, row.error.phase) == ("LoginRejected", "connect")
    assert host.read("net.ipv4.tcp_rfc1337") == "0"
    assert not (host.root / OURS).exists()
    assert host.run(["ls", "/run/sysfleet"]).stdout.split() == [b"change", b"lock"]
    assert b"\nreverted " in host.run(["cat", "/run/sysfleet/change"]).stdout


def test_values_as_people_write_them_are_verified_as_the_kernel_shows_them(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)))
    (lab.folder / "templates" / "web.conf.j2").write_text(
        "net.ipv4.ip_local_port_range = 010000 060000\nnet/ipv4/tcp_fin_timeout = 0x1e\n"
    )
    fleet = fleet_of(lab)
    assert statuses(fleet.apply()) == {"web1": Status.CHANGED}
    assert lab.hosts["web1"].read("net.ipv4.ip_local_port_range") == "4096 24576"
    assert statuses(fleet.check()) == {"web1": Status.OK}
    assert statuses(fleet.apply()) == {"web1": Status.OK}


def test_a_key_that_is_taken_out_of_the_policy_goes_back_to_its_boot_value(make_lab: LabFactory) -> None:
    vendor = {"/etc/sysctl.d/50-vendor.conf": b"net.ipv4.tcp_fin_timeout = 17\n"}
    lab = make_lab(HostSpec("web1", groups=("web",), files=vendor))
    template = lab.folder / "templates" / "web.conf.j2"
    (lab.folder / "templates" / "base.conf.j2").write_text("net.ipv4.tcp_rfc1337 = 1\n")
    template.write_text("net.ipv4.tcp_fin_timeout = 25\nnet.ipv4.tcp_keepalive_time = 100\n")
    fleet_of(lab).apply()
    assert lab.hosts["web1"].read("net.ipv4.tcp_fin_timeout") == "25"
    template.write_text("net.ipv4.tcp_sack = 1\n")
    drift = rows_of(fleet_of(lab).check())["web1"]
    released = {each.key: each.why for each in drift.settings if each.verdict == "released"}
    assert drift.status is Status.DRIFTED
    assert released == {
        "net.ipv4.tcp_fin_timeout": "no longer asked for: set to what /etc/sysctl.d/50-vendor.conf:1 gives at boot",
        "net.ipv4.tcp_keepalive_time": "no longer asked for: keeps its value until the next boot",
    }
    assert statuses(fleet_of(lab).apply()) == {"web1": Status.CHANGED}
    assert lab.hosts["web1"].read("net.ipv4.tcp_fin_timeout") == "17"
    assert lab.hosts["web1"].read("net.ipv4.tcp_keepalive_time") == "100"
    assert statuses(fleet_of(lab).check()) == {"web1": Status.OK}


def test_render_says_that_a_folder_stands_in(make_lab: LabFactory) -> None:
    lab = make_lab(HostSpec("web1", groups=("web",)), mode="folder")
    notes: list[str] = []

    class Listening(Silent):
        @typing_extensions.override
        def note(self, text: str) -> None:
            notes.append(text)

    Fleet(lab.folder, environ={"HOME": "/nonexistent", "USER": "nobody"}, reporter=Listening()).render("web1")
    assert notes == ["a folder stands in for the kernel of web1"]
