import itertools
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.sysctl.effects import apply_write
from sysfleet.sysctl.key import Key, is_glob, with_interface
from sysfleet.sysctl.knowledge import every, moves, moves_key
from sysfleet.sysctl.order import canonical_order, write_rank

_INTERFACES = ("all", "default", "aa0", "eth0", "eth0.100")
_KEYS = sorted(
    {with_interface(pattern, name) for pattern in every() for name in _INTERFACES} - {Key("net.ipv6.ip_forward")}
)
_MOVERS = sorted(key for key in _KEYS if moves(key))
_MOVED = sorted({pattern for key in _MOVERS for pattern in moves(key)})
_VICTIMS = sorted(with_interface(pattern, name) for pattern in _MOVED for name in _INTERFACES)
_GLOBS = sorted(pattern for pattern in every() if is_glob(pattern))

_hot = st.sampled_from(sorted({*_MOVERS, *(key for key in _VICTIMS if not is_glob(key))}))
_sets = st.sets(st.one_of(_hot, st.sampled_from(_KEYS), st.sampled_from(_GLOBS)), max_size=12)


def _is_mutual(one: Key, other: Key) -> bool:
    return moves_key(one, other) and moves_key(other, one)


@given(_sets)
def test_no_key_stands_before_one_whose_writing_moves_it(keys: set[Key]) -> None:
    ordered = [key for key, _ in canonical_order([(key, "1") for key in keys], {})]
    assert sorted(ordered) == sorted(keys)
    for earlier, later in itertools.combinations(ordered, 2):
        assert not moves_key(later, earlier) or _is_mutual(later, earlier), (later, "moves", earlier)


@given(st.permutations(_MOVERS[:8]))
def test_the_order_does_not_depend_on_the_order_it_is_given(keys: list[Key]) -> None:
    settings = [(key, "1") for key in keys]
    assert canonical_order(settings, {}) == canonical_order(sorted(settings), {})


@given(st.dictionaries(_hot, st.sampled_from("01"), max_size=12), st.randoms(use_true_random=False))
def test_writing_in_canonical_order_reaches_every_value_from_any_start(wanted: dict[Key, str], random: Random) -> None:
    kept = _without_contradictions(wanted)
    running = {key: random.choice("01") for key in _KEYS}
    running[Key("net.ipv4.ip_forward")] = running[Key("net.ipv4.conf.all.forwarding")]
    for key, value in canonical_order(list(kept.items()), running):
        apply_write(running, key, value)
    assert {key: running[key] for key in kept} == kept


def _without_contradictions(wanted: dict[Key, str]) -> dict[Key, str]:
    """Of keys that move each other only one can be asked for."""
    kept: dict[Key, str] = {}
    for key, value in wanted.items():
        if key.endswith(("stable_secret", "congestion_control")):
            continue
        if not any(_is_mutual(key, other) for other in kept):
            kept[key] = value
    return kept


_HIGH, _LOW = Key("net.ipv4.ipfrag_high_thresh"), Key("net.ipv4.ipfrag_low_thresh")


@pytest.mark.parametrize(
    ("running_high", "running_low", "high", "low", "first"),
    [
        ("100", "80", "200", "150", _HIGH),
        ("200", "150", "100", "80", _LOW),
        ("200", "150", "300", "100", _HIGH),
    ],
)
def test_of_two_limits_the_one_goes_first_that_the_kernel_takes(
    running_high: str, running_low: str, high: str, low: str, first: Key
) -> None:
    running = {_HIGH: running_high, _LOW: running_low}
    ordered = canonical_order([(_HIGH, high), (_LOW, low)], running)
    assert ordered[0][0] == first
    for key, value in ordered:
        running[key] = value
        assert int(running[_LOW]) <= int(running[_HIGH])


def test_the_port_range_and_the_first_unprivileged_port_go_in_the_order_the_kernel_takes() -> None:
    ports, start = Key("net.ipv4.ip_local_port_range"), Key("net.ipv4.ip_unprivileged_port_start")
    up = canonical_order([(ports, "9000 60000"), (start, "5000")], {ports: "1024 60999", start: "1024"})
    down = canonical_order([(ports, "1024 60999"), (start, "80")], {ports: "9000 60000", start: "5000"})
    assert [key for key, _ in up] == [ports, start]
    assert [key for key, _ in down] == [start, ports]


def test_the_classes_follow_each_other_as_the_reference_lists_them() -> None:
    ranked = [
        "net.ipv6.conf.eth0.accept_ra",
        "net.ipv6.conf.all.disable_ipv6",
        "net.ipv4.ip_forward",
        "net.core.somaxconn",
        "net.ipv4.conf.all.accept_redirects",
        "net.ipv4.conf.default.accept_redirects",
        "net.ipv4.conf.en*.accept_redirects",
        "net.ipv4.conf.aa0.accept_redirects",
        "kernel.modules_disabled",
    ]
    ranks = [write_rank(Key(key)) for key in ranked]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) == len(ranks)


def test_memory_is_promised_strictly_only_after_its_limit_is_set() -> None:
    settings = [(Key("vm.overcommit_memory"), "2"), (Key("vm.overcommit_ratio"), "80")]
    assert next(key for key, _ in canonical_order(settings, {})) == "vm.overcommit_ratio"
