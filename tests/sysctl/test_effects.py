import pytest

from sysfleet.sysctl.effects import apply_write, changes
from sysfleet.sysctl.key import Key

_FORWARDING = {
    Key("net.ipv4.ip_forward"): "1",
    Key("net.ipv4.conf.all.forwarding"): "1",
    Key("net.ipv4.conf.default.forwarding"): "1",
    Key("net.ipv4.conf.eth0.forwarding"): "1",
    Key("net.ipv4.conf.all.accept_redirects"): "0",
    Key("net.ipv4.conf.eth0.accept_redirects"): "0",
}


@pytest.mark.parametrize("key", ["net.ipv4.ip_forward", "net.ipv4.conf.all.forwarding"])
def test_a_change_of_forwarding_copies_itself_and_turns_redirects_for_all(key: str) -> None:
    values = dict(_FORWARDING)
    apply_write(values, Key(key), "0")
    assert values == {
        **dict.fromkeys(_FORWARDING, "0"),
        Key("net.ipv4.conf.all.accept_redirects"): "1",
    }


def test_writing_the_same_forwarding_again_moves_nothing() -> None:
    values = dict(_FORWARDING)
    values[Key("net.ipv4.conf.eth0.forwarding")] = "0"
    before = dict(values)
    apply_write(values, Key("net.ipv4.ip_forward"), "0x1")
    assert values == before


def test_an_interfaces_own_forwarding_moves_nothing_else() -> None:
    assert changes(_FORWARDING, Key("net.ipv4.conf.eth0.forwarding"), "0") == {
        Key("net.ipv4.conf.eth0.forwarding"): "0"
    }


@pytest.mark.parametrize("leaf", ["forwarding", "disable_ipv6", "addr_gen_mode", "ignore_routes_with_linkdown"])
def test_ipv6_copies_from_all_on_every_write(leaf: str) -> None:
    names = [Key(f"net.ipv6.conf.{name}.{leaf}") for name in ("all", "default", "eth0")]
    values = dict(zip(names, "001", strict=True))
    apply_write(values, names[0], "0")
    assert values == dict.fromkeys(names, "0")


def test_ipv6_forwarding_off_takes_forced_forwarding_from_interfaces_alone() -> None:
    forced = [Key(f"net.ipv6.conf.{name}.force_forwarding") for name in ("all", "default", "eth0")]
    values = {Key("net.ipv6.conf.all.forwarding"): "0", **dict.fromkeys(forced, "1")}
    apply_write(values, Key("net.ipv6.conf.all.forwarding"), "0")
    assert [values[key] for key in forced] == ["1", "1", "0"]


def test_a_secret_for_new_interfaces_changes_how_every_interface_makes_addresses() -> None:
    modes = [Key(f"net.ipv6.conf.{name}.addr_gen_mode") for name in ("all", "default", "eth0")]
    values = dict.fromkeys(modes, "0")
    apply_write(values, Key("net.ipv6.conf.default.stable_secret"), "::1")
    assert [values[key] for key in modes] == ["0", "0", "2"]


@pytest.mark.parametrize(
    ("key", "value", "twin", "left"),
    [
        ("vm.dirty_ratio", "20", "vm.dirty_bytes", "5"),
        ("vm.dirty_ratio", "30", "vm.dirty_bytes", "0"),
        ("vm.dirty_background_ratio", "20", "vm.dirty_background_bytes", "0"),
        ("vm.overcommit_kbytes", "20", "vm.overcommit_ratio", "0"),
    ],
)
def test_one_half_of_a_pair_zeroes_the_other(key: str, value: str, twin: str, left: str) -> None:
    values = {Key(key): "20", Key(twin): "5"}
    apply_write(values, Key(key), value)
    assert values[Key(twin)] == left


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        ("8192", "8192 131072 6291456"),
        ("8192 16384", "8192 16384 6291456"),
        ("1 2 3 4", "1 2 3"),
        ("0x10 010 1", "16 8 1"),
    ],
)
def test_fewer_numbers_change_only_the_first_ones(value: str, kept: str) -> None:
    key = Key("net.ipv4.tcp_rmem")
    values = {key: "4096 131072 6291456"}
    apply_write(values, key, value)
    assert values[key] == kept


def test_a_key_that_does_not_exist_is_not_moved() -> None:
    assert set(changes({}, Key("net.ipv4.ip_forward"), "1")) == {Key("net.ipv4.ip_forward")}


def test_another_congestion_control_is_allowed_from_then_on() -> None:
    allowed = Key("net.ipv4.tcp_allowed_congestion_control")
    values = {allowed: "reno cubic"}
    apply_write(values, Key("net.ipv4.tcp_congestion_control"), "bbr")
    apply_write(values, Key("net.ipv4.tcp_congestion_control"), "cubic")
    assert values[allowed] == "reno cubic bbr"
