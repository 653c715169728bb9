"""Every writable key of a network, IPC or UTS namespace against the real kernel: what it takes and what it keeps."""

import pytest

from sysfleet.sysctl.effects import stored_text
from sysfleet.sysctl.key import Key, is_glob, key_path, with_interface
from sysfleet.sysctl.knowledge import every, lookup
from sysfleet.sysctl.order import LIMITS
from sysfleet.sysctl.value import canonical, half_applied, problem, refused, same
from tests.support.kernel_values import INTERFACE, Kept, kept

_NUMBERS = (
    *("-2147483649", "-2147483648", "-1000", "-2", "-1", "0", "1", "2", "3", "4", "5", "7", "8"),
    *("010", "0x10", "0xFF", "-0x2", "+1", "08", "yes", "1.0", "", "1,2", " 7", "7 ", "1 2", "1\t2", "1 # no comment"),
    *("100", "127", "128", "255", "256", "501", "999", "1000", "1001", "1002", "1003", "10001", "30001"),
    *("32767", "32768", "65535", "65536", "65537", "1000000", "2147483", "2147484", "2147483647", "2147483648"),
    *("4294967295", "4294967296", "9223372036854775807", "18446744073709551615", "18446744073709551616"),
)
_TUPLES = (
    *("1", "1 2", "1 2 3", "3 2 1", "1\t2\t3", "1 2 3 4", "4096 8192 16384", "1024 60999", "60999 1024"),
    *("0 1", "1 0", "x 1", "1 x", "1 2 x", "010 0x20 30", "-1 2 3", "0 0 0", "1,2", "99999999999 1"),
    *("1 99999999999", "2147483647 2147483647", "10000 20000 # no comment", "1024", "32769 40000", "70000 80000"),
)
_STRINGS = (
    *("", "1-3,2-5", "80", "0x10,010", "5-1", "1, 2", "a", "yes", "65535", "65536", "0", "255", "256", "1--2", "-1"),
    *("reno", "cubic", "nosuch", "1-2-3-a", "1-2-3-A,5-6-7-8", "0-0-0-123456789", "::1", "FE80::1", "x" * 70),
)
# What a kernel refuses for a state that no rule about values can know.
_BY_STATE = {
    **{str(key): "the other limit" for pair in LIMITS for key in pair},
    "kernel.msgmni": "the boot option ipcmni_extend",
    "kernel.shmmni": "the boot option ipcmni_extend",
    "net.core.rps_default_mask": "the CPUs of the machine",
    "net.ipv4.neigh.*.unres_qlen": "the size of a packet's record",
    "net.ipv6.neigh.*.unres_qlen": "the size of a packet's record",
    "net.ipv4.ping_group_range": "the groups of the user namespace",
    "net.ipv4.tcp_congestion_control": "the modules",
    "net.ipv4.tcp_ecn": "the kernel's age",
    "net.ipv6.conf.*.addr_gen_mode": "whether there is a secret",
    "net.ipv6.conf.*.mtu": "the link's own size",
    "net.mptcp.path_manager": "the modules",
    "net.mptcp.scheduler": "the modules",
    "net.netfilter.nf_hooks_lwtunnel": "whether it was 1 before",
}


def _wishes() -> dict[Key, tuple[str, ...]]:
    values = {"tuple": _TUPLES, "string": _STRINGS}
    return {
        key: values.get(known.type, _NUMBERS)
        for pattern, known in every().items()
        if known.namespaced in ("net", "ipc", "uts") and not known.write_only
        for key in ([with_interface(pattern, name) for name in (INTERFACE, "all")] if is_glob(pattern) else [pattern])
    }


@pytest.fixture(scope="module")
def kernel() -> dict[Key, list[Kept]]:
    return kept(_wishes())


def test_the_kernel_refuses_what_is_said_to_be_refused_and_nothing_else(kernel: dict[Key, list[Kept]]) -> None:
    wrong = [
        (key, one)
        for key, tries in kernel.items()
        for one in tries
        if refused(key, one.value) != (one.error is not None)
        and not (one.error is not None and _by_state(key) is not None)
    ]
    assert wrong == []
    assert len(kernel) > 250


def test_the_kernel_keeps_what_is_said_to_be_kept(kernel: dict[Key, list[Kept]]) -> None:
    wrong = []
    for key, tries in kernel.items():
        for one in tries:
            text = one.value if one.error is None else half_applied(key, one.value)
            expected = stored_text({key: one.before}, key, text) if text or one.error is None else one.before
            if one.after is None or not (same(key, expected, one.after) or _is_undefined(key, one)):
                wrong.append((key, expected, one))
    assert wrong == []


def test_what_may_be_sent_is_taken_and_read_back_as_the_same(kernel: dict[Key, list[Kept]]) -> None:
    # The promise behind `rewritten`: a value that the kernel shows in another form is never drift.
    for key, tries in kernel.items():
        for one in tries:
            if problem(key, one.value) is None and one.error is None:
                assert one.after is not None
                assert same(key, one.value, one.after), one
                assert canonical(key, one.after) == canonical(key, canonical(key, one.after))


def test_some_values_are_kept_in_another_form(kernel: dict[Key, list[Kept]]) -> None:
    def shown(key: str, value: str) -> str | None:
        return next(one.after for one in kernel[Key(key)] if one.value == value)

    assert shown("net.ipv4.tcp_syncookies", "010") == "8"
    assert shown("net.ipv4.ip_local_reserved_ports", "1-3,2-5") == "1-5"
    # Ticks of whatever length: of a millisecond up, of a hundredth of a second down, by less than one.
    assert 1001 <= int(shown("net.ipv4.icmp_ratelimit", "1001") or 0) < 1011
    assert shown(f"net.ipv4.neigh.{INTERFACE}.locktime", "3") in ("2", "3")


def _by_state(key: Key) -> str | None:
    known = lookup(key)
    if known is None or key.startswith("net.netfilter.nf_log."):
        return "the modules"
    if known.form == "ticks_user":
        return "the length of a tick"
    return _BY_STATE.get(known.pattern)


def _is_undefined(key: Key, one: Kept) -> bool:
    """Ticks that are negative or overflow, and masks of CPUs: forms of their own, which nobody may send or asks for."""
    known = lookup(key)
    if known is None or key_path(key) == "net/core/rps_default_mask":
        return True
    return known.form == "ticks_user" and problem(key, one.value) is not None and canonical(key, one.value) != "1"
