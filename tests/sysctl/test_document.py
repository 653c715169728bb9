import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.sysctl.document import Assignment, Blank, Comment, Exclusion, Malformed, parse
from tests.support.trees import contents


@given(st.one_of(st.binary(max_size=200), contents()))
def test_what_is_read_is_written_back_byte_for_byte(content: bytes) -> None:
    assert parse(content).to_bytes() == content


@given(contents())
def test_every_line_has_its_own_number(content: bytes) -> None:
    lines = parse(content).lines
    assert [line.line for line in lines] == list(range(1, len(lines) + 1))
    assert len(lines) == content.count(b"\n") + (not content.endswith(b"\n") and content != b"")


def test_each_kind_of_line_is_told_apart() -> None:
    document = parse(
        b"# comment\n  ; comment\n\n \t\nkernel.sysrq = 0\n"
        b"-net/ipv4/conf/e.1/rp_filter=1\n-net.ipv4.conf.all.*\nnonsense\n"
    )
    kinds = [type(line) for line in document.lines]
    assert kinds == [Comment, Comment, Blank, Blank, Assignment, Assignment, Exclusion, Malformed]
    plain, dashed = document.settings
    assert (plain.pattern, plain.value, plain.ignore_failure, plain.line) == ("kernel.sysrq", "0", False, 5)
    assert (dashed.pattern, dashed.ignore_failure) == ("net.ipv4.conf.e/1.rp_filter", True)
    assert document.exclusions[0].pattern == "net.ipv4.conf.all.*"
    assert document.malformed[0] == Malformed(8, "nonsense", "the line is no assignment")


@pytest.mark.parametrize(
    ("line", "key", "value"),
    [
        (b"a.b=c=d", "a.b", "c=d"),
        (b"a.b = 1 # no comment", "a.b", "1 # no comment"),
        (b"a.b = ;x", "a.b", ";x"),
        (b"a.b\t=\t1\t2\r", "a.b", "1\t2"),
        (b"a.b =", "a.b", ""),
        (b"- a.b = 1", "a.b", "1"),
        (b'a.b = "1"', "a.b", '"1"'),
        (b"a.b = \xff\xfe", "a.b", "\udcff\udcfe"),
        (b"\xef\xbb\xbfa.b = 1", "\ufeffa.b", "1"),
        (b"a..b = 1", "a.b", "1"),
    ],
)
def test_odd_assignments_are_read_as_the_loaders_read_them(line: bytes, key: str, value: str) -> None:
    (setting,) = parse(line).settings
    assert (setting.pattern, setting.value) == (key, value)


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b"a.b = 1", ["1"]),  # no final newline
        (b"a.b = 1\r\nc.d = 2\r\n", ["1", "2"]),
        (b"a.b = 1\r\nc.d = 2", ["1", "2"]),
        (b"\n\n a.b\t =\v1 \x0c\n", ["1"]),
        (b"# one\n; two\n#a.b = 1\na.b = 2", ["2"]),
        (b"a.b = \xc3\xa9\xff\n", ["\xe9\udcff"]),
        (b"# \xff\xfe\na.b = 1\n", ["1"]),
        (b"a.b = 1 \\\n", ["1 \\"]),
        (b"a.b = x # y ; z = 3\n", ["x # y ; z = 3"]),
        (b"a.b = 1\n\n\n", ["1"]),
        (b"\n", []),
        (b"", []),
    ],
)
def test_odd_white_space_ends_and_bytes_are_read_and_kept(content: bytes, values: list[str]) -> None:
    document = parse(content)
    assert [setting.value for setting in document.settings] == values
    assert document.to_bytes() == content


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (b"net.ipv4.conf.eth0/100.rp_filter", "net.ipv4.conf.eth0/100.rp_filter"),
        (b"net/ipv4/conf/eth0.100/rp_filter", "net.ipv4.conf.eth0/100.rp_filter"),
        (b"/net/ipv4/conf/eth0.100/rp_filter", "net.ipv4.conf.eth0/100.rp_filter"),
        (b"net.ipv4.conf.eth0.100.rp_filter", "net.ipv4.conf.eth0.100.rp_filter"),  # another, missing key
        (b"net.ipv4.conf.*.rp_filter", "net.ipv4.conf.*.rp_filter"),
        (b"net/ipv4/conf/*/rp_filter", "net.ipv4.conf.*.rp_filter"),
        (b"net/ipv4/conf/eth0.*/rp_filter", "net.ipv4.conf.eth0/*.rp_filter"),
        (b"net.ipv4.conf.[ae]*.rp_filter", "net.ipv4.conf.[ae]*.rp_filter"),
        (b"Net.IPv4.ip_forward", "Net.IPv4.ip_forward"),
    ],
)
def test_the_first_separator_decides_in_settings_and_in_exclusions(name: bytes, key: str) -> None:
    content = b"-" + name + b" = 1\n-" + name + b"\n"
    document = parse(content)
    assert [setting.pattern for setting in document.settings] == [key]
    assert [exclusion.pattern for exclusion in document.exclusions] == [key]
    assert document.to_bytes() == content


@pytest.mark.parametrize("line", [b"= 1", b"-", b"- =", b"net/../x = 1", b"a\x00b = 1", b"[section]"])
def test_a_line_that_no_loader_understands_says_why(line: bytes) -> None:
    (found,) = parse(line).lines
    assert isinstance(found, Malformed)
    assert found.why
