"""Answers of hostile hosts: real ones with something changed give a record or a HostError, and never cost much."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.errors import HostError, ReadError
from sysfleet.host import Reading
from sysfleet.planning.plan import make_plan
from sysfleet.planning.records import Options
from sysfleet.remote.framing import unframed
from sysfleet.remote.programs.changing import ChangeRequest, change_program, parse_change
from sysfleet.remote.programs.persisting import PersistRequest, parse_persist, persist_program
from sysfleet.remote.programs.reading import LIMIT_LINES_BYTES, ReadRequest, parse_reading, read_program
from sysfleet.sysctl.key import Key
from tests.planning.cases import policy, wanted
from tests.remote.boxes import MARK, box, shells
from tests.support.needs import needs

COOKIES = Key("net.ipv4.tcp_syncookies")
REUSE = Key("net.ipv4.tcp_tw_reuse")
HEADER = "# Written by sysfleet."
PARSERS: Mapping[str, Callable[[bytes], object]] = {
    "read": parse_reading,
    "change": parse_change,
    "persist": parse_persist,
}
POLICY = policy(wanted("net.ipv4.tcp_syncookies", "1"), wanted("net.ipv4.conf.*.rp_filter", "1"))


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, bytes]:
    """What the real programs print, frame and all."""
    needs("dash")
    folder = tmp_path_factory.mktemp("hostile")
    dash = shells(folder)["dash"]
    patterns = (COOKIES, REUSE, Key("net.ipv4.conf.*.rp_filter"), Key("net.ipv4.none"), Key("net.ipv4.route.flush"))
    with box(folder / "box") as host:
        for name in ("10-a.conf", "20-b.conf"):
            (host.etc / "sysctl.d" / name).write_bytes(b"net.ipv4.ip_forward = 0\n")
        Path(host.etc / "sysctl.d/30-c.conf").symlink_to("/etc/nowhere")
        late = host.uptime_s() + 60
        body = host.perform(dash, read_program(ReadRequest(patterns))).body
        reading = parse_reading(body)
        compare = tuple(reading.values.items())
        settle = [(COOKIES, "2"), (REUSE, "99999")]
        change = ChangeRequest("r1", late, compare, settle, patterns, reading.files_token)
        persist = PersistRequest(
            "r1", late, "/etc/sysctl.d/x.conf", f"{HEADER}\n".encode(), reading.files_token, settle[:1], HEADER
        )
        return {
            "read": body,
            "change": host.perform(dash, change_program(change)).body,
            "persist": host.perform(dash, persist_program(persist)).body,
        }


# What a host could put in: what a terminal obeys, marks of ours, numbers that are none, bytes of no text.
PIECES = st.one_of(
    st.binary(max_size=20),
    st.sampled_from(
        [
            b"\n",
            b"\t",
            b"\x1b]0;",
            b"\x1b[2J",
            b"\xff\xfe\x00",
            "\u202e\u2028".encode(),
            b"\nfiles\n",
            b"\ncontents\n",
            b"\nS settled\n",
            b"\nS committed\n",
            b"\n%b end 0\n" % MARK.encode(),
            b"\n==> /dev/null <==\n",
            b"\nF cpus\t0-999999999999\n",
            b"\nF uptime\t1e999\n",
            b"\nF uid\t" + "²".encode(),
            b"\nF mount\tro /proc/sys\n",
            b"\nF owner\tnixos\n",
            b"\nI ../..\n",
            b"\nV net/../../etc\t1\n",
            b"\nV net/ipv4/conf/*/rp_filter\t1\n",
            b"\nM a\t=1\t=\n",
            b"9" * 5000,
        ]
    ),
)
CHANGES = st.lists(st.tuples(st.floats(0, 1), st.integers(0, 40), PIECES), min_size=1, max_size=4)


def changed(answer: bytes, changes: list[tuple[float, int, bytes]]) -> bytes:
    for place, length, piece in changes:
        at = int(place * len(answer))
        answer = answer[:at] + piece + answer[at + length :]
    return answer


def shown(record: object) -> Iterator[str]:
    """Every text of a record that an operator may be shown: all but the contents of files and their token."""
    if isinstance(record, str):
        yield record
    elif isinstance(record, Reading):
        yield from shown((record.facts, [file.path for file in record.files], record.values))
    elif is_dataclass(record):
        yield from shown([getattr(record, each.name) for each in fields(record)])
    elif isinstance(record, Mapping):
        yield from shown((*record, *record.values()))
    elif isinstance(record, (tuple, list)):
        for part in record:
            yield from shown(part)


@pytest.mark.parametrize("program", PARSERS)
@given(changes=CHANGES)
def test_a_real_answer_with_something_changed_gives_a_record_or_a_host_error(
    answers: Mapping[str, bytes], program: str, changes: list[tuple[float, int, bytes]]
) -> None:
    answer = changed(answers[program], changes)
    record: object
    try:
        record = PARSERS[program](answer)
    except HostError as error:
        record = (error.message, error.evidence)
    for words in shown(record):
        assert words.isprintable(), words


@given(changes=CHANGES)
def test_whatever_a_host_says_of_itself_can_be_planned_for(
    answers: Mapping[str, bytes], changes: list[tuple[float, int, bytes]]
) -> None:
    try:
        reading = parse_reading(changed(answers["read"], changes))
    except HostError:
        return
    plan = make_plan(POLICY, reading, Options())
    assert all(reason.isprintable() for reason in (*plan.refusals, *plan.conflicts, *plan.notes))


@given(st.binary(max_size=300), st.binary(max_size=50))
def test_a_forged_frame_is_a_host_error_or_the_host_s_own_lie(before: bytes, status: bytes) -> None:
    answer = before + b"\n%b begin\nbody\n%b end " % (MARK.encode(), MARK.encode()) + status
    try:
        framed = unframed(answer, MARK)
    except HostError:
        return
    assert framed is None or 0 <= framed.status <= 999


HALF = LIMIT_LINES_BYTES // 2
ENDLESS: Mapping[str, bytes] = {
    "its list of files begun again and again": b"files\n" * (HALF // 6),
    "a list of files and no end": b"files\n" + b"/etc/a.conf\n" * (HALF // 12),
    "too many files": b"files\n" + b"X /a\n" * (HALF // 5) + b"contents\n",
    "too many values": b"".join(b"V a%d\t1\n" % number for number in range(HALF // 11)) + b"files\ncontents\n",
    "too many interfaces": b"I eth0\n" * (HALF // 7) + b"files\ncontents\n",
    "one line": b"x" * HALF,
    "one line in escapes": b"\x1b]" * (HALF // 2),
    "bytes of no text": bytes(range(256)) * (HALF // 256),
    "more than any host has to say": b"V a\t1\n" * (LIMIT_LINES_BYTES // 6 + 1) + b"files\ncontents\n",
    "files without end": b"files\n/etc/a.conf\ncontents\n==> /etc/a.conf <==\n" + b"#" * HALF,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("answer", ENDLESS)
def test_an_answer_without_an_end_is_a_read_error_in_bounded_memory(answer: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ReadError):
            parse_reading(ENDLESS[answer])
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert most < 12 * LIMIT_LINES_BYTES


@pytest.mark.timeout(60)
@pytest.mark.parametrize("parse", [parse_change, parse_persist])
def test_a_record_without_an_end_is_a_read_error_or_cut(parse: Callable[[bytes], object]) -> None:
    for line in (b"W a\t1\n", b"R a\t\x1b[1mx\n", b"M a\t=1\t=2\n", b"S \n", b"Y y\n"):
        with pytest.raises(ReadError):
            parse(line * (LIMIT_LINES_BYTES // len(line) + 1) + b"S nonsense\n")
    assert len(parse_change(b"S settled\n" + b"W a\t1\n" * 100_000).written) == 20_000
