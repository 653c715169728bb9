"""Trees of sysctl.d files: random ones for hypothesis, with all that kernel.md 6 names, and those kept as data."""

import json
from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

from sysfleet.sysctl.key import Key, key_path
from sysfleet.sysctl.sources import SourceFile
from tests.support.boots import KEYS

_FOLDERS = ("/etc/sysctl.d", "/run/sysctl.d", "/usr/local/lib/sysctl.d", "/usr/lib/sysctl.d")
_NAMES = ("10-a.conf", "50-b.conf", "9-x.conf", "99-Z.conf", "99-zz.conf", ".hidden.conf", "note.txt")
_LINKS = ("/dev/null", "/nowhere", "/etc/sysctl.conf", "../sysctl.conf")

# Keys that move others come up more often than chance would have it.
_HOT = tuple(
    Key(name)
    for name in (
        "net.ipv4.ip_forward",
        "net.ipv4.conf.all.forwarding",
        "net.ipv4.conf.all.accept_redirects",
        "net.ipv4.conf.v0.forwarding",
        "net.ipv6.conf.all.forwarding",
        "net.ipv6.conf.all.disable_ipv6",
        "net.ipv6.conf.v0.disable_ipv6",
        "net.ipv6.conf.v0.forwarding",
        "net.ipv6.conf.v0.force_forwarding",
        "net.ipv6.conf.all.force_forwarding",
    )
)
_GLOBS = (
    "net.ipv4.conf.*.forwarding",
    "net.ipv4.conf.*.accept_redirects",
    "net/ipv4/conf/v*/rp_filter",
    "net.ipv4.conf.v?.accept_redirects",
    "net.ipv4.conf.v1/*.log_martians",
    "net.ipv4.conf.[al]*.forwarding",
    "net.ipv4.conf.[!a]*.send_redirects",
    "net.ipv?.conf.*.forwarding",
    "net.ipv6.conf.*.disable_ipv6",
    "net.ipv6.conf.*.accept_redirects",
    "net.ipv6.conf.all.accept_*",
    "net.ipv4.tcp_sync*",
    "net.ipv4.conf.nosuch*.forwarding",
)
_EXCLUSIONS = (
    "-net.ipv4.conf.all.*",
    "-net/ipv4/conf/v?/accept_redirects",
    "-net.ipv4*v0*",
    "-net.ipv6.conf.[!v]*.accept_redirects ",
    "-/net/ipv4/conf/*/forwarding",
)
_ODD_NAMES = (
    "net.ipv6.ip_forward",
    "net.ipv4.conf.v1.5.rp_filter",
    "net.ipv4..ip_forward",
    "/net/ipv4/ip_forward",
    "no.such.key",
    "\ufeffnet.ipv4.ip_forward",
    "net.ipv4.ip_forward.",
    "net.ipv4.conf.v0",
)
_NUMBERS = ("0", "1", "2", "1", "0", "010", "0x1", "-1")
_ODD_VALUES = ("", "yes", "1 2", "1 # no comment", "+1", "08", "99999999999", "1,2", "1.0", "0\t", "=1")
_OF_KEY = {
    "net.ipv4.tcp_rmem": ("4096 131072 6291456", "8192\t16384", "4096  16384 32768 7", "0 1 2"),
    "net.ipv4.icmp_ratelimit": ("1000", "1001", "501"),
    "net.ipv4.ip_local_reserved_ports": ("80,8080-8085", "1-3,2-5", "", "9"),
    "net.ipv4.tcp_fin_timeout": ("30", "60"),
    "net.core.somaxconn": ("4096", "-1"),
}


def _spelled(key: str) -> st.SearchStrategy[str]:
    return st.sampled_from([key, key, key_path(Key(key)), "/" + key_path(Key(key))])


_literal = st.one_of(st.sampled_from(_HOT), st.sampled_from(KEYS))


@st.composite
def _assignments(draw: st.DrawFn) -> str:
    kind = draw(st.integers(0, 9))
    key = draw(_literal) if kind < 7 else draw(st.sampled_from(_GLOBS if kind < 9 else _ODD_NAMES))
    values = _OF_KEY.get(key, _NUMBERS)
    value = draw(st.sampled_from(values)) if draw(st.integers(0, 5)) else draw(st.sampled_from(_ODD_VALUES))
    name = draw(_spelled(key)) if kind < 7 else key
    left, middle, right = draw(
        st.sampled_from(
            [
                ("", " = ", ""),
                ("", "=", ""),
                (" ", " =", " "),
                ("\t", "= ", "\r"),
                ("-", " = ", ""),
                ("- ", "=", ""),
                ("", "=", "\r"),
            ]
        )
    )
    return f"{left}{name}{middle}{value}{right}"


_lines = st.one_of(
    _assignments(),
    _assignments(),
    _assignments(),
    _assignments(),
    _literal.map(lambda key: f"-{key}"),
    st.sampled_from(_EXCLUSIONS),
    st.sampled_from(["", "# net.ipv4.ip_forward = 1", "; a comment", "  # indented", "no assignment", "-", "=1"]),
    st.sampled_from(["# goes on \\", "net.ipv4.tcp_syncookies = 1 \\", "\udcff = 1", "[section]", "- - =", "\r"]),
)


@st.composite
def contents(draw: st.DrawFn) -> bytes:
    """One file of a few lines, each kind among them."""
    lines = draw(st.lists(_lines, max_size=6))
    end = draw(st.sampled_from(["\n", "\n", "\n", ""]))
    return ("\n".join(lines) + end).encode("utf-8", "surrogateescape")


@st.composite
def trees(draw: st.DrawFn) -> tuple[SourceFile, ...]:
    """Some files in the folders of sysctl.d, perhaps a main file, as the host would report them."""
    main = draw(st.one_of(st.none(), contents(), contents()))
    files = [] if main is None else [SourceFile("/etc/sysctl.conf", main)]
    places = draw(st.lists(st.tuples(st.sampled_from(_FOLDERS), st.sampled_from(_NAMES)), unique=True, max_size=5))
    for folder, name in places:
        link = draw(st.sampled_from([None] * 6 + list(_LINKS)))
        if link is not None and folder != "/etc/sysctl.d" and link.startswith("../"):
            link = "/etc/sysctl.conf"
        content = draw(contents()) if link is None else _behind(link, main)
        files.append(SourceFile(f"{folder}/{name}", content, link))
    return tuple(files)


def _behind(link: str, main: bytes | None) -> bytes | None:
    return b"" if link == "/dev/null" else None if link == "/nowhere" else main


def kept_trees() -> dict[str, tuple[SourceFile, ...]]:
    """The trees under tests/data/trees, by name: on each a model and its program once disagreed."""
    folder = Path(__file__).parents[1] / "data" / "trees"
    return {path.stem: _from_json(path.read_text()) for path in sorted(folder.glob("*.json"))}


def as_json(files: Sequence[SourceFile], why: str = "") -> str:
    """A tree in the form in which it is kept."""
    lines = {
        file.path: [f"-> {file.link}"] if file.link is not None else _text(file).splitlines(keepends=True)
        for file in files
    }
    return json.dumps({"why": why, "files": lines}, indent=2)


def _text(file: SourceFile) -> str:
    return (file.content or b"").decode("utf-8", "surrogateescape")


def _from_json(text: str) -> tuple[SourceFile, ...]:
    found = json.loads(text)["files"]
    main = _joined(found["/etc/sysctl.conf"]) if "/etc/sysctl.conf" in found else None
    links = {path: lines[0][3:] for path, lines in found.items() if lines and lines[0].startswith("-> ")}
    return tuple(
        SourceFile(path, _behind(links[path], main), links[path]) if path in links else SourceFile(path, _joined(lines))
        for path, lines in found.items()
    )


def _joined(lines: Sequence[str]) -> bytes:
    return "".join(lines).encode("utf-8", "surrogateescape")
