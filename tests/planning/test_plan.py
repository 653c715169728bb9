"""Planning: what is written, in which order, what stands in the file, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sysfleet.host import RunningState
from sysfleet.planning.content import HEADER
from sysfleet.planning.missing import USUAL, Reason, Treatment
from sysfleet.planning.plan import make_plan
from sysfleet.planning.prediction import predicted
from sysfleet.planning.records import Options, Plan
from sysfleet.planning.verdict import Verdict
from sysfleet.policy.constraint import Constraint, Kind
from sysfleet.policy.rule import Clash, Rule
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.loaders import Loader
from tests.planning.cases import ORIGIN, OURS, conf, policy, reading, wanted

OPTIONS = Options(path=OURS, comments="none", foreign=("veth*", "docker*"))
FORWARDING = {"net.ipv4.ip_forward": "1"}


def text_of(plan: Plan) -> str:
    assert plan.file.after is not None
    return plan.file.after.decode()


def body_of(plan: Plan) -> list[str]:
    return text_of(plan).splitlines()[1:]


def ours(*lines: str) -> dict[str, str]:
    return {OURS: "\n".join((HEADER, *lines, ""))}


def test_a_host_as_wanted_is_written_to_nowhere() -> None:
    host = reading({"net.core.somaxconn": "4096"}, ours("net.core.somaxconn = 4096"))
    plan = make_plan(policy(wanted("net.core.somaxconn", "4096")), host, OPTIONS)
    assert plan.empty
    assert not plan.drifted
    assert plan.compare == ()


def test_a_redirect_that_turning_forwarding_off_moves_is_written_again() -> None:
    host = reading(FORWARDING | conf("ipv4", "accept_redirects", all="0", default="0"))
    rules = policy(wanted("net.ipv4.ip_forward", "0"), wanted("net.ipv4.conf.all.accept_redirects", "0"))
    plan = make_plan(rules, host, OPTIONS)
    assert [(write.key, write.value) for write in plan.writes] == [
        ("net.ipv4.ip_forward", "0"),
        ("net.ipv4.conf.all.accept_redirects", "0"),
    ]
    assert predicted(host, plan).text(Key("net.ipv4.conf.all.accept_redirects")) == "0"


def test_forwarding_stands_before_redirects_in_the_file() -> None:
    host = reading(FORWARDING | conf("ipv4", "accept_redirects", all="1"))
    rules = policy(wanted("net.ipv4.conf.all.accept_redirects", "0"), wanted("net.ipv4.ip_forward", "0"))
    assert body_of(make_plan(rules, host, OPTIONS)) == [
        "net.ipv4.ip_forward = 0",
        "net.ipv4.conf.all.accept_redirects = 0",
    ]


def test_a_glob_is_written_on_the_interfaces_of_now_and_stands_as_a_glob_in_the_file() -> None:
    names = ("lo", "eth0", "eth1", "veth9", "wlan0")
    host = reading(conf("ipv4", "rp_filter", **dict.fromkeys(("all", "default", *names), "0")), interfaces=names)
    plan = make_plan(policy(wanted("net.ipv4.conf.*th*.rp_filter", "1")), host, OPTIONS)
    assert [write.key for write in plan.writes] == [
        "net.ipv4.conf.eth0.rp_filter",
        "net.ipv4.conf.eth1.rp_filter",
    ]
    assert body_of(plan) == ["net.ipv4.conf.*th*.rp_filter = 1"]


def test_an_interface_that_somebody_else_made_is_touched_only_when_named_outright() -> None:
    host = reading(conf("ipv4", "rp_filter", docker0="0"), interfaces=("lo", "docker0"))
    plan = make_plan(policy(wanted("net.ipv4.conf.docker0.rp_filter", "1")), host, OPTIONS)
    assert [write.key for write in plan.writes] == ["net.ipv4.conf.docker0.rp_filter"]


def test_an_explicit_key_beats_a_glob() -> None:
    host = reading(conf("ipv4", "rp_filter", eth0="0"))
    rules = policy(wanted("net.ipv4.conf.eth*.rp_filter", "1"), wanted("net.ipv4.conf.eth0.rp_filter", "2"))
    assert [write.value for write in make_plan(rules, host, OPTIONS).writes] == ["2"]


def test_a_named_interface_that_is_not_there_is_no_failure() -> None:
    host = reading({"net.ipv4.conf.eth7.rp_filter": RunningState.ABSENT})
    plan = make_plan(policy(wanted("net.ipv4.conf.eth7.rp_filter", "1")), host, OPTIONS)
    assert not plan.writes
    assert not plan.conflicts
    assert plan.settings[0].verdict is Verdict.OK
    assert body_of(plan) == ["net.ipv4.conf.eth7.rp_filter = 1"]


@pytest.mark.parametrize(
    ("running", "own", "other", "written", "line"),
    [
        ("128", None, None, "4096", "4096"),
        ("65536", None, None, None, "65536"),
        ("65536", "8192", None, None, "8192"),
        ("128", "1024", None, "4096", "4096"),
        ("65536", None, "4096", None, None),
        ("128", None, "16384", "16384", None),
        ("8192", None, "128", None, "8192"),
    ],
)
def test_a_floor_takes_the_least_change(
    running: str, own: str | None, other: str | None, written: str | None, line: str | None
) -> None:
    files = ours(f"net.core.somaxconn = {own}") if own else {}
    if other:
        files["/etc/sysctl.d/10-vendor.conf"] = f"net.core.somaxconn = {other}\n"
    host = reading({"net.core.somaxconn": running}, files)
    plan = make_plan(policy(wanted("net.core.somaxconn", at_least="4096")), host, OPTIONS)
    assert [write.value for write in plan.writes] == ([written] if written else [])
    if line is None:
        assert plan.file.after is None
    else:
        assert body_of(plan) == [f"net.core.somaxconn = {line}"]


def test_a_ceiling_lowers_what_is_above_it() -> None:
    host = reading({"net.ipv4.tcp_fin_timeout": "60"})
    plan = make_plan(policy(wanted("net.ipv4.tcp_fin_timeout", at_most="30")), host, OPTIONS)
    assert [write.value for write in plan.writes] == ["30"]


def test_one_of_several_keeps_the_running_one() -> None:
    rules = policy(wanted("net.ipv4.tcp_tw_reuse", one_of="0|2"))
    assert make_plan(rules, reading({"net.ipv4.tcp_tw_reuse": "2"}), OPTIONS).writes == ()
    moved = make_plan(rules, reading({"net.ipv4.tcp_tw_reuse": "1"}), OPTIONS)
    assert [write.value for write in moved.writes] == ["0"]


def test_running_right_but_undone_at_boot_is_drift_that_names_the_line() -> None:
    host = reading({"net.core.somaxconn": "4096"}, {"/etc/sysctl.d/10-old.conf": "# x\nnet.core.somaxconn = 128\n"})
    plan = make_plan(policy(wanted("net.core.somaxconn", "4096")), host, OPTIONS)
    (setting,) = plan.settings
    assert plan.drifted
    assert setting.verdict is Verdict.CHANGE
    assert setting.why == "running as wanted, but /etc/sysctl.d/10-old.conf:2 sets 128 at boot"
    assert setting.at_boot == "128"
    assert setting.at_boot_planned == "4096"


def test_a_later_file_with_another_value_is_shadowed_and_refused() -> None:
    host = reading(
        {"net.core.somaxconn": "4096"},
        {"/etc/sysctl.conf": "net.core.somaxconn = 128\n"},
        loader=Loader.PROCPS,
    )
    plan = make_plan(policy(wanted("net.core.somaxconn", "4096")), host, OPTIONS)
    assert plan.settings[0].verdict is Verdict.SHADOWED
    assert plan.refusals == ("net.core.somaxconn: /etc/sysctl.conf:1 wins at boot with 128; --accept-shadowed lets it",)


def test_a_later_file_with_an_equal_value_is_no_conflict() -> None:
    host = reading(
        {"net.core.somaxconn": "4096"},
        ours("net.core.somaxconn = 4096") | {"/etc/sysctl.conf": "net.core.somaxconn = 0x1000\n"},
        loader=Loader.PROCPS,
    )
    plan = make_plan(policy(wanted("net.core.somaxconn", "4096")), host, OPTIONS)
    assert not plan.drifted
    assert plan.refusals == ()


def test_an_unknown_key_is_a_conflict_with_the_one_that_was_meant() -> None:
    host = reading({"net.ipv6.ip_forward": RunningState.ABSENT})
    plan = make_plan(policy(wanted("net.ipv6.ip_forward", "0")), host, OPTIONS)
    assert plan.conflicts == ("net.ipv6.ip_forward: unknown key; did you mean net.ipv6.conf.all.forwarding?",)
    assert plan.file.after is None


def test_an_ipv6_key_on_a_host_without_ipv6_is_left_out_and_no_drift() -> None:
    host = reading({"net.ipv6.conf.all.forwarding": RunningState.ABSENT}, ipv6=False)
    plan = make_plan(policy(wanted("net.ipv6.conf.all.forwarding", "0")), host, OPTIONS)
    assert not plan.drifted
    assert plan.settings[0].verdict is Verdict.MISSING
    assert plan.settings[0].why == "IPv6 is off"


def test_an_unreadable_key_is_named() -> None:
    host = reading({"net.core.bpf_jit_harden": RunningState.UNREADABLE})
    plan = make_plan(policy(wanted("net.core.bpf_jit_harden", "2")), host, OPTIONS)
    assert plan.unreadable == ("net.core.bpf_jit_harden",)


def test_a_key_that_is_no_longer_asked_for_is_released_to_its_boot_value() -> None:
    files = ours("net.core.somaxconn = 8192", "net.ipv4.tcp_rfc1337 = 1")
    files["/etc/sysctl.d/10-vendor.conf"] = "net.core.somaxconn = 4096\n"
    host = reading({"net.core.somaxconn": "8192", "net.ipv4.tcp_rfc1337": "1"}, files)
    plan = make_plan(policy(wanted("net.ipv4.tcp_rfc1337", "1")), host, OPTIONS)
    assert [(write.key, write.value) for write in plan.writes] == [("net.core.somaxconn", "4096")]
    assert {setting.pattern: setting.verdict for setting in plan.settings} == {
        "net.ipv4.tcp_rfc1337": Verdict.OK,
        "net.core.somaxconn": Verdict.RELEASED,
    }
    assert body_of(plan) == ["net.ipv4.tcp_rfc1337 = 1"]


def test_a_comment_alone_is_not_drift() -> None:
    host = reading({"net.core.somaxconn": "4096"}, ours("# somebody's words", "net.core.somaxconn=4096"))
    assert not make_plan(policy(wanted("net.core.somaxconn", "4096")), host, OPTIONS).drifted


def test_a_file_in_our_place_that_is_not_ours_is_refused() -> None:
    host = reading({"net.core.somaxconn": "128"}, {OURS: "net.core.somaxconn = 128\n"})
    plan = make_plan(policy(wanted("net.core.somaxconn", "4096")), host, OPTIONS)
    assert plan.refusals == (f"{OURS} is not ours: it does not begin with our header",)


def test_roles_that_disagree_are_a_conflict_with_both_places() -> None:
    first, second = (Rule(Key("vm.swappiness"), Constraint(Kind.VALUE, (v,)), ORIGIN) for v in ("1", "60"))
    plan = make_plan(policy(clashes=(Clash(Key("vm.swappiness"), first, second),)), reading({}), OPTIONS)
    place = f"({ORIGIN.file}:{ORIGIN.line})"
    assert plan.conflicts == (f"vm.swappiness: roles disagree: 1 {place} and 60 {place}",)


def test_a_loader_that_is_switched_off_is_drift_unless_accepted() -> None:
    rules = policy(wanted("net.core.somaxconn", "4096"))
    host = reading({"net.core.somaxconn": "4096"}, ours("net.core.somaxconn = 4096"), loader_enabled=False)
    plan = make_plan(rules, host, OPTIONS)
    assert plan.empty
    assert plan.drifted
    assert plan.settings[0].at_boot_unknown == "loader_disabled"
    assert "loader_disabled" in plan.refusals[0]
    accepted = make_plan(rules, host, Options(path=OURS, accept_unknown_boot=True))
    assert not accepted.drifted
    assert accepted.settings[0].notes == ("not known at boot, which is accepted: loader_disabled",)


def test_a_one_way_value_is_refused() -> None:
    host = reading({"kernel.kexec_load_disabled": "0"})
    plan = make_plan(policy(wanted("kernel.kexec_load_disabled", "1")), host, OPTIONS)
    assert plan.refusals == (
        "kernel.kexec_load_disabled = 1 cannot be taken back before a reboot; --allow-one-way lets it",
    )


def test_a_loader_without_globs_sets_at_boot_only_the_interfaces_that_are_named() -> None:
    host = reading(conf("ipv4", "rp_filter", all="0", eth0="0"), loader=Loader.ALPINE)
    everywhere = (wanted("net.ipv4.conf.all.rp_filter", "1"), wanted("net.ipv4.conf.eth*.rp_filter", "1"))
    plan = make_plan(policy(*everywhere), host, OPTIONS)
    assert body_of(plan) == ["net.ipv4.conf.all.rp_filter = 1"]
    (refusal,) = plan.refusals
    assert refusal.startswith("net.ipv4.conf.eth*.rp_filter: the loader alpine knows no globs: name the interfaces")
    assert make_plan(policy(*everywhere), predicted(host, plan), OPTIONS).drifted
    named = policy(*everywhere, wanted("net.ipv4.conf.eth0.rp_filter", "1"))
    plan = make_plan(named, host, OPTIONS)
    assert plan.refusals == ()
    assert body_of(plan)[1:] == ["net.ipv4.conf.eth0.rp_filter = 1"]
    assert not make_plan(named, predicted(host, plan), OPTIONS).drifted


def test_openrc_reads_nothing_without_its_main_file_and_the_refusal_says_so() -> None:
    rules = policy(wanted("net.core.somaxconn", "4096"))
    values = {"net.core.somaxconn": "128"}
    (refusal,) = make_plan(rules, reading(values, loader=Loader.OPENRC), OPTIONS).refusals
    assert refusal.startswith("the loader openrc reads no file while there is no /etc/sysctl.conf")
    assert make_plan(rules, reading(values, {"/etc/sysctl.conf": ""}, loader=Loader.OPENRC), OPTIONS).refusals == ()


def test_two_names_of_one_variable_with_different_values_are_a_conflict() -> None:
    host = reading({"net.ipv4.ip_forward": "0", "net.ipv4.conf.all.forwarding": "0"})
    rules = policy(wanted("net.ipv4.ip_forward", "0"), wanted("net.ipv4.conf.all.forwarding", "1"))
    (conflict,) = make_plan(rules, host, OPTIONS).conflicts
    assert conflict.startswith("these cannot hold together")
    assert "net.ipv4.ip_forward = 0" in conflict or "net.ipv4.conf.all.forwarding = 1" in conflict


def test_a_shadowed_key_can_be_accepted() -> None:
    host = reading(
        {"net.core.somaxconn": "128"}, {"/etc/sysctl.conf": "net.core.somaxconn = 128\n"}, loader=Loader.PROCPS
    )
    options = replace(OPTIONS, accept_shadowed=True)
    plan = make_plan(policy(wanted("net.core.somaxconn", "4096")), host, options)
    assert plan.settings[0].verdict is Verdict.SHADOWED
    assert plan.refusals == ()
    assert [write.value for write in plan.writes] == ["4096"]


def test_another_file_that_wins_with_an_equal_value_is_no_conflict() -> None:
    host = reading(
        {"net.core.somaxconn": "4096"},
        {"/etc/sysctl.conf": "net.core.somaxconn = 0x1000\n"},
        loader=Loader.PROCPS,
    )
    plan = make_plan(policy(wanted("net.core.somaxconn", "4096")), host, OPTIONS)
    assert plan.refusals == ()
    assert plan.settings[0].verdict is not Verdict.SHADOWED


REDIRECTS = "net.ipv4.conf.all.accept_redirects"


def test_an_interface_that_does_not_obey_makes_all_ineffective_and_is_set() -> None:
    values = conf("ipv4", "accept_redirects", all="0", default="0", lo="1", eth0="1", eth1="0", veth9="1")
    values |= {"net.ipv4.ip_forward": "0", **conf("ipv4", "forwarding", all="0", eth0="0", eth1="0")}
    host = reading(values, {OURS: f"{HEADER}\n{REDIRECTS} = 0\n"}, interfaces=("lo", "eth0", "eth1", "veth9"))
    options = replace(OPTIONS, foreign=("veth*",))
    plan = make_plan(policy(wanted(REDIRECTS, "0")), host, options)
    (setting,) = plan.settings
    assert setting.verdict is Verdict.INEFFECTIVE
    assert dict(setting.interfaces) == {"eth0": "1"}
    assert setting.is_drift
    assert [(write.key, write.value) for write in plan.writes] == [("net.ipv4.conf.eth0.accept_redirects", "0")]
    after = make_plan(policy(wanted(REDIRECTS, "0")), predicted(host, plan), options)
    assert after.empty
    assert not after.drifted


def test_a_forwarding_host_obeys_all_where_the_rule_is_and() -> None:
    values = conf("ipv4", "accept_redirects", all="0", eth0="1")
    values |= {"net.ipv4.ip_forward": "1", **conf("ipv4", "forwarding", all="1", eth0="1")}
    host = reading(values, {OURS: f"{HEADER}\nnet.ipv4.ip_forward = 1\n{REDIRECTS} = 0\n"})
    plan = make_plan(policy(wanted("net.ipv4.ip_forward", "1"), wanted(REDIRECTS, "0")), host, OPTIONS)
    assert [setting.verdict for setting in plan.settings] == [Verdict.OK, Verdict.OK]


def test_what_a_service_writes_after_the_loader_is_not_known_at_boot_and_names_it() -> None:
    host = reading(
        {"net.ipv4.ip_forward": "0"}, {OURS: f"{HEADER}\nnet.ipv4.ip_forward = 0\n"}, later_writers=("docker",)
    )
    plan = make_plan(policy(wanted("net.ipv4.ip_forward", "0")), host, OPTIONS)
    (setting,) = plan.settings
    assert (setting.at_boot, setting.at_boot_unknown) == (None, "later_writer: docker")
    assert setting.is_drift
    assert "later_writer: docker" in plan.refusals[0]


def test_a_service_that_writes_the_same_value_is_no_matter() -> None:
    host = reading(
        {"net.ipv4.ip_forward": "1"}, {OURS: f"{HEADER}\nnet.ipv4.ip_forward = 1\n"}, later_writers=("docker",)
    )
    (setting,) = make_plan(policy(wanted("net.ipv4.ip_forward", "1")), host, OPTIONS).settings
    assert (setting.verdict, setting.at_boot) == (Verdict.OK, "1")


def test_ufw_is_read_by_its_own_file() -> None:
    host = reading(
        {"net.ipv4.conf.all.log_martians": "1"},
        {
            OURS: f"{HEADER}\nnet.ipv4.conf.all.log_martians = 1\n",
            "/etc/ufw/sysctl.conf": "net/ipv4/conf/all/log_martians=0\n",
        },
        later_writers=("ufw",),
    )
    (setting,) = make_plan(policy(wanted("net.ipv4.conf.all.log_martians", "1")), host, OPTIONS).settings
    assert setting.at_boot_unknown == "later_writer: ufw"


def test_the_kernels_command_line_sets_what_no_file_does() -> None:
    host = reading({"kernel.panic": "10"}, command_line="quiet sysctl.kernel.panic=10")
    (setting,) = make_plan(policy(wanted("kernel.panic", "10")), host, OPTIONS).settings
    assert setting.at_boot == "10"
    assert setting.winner is not None
    assert setting.winner.file == "/proc/cmdline"


def test_a_secret_that_is_never_read_back_is_refused_before_it_is_written() -> None:
    key = "net.ipv6.conf.eth0.stable_secret"
    host = reading({key: RunningState.UNSET})
    plan = make_plan(policy(wanted(key, "2001:db8::1")), host, OPTIONS)
    assert any("never read back" in refusal for refusal in plan.refusals)
    assert "2001:db8::1" not in str(plan.refusals)


@pytest.mark.parametrize(
    ("treatment", "drifted", "in_file", "blocked"),
    [
        (Treatment.LEAVE_OUT, False, False, False),
        (Treatment.KEEP, True, True, False),
        (Treatment.BLOCK, False, False, True),
    ],
)
def test_a_key_that_is_not_there_is_treated_as_the_settings_say(
    treatment: Treatment, *, drifted: bool, in_file: bool, blocked: bool
) -> None:
    key = "kernel.io_uring_disabled"
    host = reading({key: RunningState.ABSENT}, kernel="5.10.0")
    options = replace(OPTIONS, missing={**USUAL, Reason.KERNEL_TOO_OLD: treatment})
    plan = make_plan(policy(wanted(key, "2")), host, options)
    (setting,) = plan.settings
    assert (setting.verdict, setting.is_drift) == (Verdict.MISSING, drifted)
    assert (plan.file.after is not None and key.encode() in plan.file.after) is in_file
    assert bool(plan.conflicts) is blocked
    assert ("left out: 1 for newer kernels" in plan.notes) is (treatment is Treatment.LEAVE_OUT)


@pytest.mark.parametrize(("loader", "refused"), [(Loader.ALPINE, True), (Loader.SYSTEMD, False)])
def test_a_file_of_somebody_else_that_the_loader_stops_at_is_a_conflict(loader: Loader, *, refused: bool) -> None:
    host = reading(
        {"net.ipv4.tcp_sack": "1", "kernel.panic": "10"},
        {"/etc/sysctl.d/10-theirs.conf": "kernel.panic = ten\nnet.ipv4.tcp_sack = 1\n"},
        loader=loader,
    )
    plan = make_plan(policy(wanted("net.ipv4.tcp_sack", "0")), host, OPTIONS)
    assert any("/etc/sysctl.d/10-theirs.conf:1" in refusal for refusal in plan.refusals) is refused


def test_a_key_of_a_module_that_is_not_loaded_has_no_value_at_boot_whatever_files_say() -> None:
    key = "net.bridge.bridge-nf-call-iptables"
    host = reading({key: RunningState.ABSENT}, {"/etc/sysctl.d/a.conf": f"{key} = 0\n"})
    (setting,) = make_plan(policy(wanted(key, "0")), host, OPTIONS).settings
    assert (setting.verdict, setting.at_boot, setting.at_boot_unknown) == (Verdict.MISSING, None, "no_key")
    assert setting.is_drift


def test_a_winner_in_run_comes_with_a_warning() -> None:
    rival = {"/run/sysctl.d/99-zzz.conf": "kernel.panic = 3\n"}
    host = reading({"kernel.panic": "10"}, ours("kernel.panic = 10") | rival)
    (setting,) = make_plan(policy(wanted("kernel.panic", "10")), host, OPTIONS).settings
    assert setting.verdict is Verdict.SHADOWED
    assert any("a boot empties /run" in note for note in setting.notes)
