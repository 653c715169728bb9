import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.sysctl.key import Key
from sysfleet.sysctl.knowledge import every
from sysfleet.sysctl.value import as_int, canonical, problem, refused, same

_keys = st.sampled_from(sorted(every()))
_texts = st.one_of(st.text("0123456789abcdefx-, \t", max_size=20), st.text(max_size=20), st.integers().map(str))


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("0", 0),
        ("10", 10),
        ("010", 8),
        ("0x1F", 31),
        ("-1", -1),
        ("-0x10", -16),
        (" 7\n", 7),
        ("08", None),
        ("+1", None),
        ("", None),
        ("1 2", None),
        ("1.0", None),
        ("0b1", None),
        ("0x", None),
        ("true", None),
        ("\u0661", None),
    ],
)
def test_integers_are_read_by_the_rule_of_c(text: str, number: int | None) -> None:
    assert as_int(text) == number


@pytest.mark.parametrize(
    ("key", "text", "kept"),
    [
        ("net.ipv4.ip_forward", "0x1", "1"),
        ("net.ipv4.tcp_fin_timeout", " 030 ", "24"),
        ("net.ipv4.conf.eth0.rp_filter", "-1", "-1"),
        ("net.ipv4.tcp_rmem", "4096\t131072   6291456", "4096 131072 6291456"),
        ("net.ipv4.ip_local_reserved_ports", "2-5, 1-3,80", "1-5,80"),
        ("net.ipv4.ip_local_reserved_ports", "010,0x20-0x21", "8,32-33"),
        ("net.ipv6.icmp.ratemask", "2,1,0,255", "0-2,255"),
        ("net.ipv4.ping_group_range", "5 1", "1 0"),
        ("net.bridge.bridge-nf-call-iptables", "2", "1"),
        ("kernel.auto_msgmni", "1", "0"),
        ("net.ipv4.tcp_fastopen_key", "1-2-3-A", "00000001-00000002-00000003-0000000a"),
        ("net.ipv4.tcp_fastopen_key", "0-0-0-123456789", "00000000-00000000-00000000-23456789"),
        ("net.ipv6.conf.eth0.stable_secret", "FE80::1", "fe80:0000:0000:0000:0000:0000:0000:0001"),
        ("net.ipv4.icmp_ratelimit", "99999999999", "1215752191"),
        ("kernel.core_pattern", "|/bin/a   b", "|/bin/a b"),
        ("kernel.hostname", "010", "010"),
        ("not.known", "010", "010"),
        ("net.ipv4.ip_forward", "yes", "yes"),
    ],
)
def test_a_value_has_one_form_the_kernels_own(key: str, text: str, kept: str) -> None:
    assert canonical(Key(key), text) == kept


@given(_keys, _texts)
def test_the_canonical_form_of_a_canonical_form_is_itself(key: Key, text: str) -> None:
    once = canonical(key, text)
    assert canonical(key, once) == once
    assert same(key, text, once)


@pytest.mark.parametrize(
    ("key", "wanted", "running", "equal"),
    [
        ("net.ipv4.icmp_ratelimit", "1001", "1004", True),
        ("net.ipv4.icmp_ratelimit", "1", "10", True),
        ("net.ipv4.icmp_ratelimit", "1004", "1001", False),
        ("net.ipv4.icmp_ratelimit", "1000", "1010", False),
        ("net.ipv4.icmp_ratelimit", "0", "4", False),
        ("net.ipv4.neigh.eth0.locktime", "3", "2", True),
        ("net.ipv4.neigh.eth0.locktime", "3", "1", False),
        ("net.ipv4.neigh.eth0.locktime", "2", "3", False),
        ("net.ipv6.neigh.eth0.retrans_time", "3", "2", False),
        ("net.ipv4.tcp_fin_timeout", "30", "31", False),
        ("net.ipv4.tcp_rmem", "1 2 3", "1\t2\t3", True),
        ("kernel.hostname", "a" * 70, "a" * 64, True),
        ("kernel.hostname", "a" * 70, "a" * 63, False),
        ("fs.pipe-max-size", "1000000", "1048576", True),
        ("fs.pipe-max-size", "1", "4096", True),
        ("fs.pipe-max-size", "1048576", "2097152", False),
        ("net.netfilter.nf_conntrack_buckets", "65000", "65024", True),
        ("net.ipv4.ip_forward", "01", "0x1", True),
        ("not.known", "01", "1", False),
    ],
)
def test_values_are_compared_as_the_kernel_keeps_them(key: str, wanted: str, running: str, *, equal: bool) -> None:
    assert same(Key(key), wanted, running) is equal


@pytest.mark.parametrize(
    ("key", "text", "why"),
    [
        ("net.ipv4.ip_forward", "", "empty"),
        ("net.ipv4.ip_forward", " ", "empty"),
        ("net.ipv4.ip_forward", "1\nkernel.sysrq = 1", "control character"),
        ("kernel.core_pattern", "a\x1b", "control character"),
        ("net.ipv4.ip_forward", "yes", "no integer"),
        ("net.ipv4.ip_forward", "1 # on", "no integer"),
        ("net.ipv4.ip_forward", "1 2", "one integer"),
        ("net.ipv4.tcp_rmem", "4096 8192", "3 integers"),
        ("net.ipv4.conf.eth0.rp_filter", "3", "above 2"),
        ("net.ipv4.tcp_fin_timeout", "0", "below 1"),
        ("net.core.somaxconn", "9999999999", "above"),
        ("kernel.core_pattern", "x" * 128, "127 bytes"),
        ("net.ipv4.ip_local_reserved_ports", "5-1", "ranges"),
        ("not.known", "x" * 5000, "one page"),
    ],
)
def test_a_value_that_must_not_be_sent_says_why(key: str, text: str, why: str) -> None:
    found = problem(Key(key), text)
    assert found is not None
    assert why in found


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("net.ipv4.ip_forward", "1"),
        ("net.ipv4.tcp_rmem", "4096\t131072 6291456"),
        ("net.ipv6.conf.default.accept_source_route", "-1"),
        ("kernel.core_pattern", "|/usr/lib/systemd/systemd-coredump %P"),
        ("vm.lowmem_reserve_ratio", "256 256 32 0 0"),
        ("fs.file-max", "9223372036854775807"),
        ("not.known", "whatever it is"),
    ],
)
def test_a_sane_value_may_be_sent(key: str, text: str) -> None:
    assert problem(Key(key), text) is None
    assert not refused(Key(key), text)


@pytest.mark.parametrize(
    ("key", "text", "is_refused"),
    [
        ("net.ipv4.ip_forward", "yes", True),
        ("net.ipv4.ip_forward", "", True),
        ("net.ipv4.ip_forward", "8", False),
        ("net.ipv4.ip_forward", "2147483648", True),
        ("net.ipv4.ip_forward", "1 # short write", False),
        ("net.ipv4.tcp_syncookies", "255", False),
        ("net.ipv4.tcp_syncookies", "256", True),
        ("net.ipv4.tcp_tw_reuse", "3", True),
        ("net.ipv4.tcp_rmem", "4096 x", True),
        ("net.ipv4.ip_local_port_range", "60999 1024", True),
        ("net.ipv4.ip_local_port_range", "60999", False),
        ("net.ipv6.conf.eth0.stable_secret", "secret", True),
        ("kernel.hostname", "", False),
        ("not.known", "x", False),
    ],
)
def test_what_the_kernel_refuses_is_known(key: str, text: str, *, is_refused: bool) -> None:
    assert refused(Key(key), text) is is_refused
