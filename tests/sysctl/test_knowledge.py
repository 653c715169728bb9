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
_SOURCE = re.compile(
    r"measured"
    r"|Documentation/[a-zA-Z0-9_/-]+\.rst"
    r"|[a-z][a-z0-9_]*\([1-8]\)"
    r"|kernel source: [a-zA-Z0-9_/-]+(\.[ch]|/Kconfig)( with Debian's patch)?"
    r"|Ubuntu specification SE045"
)
# Loaders, firewall front ends, container engines and benchmarks have documents of their own.
_FOREIGN = re.compile(
    r"\b(systemd|procps|busybox|openrc|sysctl|ufw|firewalld|tuned|docker|podman|kubernetes|kubelet|libvirt|iptables"
    r"|nftables|ansible|puppet|lynis|cis|stig|kspp)\b",
    re.IGNORECASE,
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
    for text in (record.meaning, record.why, record.source, record.note):
        assert text.isprintable()


def test_every_key_says_in_one_sentence_each_what_it_does_and_why_one_sets_it() -> None:
    texts = {(known.pattern, text) for known in every().values() for text in (known.meaning, known.why)}
    assert [one for one in texts if not 20 <= len(one[1]) <= 240] == []
    assert [one for one in texts if not re.fullmatch(r"[A-Z].*[^.]\.", one[1])] == []
    assert [one for one in texts if re.search(r"[.!?] +[A-Z]", one[1])] == []
    assert [one for one in texts if _FOREIGN.search(one[1])] == []


def test_every_key_names_sources_that_can_be_looked_up() -> None:
    sources = {(known.pattern, source) for known in every().values() for source in known.source.split("; ")}
    assert [one for one in sources if not _SOURCE.fullmatch(one[1])] == []


def test_only_keys_of_one_name_share_a_text() -> None:
    seen: dict[str, Key] = {}
    for known in every().values():
        for text in (known.meaning, known.why):
            other = seen.setdefault(text, known.pattern)
            assert other.rpartition(".")[2] == known.pattern.rpartition(".")[2], (other, known.pattern)
        assert known.meaning != known.why, known.pattern


def _outside(known: Knowledge) -> bool:
    low = [one for one in (known.kernel_minimum, known.minimum) if one is not None]
    high = [one for one in (known.maximum, known.kernel_maximum) if one is not None]
    return [*low, *high] != sorted([*low, *high])


def test_what_we_call_sane_lies_within_what_the_kernel_takes() -> None:
    assert [known.pattern for known in every().values() if known.type != "tuple" and _outside(known)] == []


def test_a_key_that_nobody_can_write_has_no_dangers() -> None:
    read_only = [known for known in every().values() if known.read_only]
    assert [known.pattern for known in read_only if known.one_way or known.destructive or known.write_only] == []
    assert [known.pattern for known in read_only if known.cuts_ssh != "no"] == []


def test_a_module_is_one_that_can_be_loaded() -> None:
    modules = {known.module for known in every().values() if known.module is not None}
    assert {name for name in modules if not re.fullmatch(r"[a-z][a-z0-9_]*", name)} == set()


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
