"""Below the table: equal differences once, however many hosts and interfaces have them."""

from __future__ import annotations

import msgspec

from sysfleet.outcome import HostOutcome, Status
from sysfleet.planning.verdict import Verdict
from sysfleet.report.changes import changes
from sysfleet.report.detail import detail
from sysfleet.report.interfaces import fold_interfaces
from tests.report.rows import ORIGIN, PATH, drifted, ok, setting, unreachable

FORWARD = "net.ipv4.ip_forward"
DIFF = f"--- {PATH}\n+++ {PATH}\n@@ -0,0 +1 @@\n+net.ipv4.ip_forward = 0\n"


def test_equal_drift_stands_once_under_all_its_hosts() -> None:
    rows = [drifted(f"web{number}", setting(FORWARD)) for number in (1, 2, 3, 7)]
    other = drifted("web9", setting(FORWARD, running="2", boot_winner=None, origin=None))
    assert detail([other, *rows, ok("web8"), unreachable("db1")]) == (
        "4 hosts: web[1-3,7]\n"
        "  key                  wanted  running  at boot  winner at boot                 verdict  wanted by\n"
        "  net.ipv4.ip_forward  0       1        1        /etc/sysctl.d/99-local.conf:3  change   "
        "templates/web.conf.j2:12 (role web)\n"
        "\n"
        "1 host: web9\n"
        "  key                  wanted  running  at boot  verdict\n"
        "  net.ipv4.ip_forward  0       2        1        change\n"
    )


def test_what_hosts_share_stands_apart_from_what_only_one_of_them_has() -> None:
    rows = [drifted("web1", setting("net.a"), setting("net.b")), drifted("web2", setting("net.b"))]
    blocks = [block.splitlines() for block in detail(rows).split("\n\n")]
    assert [(block[0], block[2].split()[0]) for block in blocks] == [
        ("2 hosts: web[1-2]", "net.b"),
        ("1 host: web1", "net.a"),
    ]


def test_two_thousand_interfaces_are_one_line() -> None:
    keys = [f"net.ipv4.conf.eth{number}.accept_redirects" for number in range(2000)]
    text = detail([drifted("big1", setting("net.ipv4.conf.all.accept_redirects"), *map(setting, keys))])
    assert [line.split()[0:2] for line in text.splitlines()[2:]] == [
        ["net.ipv4.conf.all.accept_redirects", "0"],
        ["net.ipv4.conf.{eth0…eth1999", "(2000)}.accept_redirects"],
    ]


def test_a_glob_is_shown_by_the_interfaces_that_differ_one_line_a_value() -> None:
    interfaces = {f"eth{number}": "1" for number in range(10)} | {"eth10": "2", "eth11\x1b[2J": "2"}
    row = drifted("big1", setting("net.ipv4.conf.eth*.accept_redirects", running="0", interfaces=interfaces))
    shown = [line.split("  ")[1] for line in detail([row]).splitlines()[2:]]
    assert shown == [
        "net.ipv4.conf.{eth0…eth9 (10)}.accept_redirects",
        "net.ipv4.conf.{eth10,eth11\\x1b[2J}.accept_redirects",
    ]
    written = [line.split("  ")[1] for line in changes([row]).splitlines()[2:4]]
    assert written == shown


def test_interfaces_with_other_values_have_their_own_line() -> None:
    lines = [
        (f"net.ipv6.conf.{name}.accept_ra", (value,)) for name, value in (("eth0", "2"), ("lo", "1"), ("v/7", "2"))
    ]
    assert fold_interfaces(lines) == [
        ("net.ipv6.conf.{eth0,v/7}.accept_ra", ("2",)),
        ("net.ipv6.conf.lo.accept_ra", ("1",)),
    ]


def test_a_floor_stands_as_the_policy_says_it_and_not_as_the_value_it_settles_to() -> None:
    chain = (msgspec.structs.replace(ORIGIN, value=">= 4096"),)
    row = drifted(
        "web1",
        setting(
            "net.core.somaxconn",
            wanted="9000",
            constraint="at_least",
            asked=">= 4096",
            chain=chain,
        ),
    )
    assert detail([row]).splitlines()[2].split()[1:3] == [">=", "4096"]
    assert changes([row]).splitlines()[2].split()[1:3] == ["1", "9000"]


def test_verdicts_that_another_hides_stand_beside_it() -> None:
    row = drifted("web1", setting(FORWARD, Verdict.SHADOWED, notes=("change",), why="99-x.conf:1 wins at boot with 1"))
    lines = detail([row]).splitlines()
    assert "  shadowed+change  " in lines[2]
    assert lines[3] == "      99-x.conf:1 wins at boot with 1"
    assert changes([row]).splitlines()[1:] == [
        "  key                  now  then  wanted by",
        "  net.ipv4.ip_forward  1    0     templates/web.conf.j2:12 (role web)",
        "  net.ipv4.ip_forward: wanted 0, at boot 1 by /etc/sysctl.d/99-local.conf:3",
    ]


def test_values_that_run_as_wanted_are_no_writes() -> None:
    row = drifted("web1", setting(FORWARD, running="0"), diff=DIFF)
    assert changes([row]).splitlines()[1] == f"  --- {PATH}"


def test_why_and_notes_stand_below_their_key() -> None:
    text = detail([drifted("web1", setting(FORWARD, Verdict.LOCKED, why="until reboot", notes=("a note",)))])
    assert text.splitlines()[3:] == ["      until reboot", "      a note"]


def test_a_host_whose_file_alone_differs_is_told_too() -> None:
    assert detail([drifted("web1", diff=DIFF)]).splitlines()[2].split() == [PATH, "file", "differs"]


def test_a_plan_shows_writes_diff_and_notes_once_for_equal_hosts() -> None:
    rows = [
        drifted(f"web{number}", setting(FORWARD), diff=DIFF, notes=("ip_forward resets other keys",))
        for number in range(1, 213)
    ]
    assert changes(rows) == (
        "212 hosts: web[1-212]\n"
        "  key                  now  then  wanted by\n"
        "  net.ipv4.ip_forward  1    0     templates/web.conf.j2:12 (role web)\n"
        f"  --- {PATH}\n"
        f"  +++ {PATH}\n"
        "  @@ -0,0 +1 @@\n"
        "  +net.ipv4.ip_forward = 0\n"
        "  note: ip_forward resets other keys\n"
    )


def test_a_plan_keeps_the_order_of_the_writes() -> None:
    keys = ["net.z", "net.a", "net.m"]
    lines = changes([drifted("web1", *map(setting, keys))]).splitlines()
    assert [line.split()[0] for line in lines[2:]] == keys


def test_a_plan_says_what_cannot_be_written_and_why() -> None:
    missing = setting(FORWARD, Verdict.MISSING, running=None, why="module not loaded")
    assert "  net.ipv4.ip_forward: missing, module not loaded\n" in changes([drifted("web1", missing)])


def test_hosts_that_failed_or_need_nothing_have_no_change() -> None:
    assert changes([ok("web1"), unreachable("db1"), HostOutcome("web2", (), Status.SKIPPED)]) == ""


def test_a_diff_cannot_move_the_cursor() -> None:
    text = changes([drifted("web1", diff="+a\x1b[2J\r\tb\n")], colour=True)
    assert "\x1b[32m+a\\x1b[2J\x1b[0m" in text
