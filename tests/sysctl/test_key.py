import fnmatch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.sysctl.key import (
    Key,
    file_key,
    interface_of,
    is_glob,
    key_from_path,
    key_path,
    matches,
    parse_key,
    with_interface,
)

_component = st.text("abz019_-.*", min_size=1, max_size=6).filter(lambda text: text.strip("."))
_paths = st.lists(_component, min_size=1, max_size=4).map(lambda parts: "/".join(["net", *parts]))


@pytest.mark.parametrize(
    ("typed", "key"),
    [
        ("net.ipv4.ip_forward", "net.ipv4.ip_forward"),
        ("net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        ("/net/ipv4/ip_forward", "net.ipv4.ip_forward"),
        ("net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.eth0/100.rp_filter"),
        ("net/ipv4/conf/eth0.100/rp_filter", "net.ipv4.conf.eth0/100.rp_filter"),
        (" kernel.sysrq\t", "kernel.sysrq"),
    ],
)
def test_the_first_separator_decides_how_a_key_is_read(typed: str, key: str) -> None:
    assert parse_key(typed) == key


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("", "empty"),
        ("/", "empty"),
        ("net..ip_forward", "empty component"),
        ("net.ipv4.", "empty component"),
        ("net/../../etc/passwd", "leaves /proc/sys"),
        ("net.//.kernel", "leaves /proc/sys"),
        ("net.ipv4\n.ip_forward", "control character"),
        ("net.ipv4.\x1b[2J", "control character"),
        ("net.ip v4", "white space"),
    ],
)
def test_what_is_no_key_is_refused_with_one_sentence(typed: str, why: str) -> None:
    with pytest.raises(ValueError, match=why) as caught:
        parse_key(typed)
    sentence = str(caught.value)
    assert sentence[0].islower()
    assert "\n" not in sentence
    assert not sentence.endswith(".")


def test_a_line_in_a_file_may_repeat_separators_as_the_loaders_allow() -> None:
    assert file_key("net.ipv4..ip_forward") == file_key("//net/ipv4/ip_forward/") == "net.ipv4.ip_forward"
    with pytest.raises(ValueError, match="leaves /proc/sys"):
        file_key("net/../kernel/sysrq")


@given(_paths)
def test_path_and_key_are_each_others_inverse(path: str) -> None:
    key = key_from_path("/proc/sys/" + path)
    assert key_path(key) == path
    assert parse_key(key) == key


def test_the_interface_of_a_key_comes_under_its_real_name() -> None:
    assert interface_of(Key("net.ipv4.conf.eth0/100.rp_filter")) == "eth0.100"
    assert interface_of(Key("net.ipv6.neigh.default.gc_thresh1")) == "default"
    assert interface_of(Key("net.ipv6.conf.all.forwarding")) == "all"
    assert interface_of(Key("net.ipv4.ip_forward")) is None
    assert interface_of(Key("net.ipv4.route.conf.eth0.x")) is None


@given(st.text("abe01.-@", min_size=1, max_size=15).filter(lambda name: name.strip(".")))
def test_a_key_moves_to_another_interface_and_back(name: str) -> None:
    key = Key("net.ipv4.conf.eth0.rp_filter")
    moved = with_interface(key, name)
    assert interface_of(moved) == name
    assert key_path(moved) == f"net/ipv4/conf/{name}/rp_filter"
    assert with_interface(moved, "eth0") == key


def test_a_key_of_no_interface_stays_as_it_is() -> None:
    assert with_interface(Key("net.core.somaxconn"), "eth0") == "net.core.somaxconn"


@pytest.mark.parametrize(
    ("pattern", "fits", "fits_not"),
    [
        ("net.ipv4.conf.*.rp_filter", "net.ipv4.conf.eth0/1.rp_filter", "net.ipv4.conf.a.b.rp_filter"),
        ("net.ipv4.conf.eth?.rp_filter", "net.ipv4.conf.eth1.rp_filter", "net.ipv4.conf.eth10.rp_filter"),
        ("net.ipv4.conf.[!a]*.x", "net.ipv4.conf.eth0.x", "net.ipv4.conf.all.x"),
        ("net.ipv4.conf.[a-e]*.x", "net.ipv4.conf.eth0.x", "net.ipv4.conf.wg0.x"),
        ("net.*.ip_forward", "net.ipv4.ip_forward", "net.ipv4.x.ip_forward"),
        ("kernel.[x", "kernel.[x", "kernel.x"),
        ("kernel.a+b", "kernel.a+b", "kernel.aab"),
    ],
)
def test_a_wildcard_never_crosses_a_component(pattern: str, fits: str, fits_not: str) -> None:
    assert matches(Key(pattern), Key(fits))
    assert not matches(Key(pattern), Key(fits_not))
    assert is_glob(pattern) == any(mark in pattern for mark in "*?[")


@given(st.text("ab[]!-*?^\\", max_size=8), st.text("ab[]!-^\\", max_size=5))
def test_within_one_component_patterns_match_as_in_a_shell(pattern: str, name: str) -> None:
    # A class that begins with ] or ^ is where fnmatch and glob(7) part; keys never hold one.
    if "[]" in pattern or "[!]" in pattern or "^" in pattern or "\\" in pattern:
        return
    assert matches(Key(f"a.{pattern}"), Key(f"a.{name}")) == fnmatch.fnmatchcase(name, pattern)
