"""The article's order going wrong, and ours going right, with every real loader."""

import pytest

from sysfleet.sysctl.key import Key
from sysfleet.sysctl.loaders import Loader, SourceFile, predict
from sysfleet.sysctl.order import canonical_order
from tests.support.boots import sandbox

_FORWARD = Key("net.ipv4.ip_forward")
_REDIRECTS = Key("net.ipv4.conf.all.accept_redirects")
_ARTICLE = (
    (_REDIRECTS, "0"),
    (Key("net.ipv6.conf.all.accept_redirects"), "0"),
    (_FORWARD, "0"),
    (Key("net.ipv4.tcp_syncookies"), "1"),
    (Key("net.ipv4.tcp_fin_timeout"), "30"),
)


@pytest.mark.parametrize("loader", [Loader.SYSTEMD, Loader.PROCPS, Loader.ALPINE, Loader.OPENRC])
def test_the_articles_order_accepts_redirects_on_a_former_router_and_ours_does_not(loader: Loader) -> None:
    with sandbox(loader) as box:
        article, ours = _files(_ARTICLE), _files(canonical_order(_ARTICLE, {}))
        wrong = box.boot(article, [(_FORWARD, "1")])
        right = box.boot(ours, [(_FORWARD, "1")])
    assert wrong.before[_REDIRECTS] == "0"
    assert wrong.after[_REDIRECTS] == "1"
    assert {key: right.after[key] for key, _ in _ARTICLE} == dict(_ARTICLE)
    # The prediction sees both, and names the line that does it.
    blamed = predict(loader, article, wrong.before, wrong.before).winners[_REDIRECTS]
    assert (blamed.value, blamed.line) == ("1", 3)
    assert predict(loader, ours, right.before, right.before).winners[_REDIRECTS].value == "0"


def _files(settings: tuple[tuple[Key, str], ...] | list[tuple[Key, str]]) -> list[SourceFile]:
    text = "".join(f"{key} = {value}\n" for key, value in settings)
    # OpenRC reads drop-ins only where there is a main file.
    return [
        SourceFile("/etc/sysctl.conf", b"# empty\n"),
        SourceFile("/etc/sysctl.d/99-x.conf", text.encode()),
    ]
