"""Planning on hosts that are not ours to change: another owner, a read-only place, parts of /proc/sys read-only."""

from __future__ import annotations

from sysfleet.planning.content import HEADER
from sysfleet.planning.plan import make_plan
from sysfleet.planning.prediction import predicted
from sysfleet.planning.records import Options
from sysfleet.planning.verdict import Verdict
from sysfleet.sysctl.key import Key
from tests.planning.cases import OURS, policy, reading, wanted

OPTIONS = Options(path=OURS, comments="none")
BACKLOG = wanted("net.core.somaxconn", "4096")
NIXOS = "NixOS (boot.kernel.sysctl)"


def test_a_host_that_another_system_owns_is_refused_by_its_name_and_gets_no_file() -> None:
    host = reading({"net.core.somaxconn": "128"}, owner=NIXOS)
    plan = make_plan(policy(BACKLOG), host, OPTIONS)
    (refusal,) = plan.refusals
    assert refusal.startswith(f"sysctl on this host is owned by {NIXOS}: ask for the values there")
    assert plan.settings[0].verdict is Verdict.CHANGE
    assert plan.file.after is None
    assert plan.drifted


def test_a_host_that_its_owner_made_as_wanted_is_right() -> None:
    files = {"/etc/sysctl.d/60-nixos.conf": "net.core.somaxconn = 4096\n"}
    plan = make_plan(policy(BACKLOG), reading({"net.core.somaxconn": "4096"}, files, owner=NIXOS), OPTIONS)
    assert (plan.refusals, plan.drifted, plan.empty) == ((), False, True)


def test_a_host_whose_owner_forgets_the_value_at_boot_is_drift() -> None:
    plan = make_plan(policy(BACKLOG), reading({"net.core.somaxconn": "4096"}, owner=NIXOS), OPTIONS)
    assert plan.empty
    assert plan.drifted
    assert NIXOS in plan.refusals[0]


def test_planning_again_on_an_owned_host_writes_nothing() -> None:
    host = reading({"net.core.somaxconn": "128"}, owner=NIXOS)
    assert make_plan(policy(BACKLOG), predicted(host, make_plan(policy(BACKLOG), host, OPTIONS)), OPTIONS).empty


def test_a_place_that_cannot_be_written_is_refused_with_the_reason() -> None:
    host = reading({"net.core.somaxconn": "128"}, place_problem="/ (squashfs) is mounted read-only")
    (refusal,) = make_plan(policy(BACKLOG), host, OPTIONS).refusals
    assert refusal == f"{OURS} cannot be written: / (squashfs) is mounted read-only"


def test_a_place_that_cannot_be_written_but_has_the_right_file_lets_values_be_written() -> None:
    files = {OURS: f"{HEADER}\nnet.core.somaxconn = 4096\n"}
    host = reading({"net.core.somaxconn": "128"}, files, place_problem="/ (squashfs)")
    plan = make_plan(policy(BACKLOG), host, OPTIONS)
    assert plan.refusals == ()
    assert plan.writes


def test_a_read_only_proc_sys_is_one_refusal_and_every_verdict() -> None:
    names = [f"net.core.{leaf}" for leaf in ("somaxconn", "optmem_max", "netdev_max_backlog", "dev_weight")]
    host = reading(dict.fromkeys(names, "1"), mounts=(("/proc/sys", False),))
    plan = make_plan(policy(*(wanted(name, "4096") for name in names)), host, OPTIONS)
    assert {setting.verdict for setting in plan.settings} == {Verdict.READONLY}
    (refusal,) = plan.refusals
    assert refusal.endswith(" and 1 more: /proc/sys is read-only as a whole")


def test_a_read_only_proc_sys_does_not_disturb_a_host_that_needs_nothing_but_its_file() -> None:
    host = reading({"net.core.somaxconn": "4096"}, mounts=(("/proc/sys", False),))
    plan = make_plan(policy(BACKLOG), host, OPTIONS)
    assert plan.refusals == ()
    assert plan.settings[0].verdict is Verdict.CHANGE


def test_the_innermost_mount_decides_of_a_key() -> None:
    mounts = (("/proc/sys", False), ("/proc/sys/net", True), ("/proc/sys/net/ipv4/tcp_syncookies", False))
    host = reading({"net.core.somaxconn": "1", "net.ipv4.tcp_syncookies": "1", "vm.swappiness": "60"}, mounts=mounts)
    rules = policy(BACKLOG, wanted("net.ipv4.tcp_syncookies", "2"), wanted("vm.swappiness", "1"))
    plan = make_plan(rules, host, OPTIONS)
    assert {setting.pattern: setting.verdict for setting in plan.settings} == {
        "net.core.somaxconn": Verdict.CHANGE,
        "net.ipv4.tcp_syncookies": Verdict.READONLY,
        "vm.swappiness": Verdict.READONLY,
    }
    (refusal,) = plan.refusals
    assert refusal.endswith("its part of /proc/sys is mounted read-only")


def test_a_single_key_that_the_host_calls_read_only_is_readonly() -> None:
    host = reading(
        {"net.core.somaxconn": "1", "net.ipv4.tcp_syncookies": "1"}, read_only_keys=(Key("net.core.somaxconn"),)
    )
    plan = make_plan(policy(BACKLOG, wanted("net.ipv4.tcp_syncookies", "2")), host, OPTIONS)
    verdicts = {setting.pattern: setting.verdict for setting in plan.settings}
    assert verdicts == {Key("net.core.somaxconn"): Verdict.READONLY, Key("net.ipv4.tcp_syncookies"): Verdict.CHANGE}
    assert plan.refusals == ("net.core.somaxconn: read-only, also for root",)
