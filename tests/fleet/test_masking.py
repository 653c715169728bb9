"""What stands in a row's words in place of a secret, and what is left as it is."""

from __future__ import annotations

import msgspec
import pytest

from sysfleet.fleet.masking import hidden, masked
from sysfleet.outcome import ErrorRecord, FileOutcome, HostOutcome, OriginRecord, SettingOutcome, Status, to_json
from sysfleet.planning.verdict import Verdict

KEY = "11111111-22222222-33333333-44444444"
OLD = "aaaaaaaa-bbbbbbbb-cccccccc-dddddddd"


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        ("sudo: swordfish is wrong", "sudo: *** is wrong"),
        ("swordfishswordfish", "******"),
        ("…rdfish is wrong", "…*** is wrong"),
        ("…ish is wrong", "…ish is wrong"),
        ("nothing here", "nothing here"),
    ],
)
def test_a_secret_is_masked_whole_or_cut(words: str, shown: str) -> None:
    assert hidden(words, ["swordfish"]) == shown


def test_white_space_is_seen_as_words_of_a_host_have_it_and_the_longest_goes_first() -> None:
    assert hidden("sudo: a sword fish here", ["a  sword\tfish "]) == "sudo: *** here"
    assert hidden("swordfish1", ["swordfish", "swordfish1"]) == "***"


def test_what_is_too_short_to_be_a_secret_is_left_alone() -> None:
    assert hidden("root gets no root rights", ["no", "", "oot"]) == "root gets no root rights"


def setting(key: str) -> SettingOutcome:
    chain = (OriginRecord(layer="base", file="templates/base.conf.j2", line=1, reason=None, value=KEY),)
    return SettingOutcome(
        key=key,
        wanted=KEY,
        running=OLD,
        at_boot=OLD,
        at_boot_unknown=None,
        verdict=Verdict.CHANGE,
        origin=None,
        asked=KEY,
        interfaces={"eth0": OLD},
        chain=chain,
        at_boot_planned=KEY,
        why=f"{OLD} wins",
        notes=(f"was {OLD}", "another note"),
    )


def row(key: str) -> HostOutcome:
    return HostOutcome(
        host="web1",
        roles=(),
        status=Status.FAILED,
        error=ErrorRecord("VerifyError", "verify", f"not as written: {key}: {OLD}"),
        file=FileOutcome("/etc/sysctl.d/x.conf", f"-{key}={OLD}\n+{key} = {KEY}\n+net.core.somaxconn = 1"),
        settings=(setting(key),),
        notes=(f"{key} was {OLD}", "a note of the row"),
    )


@pytest.mark.parametrize("key", ["net.ipv4.tcp_fastopen_key", "net.ipv6.conf.eth0.stable_secret"])
def test_the_values_of_a_key_that_is_a_secret_are_nowhere_in_the_row(key: str) -> None:
    told = masked(row(key), tuple)
    text = to_json(told).decode()
    assert KEY not in text
    assert OLD not in text
    assert told.settings[0].verdict is Verdict.CHANGE
    assert told.settings[0].notes == ("was ***", "another note")
    assert "a note of the row" in told.notes
    assert told.file is not None
    assert told.file.diff.split("\n")[1:] == [f"+{key} = ***", "+net.core.somaxconn = 1"]


def test_other_rows_are_the_same_object() -> None:
    plain = msgspec.structs.replace(row("net.core.somaxconn"), error=None)
    assert masked(plain, tuple) is plain
