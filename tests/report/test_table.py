"""The table's exact text."""

from __future__ import annotations

from sysfleet.outcome import HostOutcome, Status, report
from sysfleet.planning.verdict import Verdict
from sysfleet.report.table import errors, summary, table
from tests.report.rows import drifted, ok, setting, unreachable

REDIRECTS = "net.ipv4.conf.all.accept_redirects"


def test_the_table_has_a_row_for_each_host_in_the_order_given() -> None:
    rows = [
        drifted("web1", setting(REDIRECTS), setting("net.ipv4.ip_forward")),
        ok("web2"),
        unreachable("db1", "10.0.0.7 port 22: connection refused"),
    ]
    assert table(rows, width=100) == (
        "host  roles  status       changes  loader      time  why\n"
        "web1  web    drifted            2  systemd   0.10 s  accept_redirects: wanted 0, running 1 (+1)\n"
        "web2  web    ok                 0  procps    0.05 s\n"
        "db1   db     unreachable                    10.00 s  10.0.0.7 port 22: connection refused\n"
    )


def test_a_narrow_terminal_cuts_the_reason_and_nothing_else() -> None:
    text = table([drifted("web1", setting(REDIRECTS))], width=80)
    assert text.splitlines()[1] == "web1  web    drifted        1  systemd  0.10 s  accept_redirects: wanted 0, run…"


def test_without_a_width_the_whole_reason_stands_there() -> None:
    assert table([unreachable("db1", "x" * 500)]).endswith("x" * 500 + "\n")


def test_long_names_keep_the_columns_aligned() -> None:
    name = "h" * 200
    heading, *lines = table([ok(name), drifted("web1", setting(REDIRECTS))], width=80).splitlines()
    assert heading.index("roles") == len(name) + 2
    assert [line[heading.index("status") :].split()[0] for line in lines] == ["ok", "drifted"]


def test_only_the_status_is_coloured() -> None:
    rows = [ok("web1"), drifted("web2", setting(REDIRECTS)), unreachable("db1")]
    coloured = table(rows, width=100, colour=True)
    assert "\x1b[32mok " in coloured
    assert "\x1b[33mdrifted " in coloured
    assert "\x1b[31munreachable\x1b[0m" in coloured
    plain = coloured
    for code in ("\x1b[32m", "\x1b[33m", "\x1b[31m", "\x1b[0m"):
        plain = plain.replace(code, "")
    assert [line.rstrip() for line in plain.splitlines()] == table(rows, width=100).splitlines()


def test_nothing_that_a_host_says_reaches_the_terminal_as_a_command() -> None:
    evil = "\x1b]0;owned\x07\r\n\u202e"
    row = HostOutcome(evil, (evil,), Status.BLOCKED, loader=evil, notes=(evil,))
    told = report("r", "check", [row, unreachable(f"db{evil}", evil, evil)], [evil])
    for text in (table(told.hosts), summary(told), errors(told.hosts)):
        assert text.replace("\n", "").isprintable()
    assert table(told.hosts).count("\n") == 3


def test_reasons_say_what_differs_in_a_few_words() -> None:
    def why(verdict: Verdict, **fields: object) -> str:
        return table([drifted("web1", setting(REDIRECTS, verdict, **fields))]).splitlines()[1].split("s  ")[-1]

    assert why(Verdict.CHANGE) == "accept_redirects: wanted 0, running 1"
    assert why(Verdict.CHANGE, running="0") == "accept_redirects: wanted 0, at boot 1"
    assert why(Verdict.CHANGE, interfaces={"eth0": "0", "eth1": "2"}).endswith("wanted 0, running 2")
    assert why(Verdict.SHADOWED) == "accept_redirects: wanted 0, at boot 1 by /etc/sysctl.d/99-local.conf:3"
    assert why(Verdict.MISSING, why="module not loaded") == "accept_redirects: missing, module not loaded"
    assert why(Verdict.RELEASED) == "accept_redirects: no longer asked for"
    unknown = {"at_boot": None, "at_boot_unknown": "later_writer: ufw", "running": "0"}
    assert why(Verdict.CHANGE, **unknown) == "accept_redirects: wanted 0, at boot ? later_writer: ufw"


def test_the_reason_is_first_of_all_a_value_that_would_be_written() -> None:
    row = drifted("web1", setting("net.a", running="0"), setting("net.b"), setting("net.c"))
    assert table([row]).endswith("b: wanted 0, running 1 (+2)\n")


def test_a_row_that_differs_in_its_file_alone_says_so() -> None:
    assert table([drifted("web1", diff="+x\n")]).endswith("the file differs\n")


def test_the_summary_counts_every_status_and_names_stand_ins() -> None:
    rows = [ok("web1", stand_in=True), ok("web2", stand_in=True), unreachable("db1")]
    assert summary(report("r", "check", rows)) == (
        "3 hosts: 2 ok, 1 unreachable\na folder stands in for the kernel on 2 hosts: web[1-2]\n"
    )
    assert summary(report("r", "check", [ok("web1")])) == "1 host: 1 ok\n"


def test_equal_errors_stand_once_with_their_hosts_and_hint() -> None:
    rows = [unreachable(f"web{number}", hint="is sshd running?") for number in (1, 2, 3, 7)]
    assert errors([*rows, ok("web9"), unreachable("db1", "no such address")]) == (
        "web[1-3,7]: connect: connection refused\n    hint: is sshd running?\ndb1: connect: no such address\n"
    )
    assert errors([ok("web1")]) == ""
