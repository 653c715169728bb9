"""The models of the loaders against the real programs, on real keys, over random trees of files."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings

from sysfleet.sysctl.key import Key
from sysfleet.sysctl.loaders import Loader, SourceFile, predict
from sysfleet.sysctl.value import same
from tests.support.boots import Sandbox, sandbox
from tests.support.trees import trees

_TREES = 60
_FORWARDING = [(), ((Key("net.ipv4.ip_forward"), "1"),), ((Key("net.ipv6.conf.all.forwarding"), "1"),)]


# Trees on which a model and its program once disagreed, and rules that chance seldom meets.
_LINES = (
    "net.ipv6.conf.v0.forwarding=0\nnet.ipv6.conf.all.forwarding=1\n",
    "net.ipv6.conf.all.force_forwarding = 1 2\n",
    "net.ipv4.ip_forward. = 1\n",
    "/net/ipv4/ip_forward = 1\n",
    "net.ipv4..ip_forward = 1\n",
    "net.ipv6.conf.all.accept_* = \n",
    "net.ipv4.conf.v1.5.rp_filter = yes\nnet.ipv4.tcp_fin_timeout = 7\n",
    "net.ipv4.conf.v1.5.rp_filter = 2\n",
    "net.ipv4.conf.*.accept_redirects = 1 2\n",
    "/net/ipv4/conf/v*/rp_filter = 2\nnet.ipv4.conf.v0.rp_filter = 1\n",
    "# goes on \\\nnet.ipv4.ip_forward = 1\n",
    "net.ipv4.tcp_syncookies = 0 \\\n",
    "net.ipv4.tcp_syncookies=0\r\n",
    "# hidden\rnet.ipv4.ip_forward = 1\n",
    "net.ipv4.tcp_rmem = 1 # no comment\nnet.ipv4.tcp_fin_timeout = 7\n",
    "net.ipv4.tcp_rmem = 8192 99999999999 1\n",
    "net.ipv4.ip_local_reserved_ports = 1,9\nnet.ipv4.ip_local_reserved_ports = yes\n",
    "net.ipv4.ip_local_reserved_ports = 010,0x20-0x21\n",
    "net.ipv4.ip_local_reserved_ports = 1, 2\n",
    "net.ipv4.conf.all.accept_redirects=0\nnet.ipv4.ip_forward=1\nnet.ipv4.conf.all.accept_redirects=0\n",
)


@pytest.mark.parametrize("loader", [Loader.SYSTEMD, Loader.PROCPS, Loader.ALPINE, Loader.OPENRC])
def test_the_model_is_right_where_it_once_was_wrong(loader: Loader) -> None:
    with sandbox(loader) as box:
        for text in _LINES:
            files = (SourceFile("/etc/sysctl.conf", b""), SourceFile("/etc/sysctl.d/a.conf", text.encode()))
            for start in _FORWARDING:
                assert disagreements(box, loader, files, start) == {}, (text, start)


@pytest.mark.parametrize("loader", [Loader.SYSTEMD, Loader.PROCPS, Loader.ALPINE, Loader.OPENRC])
def test_the_model_predicts_what_the_real_loader_leaves(loader: Loader) -> None:
    with sandbox(loader) as box:
        runs = iter(range(10**9))

        @settings(max_examples=_TREES, database=None)
        @given(files=trees())
        def check(files: tuple[SourceFile, ...]) -> None:
            start = _FORWARDING[next(runs) % len(_FORWARDING)] if files else ()
            assert disagreements(box, loader, files, start) == {}

        check()


def disagreements(
    box: Sandbox, loader: Loader, files: tuple[SourceFile, ...], start: tuple[tuple[Key, str], ...] = ()
) -> Mapping[Key, tuple[str, str]]:
    """The keys whose predicted value is not the one that the real loader left."""
    real = box.boot(files, start)
    boot = predict(loader, _as_the_host_shows(files), real.before, real.before)
    predicted = {key: boot.winners[key].value if key in boot.winners else real.before[key] for key in real.before}
    return {
        key: (predicted[key], real.after[key]) for key in real.before if not same(key, predicted[key], real.after[key])
    }


def _as_the_host_shows(files: tuple[SourceFile, ...]) -> list[SourceFile]:
    if not Path("/lib").is_symlink():
        return list(files)
    # /lib is /usr/lib, so a host shows these files under both names.
    twins = [
        SourceFile("/lib/sysctl.d/" + file.name, file.content, file.link)
        for file in files
        if file.folder == "/usr/lib/sysctl.d"
    ]
    return [*files, *twins]
