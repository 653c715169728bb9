import re
from pathlib import Path

import msgspec
import pytest

from sysfleet.sysctl import knowledge
from sysfleet.sysctl.key import Key, parse_key
from sysfleet.sysctl.knowledge import (
    Knowledge,
    every,
    is_destructive,
    is_one_way,
    lookup,
    moves,
    moves_key,
    suggest,
)

_FILE = Path(knowledge.__file__).with_name("keys.json")
_ARTICLE = (
    "net.ipv4.conf.all.accept_redirects",
    "net.ipv6.conf.all.accept_redirects",
    "net.ipv4.ip_forward",
    "net.ipv4.tcp_syncookies",
    "net.core.somaxconn",
    "net.ipv4.tcp_max_syn_backlog",
    "net.ipv4.icmp_echo_ignore_broadcasts",
    "net.ipv4.icmp_ignore_bogus_error_responses",
    "net.ipv4.tcp_tw_reuse",
    "net.ipv4.tcp_rfc1337",
    "net.ipv4.tcp_fin_timeout",
)


def test_the_data_file_keeps_to_its_schema_and_its_order() -> None:
    records = msgspec.json.decode(_FILE.read_bytes(), type=list[Knowledge], strict=True)
    patterns = [record.pattern for record in records]
    assert patterns == sorted(set(patterns))
    lines = _FILE.read_text().splitlines()
    assert len(lines) == len(records) + 2, "one record a line, so that a change is one line"


@pytest.mark.parametrize("record", list(every().values()), ids=lambda record: record.pattern)
def test_every_record_holds_together(record: Knowledge) -> None:
    assert parse_key(record.pattern) == record.pattern
    if record.minimum is not None and record.maximum is not None:
        assert record.minimum <= record.maximum
    if record.type != "tuple":
        assert record.length == 1
    if record.type == "bool":
        assert (record.minimum, record.maximum) == (0, 1)
    if record.combine != "none":
        assert ".*." in record.pattern
    for alias in record.aliases:
        assert lookup(alias) is not None
    for text in (record.meaning, record.note):
        assert text.isprintable()
    if record.meaning:
        assert re.fullmatch(r"[A-Z].*\.", record.meaning)


@pytest.mark.parametrize("key", _ARTICLE)
def test_the_articles_keys_have_a_plain_sentence(key: str) -> None:
    known = lookup(Key(key))
    assert known is not None
    assert known.meaning


def test_a_key_on_any_interface_and_a_glob_over_them_is_the_same_record() -> None:
    on_vlan = lookup(Key("net.ipv4.conf.eth0/100.rp_filter"))
    assert on_vlan is not None
    assert on_vlan.combine == "max"
    assert lookup(Key("net.ipv4.conf.e*.rp_filter")) is on_vlan
    assert lookup(Key("net.ipv4.conf.e*.no_such")) is None
    assert lookup(Key("no.such")) is None


def test_ranges_are_ours_where_the_kernel_checks_nothing() -> None:
    known = lookup(Key("net.ipv4.conf.all.rp_filter"))
    assert known is not None
    assert (known.minimum, known.maximum) == (0, 2)
    assert (known.kernel_minimum, known.kernel_maximum) == (None, None)


@pytest.mark.parametrize(
    ("key", "value", "one_way", "destructive"),
    [
        ("kernel.modules_disabled", "1", True, False),
        ("kernel.modules_disabled", "0", False, False),
        ("kernel.yama.ptrace_scope", "2", False, False),
        ("kernel.yama.ptrace_scope", "3", True, False),
        ("kernel.unprivileged_bpf_disabled", "2", False, False),
        ("kernel.unprivileged_bpf_disabled", "1", True, False),
        ("net.ipv6.conf.eth0.disable_ipv6", "1", False, True),
        ("net.ipv6.conf.eth0.disable_ipv6", "0", False, False),
        ("dev.tty.ldisc_autoload", "0", False, False),
        ("no.such", "1", False, False),
    ],
)
def test_what_cannot_be_taken_back_is_known_by_value(key: str, value: str, *, one_way: bool, destructive: bool) -> None:
    assert is_one_way(Key(key), value) is one_way
    assert is_destructive(Key(key), value) is destructive


@pytest.mark.parametrize(
    ("mover", "victim"),
    [
        ("net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"),
        ("net.ipv4.ip_forward", "net.ipv4.conf.eth0.forwarding"),
        ("net.ipv4.ip_forward", "net.ipv4.conf.all.accept_redirects"),
        ("net.ipv4.conf.all.forwarding", "net.ipv4.ip_forward"),
        ("net.ipv4.conf.*.forwarding", "net.ipv4.conf.all.accept_redirects"),
        ("net.ipv6.conf.all.forwarding", "net.ipv6.conf.eth0.force_forwarding"),
        ("net.ipv6.conf.all.disable_ipv6", "net.ipv6.conf.default.disable_ipv6"),
        ("net.ipv6.conf.default.stable_secret", "net.ipv6.conf.eth0.addr_gen_mode"),
        ("net.ipv6.conf.eth0.stable_secret", "net.ipv6.conf.eth0.addr_gen_mode"),
        ("net.ipv4.conf.default.rp_filter", "net.ipv4.conf.eth0.rp_filter"),
        ("vm.dirty_bytes", "vm.dirty_ratio"),
        ("net.nf_conntrack_max", "net.netfilter.nf_conntrack_max"),
        ("net.ipv4.neigh.eth0.retrans_time_ms", "net.ipv4.neigh.eth0.retrans_time"),
    ],
)
def test_what_a_write_can_move_is_known(mover: str, victim: str) -> None:
    assert moves(Key(mover))
    assert moves_key(Key(mover), Key(victim))


@pytest.mark.parametrize(
    ("mover", "stays"),
    [
        ("net.ipv4.conf.all.rp_filter", "net.ipv4.conf.eth0.rp_filter"),
        ("net.ipv4.conf.default.rp_filter", "net.ipv4.conf.all.rp_filter"),
        ("net.ipv4.conf.default.forwarding", "net.ipv4.conf.eth0.forwarding"),
        ("net.ipv6.conf.default.accept_ra", "net.ipv6.conf.eth0.accept_ra"),
        ("net.ipv4.ip_forward", "net.ipv4.conf.eth0.accept_redirects"),
        ("net.ipv4.ip_forward", "net.ipv4.ip_forward"),
        ("net.ipv4.neigh.eth0.retrans_time_ms", "net.ipv4.neigh.eth1.retrans_time"),
    ],
)
def test_what_a_write_leaves_alone_is_known(mover: str, stays: str) -> None:
    assert not moves_key(Key(mover), Key(stays))


@pytest.mark.parametrize(
    ("typed", "meant"),
    [
        ("net.ipv6.ip_forward", "net.ipv6.conf.all.forwarding"),
        ("net.ipv4.tcp_syncookie", "net.ipv4.tcp_syncookies"),
        ("net.ipv4.conf.eth0.rp_filte", "net.ipv4.conf.eth0.rp_filter"),
        ("net.ipv4.conf.eth0/1.rpfilter", "net.ipv4.conf.eth0/1.rp_filter"),
        ("kernel.kptr_restricted", "kernel.kptr_restrict"),
        ("net.ipv4.somaxconn", "net.core.somaxconn"),
        ("something.else.entirely", None),
    ],
)
def test_a_misspelt_key_leads_to_the_real_one(typed: str, meant: str | None) -> None:
    assert suggest(Key(typed)) == meant


def test_a_suggestion_keeps_to_the_keys_at_hand() -> None:
    at_hand = [Key("net.ipv4.ip_forward"), Key("kernel.sysrq")]
    assert suggest(Key("net.ipv4.ip_forwardd"), at_hand) == "net.ipv4.ip_forward"
    assert suggest(Key("net.ipv6.ip_forward"), at_hand) != "net.ipv6.conf.all.forwarding"
    assert suggest(Key("net.ipv6.ip_forward"), []) is None


def test_keys_that_are_gone_are_never_suggested() -> None:
    gone = lookup(Key("net.ipv4.tcp_tw_recycle"))
    assert gone is not None
    assert gone.gone
    assert suggest(Key("net.ipv4.tcp_tw_recycl")) != "net.ipv4.tcp_tw_recycle"
