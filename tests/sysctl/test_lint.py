"""What lint says of a file by itself: each rule by a file that breaks it and by one that does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.sysctl.lint import RULES, Finding, lint

ARTICLE = Path(__file__).parents[1] / "data/article.conf"


def found(*texts: str) -> list[tuple[str, int, int]]:
    """Rule, line and column of every finding in files called a, b, c …"""
    files = [(chr(ord("a") + number), text.encode()) for number, text in enumerate(texts)]
    return [(one.rule, one.line, one.column) for one in lint(files)]


def rules(text: str) -> set[str]:
    return {rule for rule, _, _ in found(text)}


def only(rule: str, text: str) -> Finding:
    hits = [one for one in lint([("x.conf", text.encode())]) if one.rule == rule]
    assert len(hits) == 1, hits
    return hits[0]


BROKEN = {
    "no-assignment": "just words\n",
    "byte-order-mark": "\ufeffkernel.panic = 10\n",
    "proc-path": "/proc/sys/kernel/panic = 10\n",
    "interface-dot": "net.ipv4.conf.eth0.100.log_martians = 1\n",
    "unknown-key": "net.ipv4.tcp_syncookis = 1\n",
    "gone-key": "net.ipv4.tcp_tw_recycle = 0\n",
    "read-only-key": "net.ipv4.tcp_available_congestion_control = cubic\n",
    "no-value": "kernel.panic =\n",
    "refused-value": "kernel.panic = ten\n",
    "out-of-range": "net.ipv4.ip_forward = 8\n",
    "octal": "kernel.panic = 010\n",
    "inline-comment": "kernel.panic = 10 # seconds\n",
    "short-tuple": "net.ipv4.tcp_rmem = 4096 87380\n",
    "duplicate": "kernel.panic = 10\nkernel.panic = 10\n",
    "same-variable": "net.ipv4.ip_forward = 1\nnet.ipv4.conf.all.forwarding = 0\n",
    "order": "net.ipv4.conf.all.accept_redirects = 0\nnet.ipv4.ip_forward = 0\n",
    "explicit-beats-glob": "net.ipv4.conf.eth0.log_martians = 0\nnet.ipv4.conf.*.log_martians = 1\n",
    "all-only": "net.ipv6.conf.all.accept_redirects = 0\n",
    "no-effect": "net.ipv4.conf.all.secure_redirects = 1\n",
    "one-way": "kernel.modules_disabled = 1\n",
    "destructive": "net.ipv6.conf.all.disable_ipv6 = 1\n",
    "cuts-ssh": "net.ipv6.conf.default.accept_ra = 0\n",
    "secret": "net.ipv4.tcp_fastopen_key = 00000000-00000000-00000000-00000000\n",
    "one-loader": "-kernel.panic = 10\n",
}


@pytest.mark.parametrize("rule", BROKEN)
def test_each_rule_finds_the_file_that_breaks_it(rule: str) -> None:
    assert rule in rules(BROKEN[rule])


def test_every_rule_has_a_file_that_breaks_it() -> None:
    assert BROKEN.keys() | {"not-utf-8"} == RULES.keys()


def test_bytes_that_are_no_text_are_found() -> None:
    assert [one.rule for one in lint([("a", b"# caf\xe9\n")])] == ["not-utf-8"]


CLEAN = """\
# Comments, blank lines and good settings.

net.ipv4.ip_forward = 0
kernel.panic = 10
net.ipv4.conf.all.accept_redirects = 0
net.ipv4.conf.default.accept_redirects = 0
net.ipv4.conf.eth0.accept_redirects = 0
net.ipv4.conf.all.send_redirects = 0
net.ipv4.conf.default.send_redirects = 0
net.ipv4.conf.eth0/100.send_redirects = 0
net.ipv4.conf.all.log_martians = 1
net.ipv4.tcp_rmem = 4096 131072 6291456
net.ipv4.tcp_syncookies = 1
"""


def test_a_good_file_gives_nothing_but_what_its_keys_can_do() -> None:
    assert rules(CLEAN) <= {"cuts-ssh"}
    assert rules(CLEAN.replace("net.ipv4.tcp_rmem = 4096 131072 6291456\n", "")) == set()


def test_the_article_is_found_wrong_where_it_is() -> None:
    findings = lint([("article.conf", ARTICLE.read_bytes())])
    assert [(one.rule, one.line) for one in findings] == [
        ("all-only", 2),
        ("order", 2),
        ("all-only", 3),
        ("unknown-key", 7),
        ("no-effect", 14),
        ("duplicate", 23),
    ]
    assert "net.ipv6.conf.all.forwarding" in findings[3].hint
    assert "article.conf:6" in findings[1].message
    assert "article.conf:10" in findings[5].message


def test_forwarding_before_redirects_is_the_right_order() -> None:
    assert "order" not in rules("net.ipv4.ip_forward = 0\nnet.ipv4.conf.all.accept_redirects = 0\n")
    assert "order" not in rules("net.ipv4.conf.all.accept_redirects = 0\nnet.ipv4.ip_forward = 1\n")


def test_an_order_goes_wrong_across_files_too() -> None:
    assert ("order", 1, 1) in found("net.ipv4.conf.all.accept_redirects = 0\n", "net.ipv4.ip_forward = 0\n")


def test_repeating_the_line_after_the_mover_does_not_help() -> None:
    text = "net.ipv4.conf.all.accept_redirects = 0\nnet.ipv4.ip_forward = 0\nnet.ipv4.conf.all.accept_redirects = 0\n"
    assert {"order", "duplicate"} <= rules(text)


def test_an_upper_limit_below_its_lower_one_is_refused_whatever_the_order() -> None:
    assert "order" in rules("net.ipv4.ipfrag_high_thresh = 100\nnet.ipv4.ipfrag_low_thresh = 200\n")
    assert "order" not in rules("net.ipv4.ipfrag_high_thresh = 200\nnet.ipv4.ipfrag_low_thresh = 100\n")


def test_halves_that_zero_each_other_are_told_to_be_one() -> None:
    one = only("order", "vm.dirty_bytes = 100000000\nvm.dirty_ratio = 10\n")
    assert one.hint.startswith("keep one of the two")


@pytest.mark.parametrize(
    ("key", "value", "enough"),
    [
        ("net.ipv4.conf.all.accept_source_route", "0", True),
        ("net.ipv4.conf.all.accept_source_route", "1", False),
        ("net.ipv4.conf.all.send_redirects", "0", False),
        ("net.ipv4.conf.all.log_martians", "1", True),
        ("net.ipv4.conf.all.rp_filter", "2", True),
        ("net.ipv4.conf.all.rp_filter", "1", False),
        ("net.ipv6.conf.all.accept_ra", "1", False),
        ("net.ipv6.conf.all.disable_ipv6", "0", True),
    ],
)
def test_all_alone_is_enough_only_where_the_kernels_rule_says_so(key: str, value: str, *, enough: bool) -> None:
    assert ("all-only" not in rules(f"{key} = {value}\n")) is enough


def test_a_glob_speaks_for_default_and_interfaces() -> None:
    assert "all-only" not in rules("net.ipv6.conf.all.accept_redirects = 0\nnet.ipv6.conf.*.accept_redirects = 0\n")


def test_places_are_those_of_the_key_and_of_the_value() -> None:
    assert ("octal", 2, 18) in found("# x\n  kernel.panic = 010\n")
    assert ("unknown-key", 1, 3) in found("  kernel.no_such_thing=1\n")


def test_octal_says_what_is_read_and_what_to_write() -> None:
    one = only("octal", "kernel.panic = 010\n")
    assert "8" in one.message
    assert one.hint == "write 10 or 8"


def test_the_loaders_that_reject_a_line_are_named() -> None:
    said = only("one-loader", "net.ipv4.conf.*.log_martians = 1\n").message
    assert "BusyBox" in said
    assert "systemd" not in said


def test_settings_that_are_wrong_for_good_do_not_hide_behind_a_dash() -> None:
    assert "unknown-key" in rules("-net.ipv4.nothing_of_that_name = 1\n")


@given(st.lists(st.binary(max_size=200), max_size=3))
def test_nothing_makes_it_fail(contents: list[bytes]) -> None:
    for one in lint([(str(number), content) for number, content in enumerate(contents)]):
        assert one.rule in RULES
        assert one.line >= 1
        assert one.column >= 1


_WORDS = st.sampled_from(
    [
        "net.ipv4.conf.all.rp_filter = 1",
        "net/ipv4/conf/eth0.1/rp_filter=2",
        "-net.ipv4.conf.*.rp_filter",
        "net.ipv4.tcp_rmem = 1 2",
        "vm.dirty_ratio = x",
        "= 1",
        "- . = ",
        "net.ipv6.conf.[a = 1",
        "kernel.sem = 0x10 010 # y",
    ]
)


@given(st.lists(_WORDS))
def test_lines_of_any_kind_together_make_it_fail_neither(lines: list[str]) -> None:
    lint([("a.conf", "\n".join(lines).encode())])
