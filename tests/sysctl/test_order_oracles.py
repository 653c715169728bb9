"""The article's order going wrong, and ours going right, with every real loader (kernel.md 3, hazards 1 and 6)."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from sysfleet.sysctl.document import parse
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.loaders import Loader, SourceFile, predict
from sysfleet.sysctl.order import canonical_order
from sysfleet.sysctl.value import same
from tests.support.boots import sandbox

_FORWARD = Key("net.ipv4.ip_forward")
_REDIRECTS = Key("net.ipv4.conf.all.accept_redirects")
_ARTICLE = Path(__file__).parents[1] / "data" / "article.conf"
_LOADERS = [Loader.SYSTEMD, Loader.PROCPS, Loader.ALPINE, Loader.OPENRC]
_ROUTER = [(_FORWARD, "1")]


@pytest.mark.parametrize("loader", _LOADERS)
def test_the_articles_file_accepts_redirects_on_a_former_router_and_ours_does_not(loader: Loader) -> None:
    settings = {setting.pattern: setting.value for setting in parse(_ARTICLE.read_bytes()).settings}
    article = _files(_ARTICLE.read_text())
    ours = _files(_text(canonical_order(list(settings.items()), {})))
    with sandbox(loader) as box:
        wrong, right = box.boot(article, _ROUTER), box.boot(ours, _ROUTER)
        again = box.boot(article)
    assert wrong.before[_REDIRECTS] == "0"
    assert wrong.after[_REDIRECTS] == "1"
    # At a boot, where nothing forwards yet, the same file leaves what it asks for: what runs is not what boots.
    assert again.after[_REDIRECTS] == "0"
    there = {key: value for key, value in settings.items() if key in right.after}
    assert settings.keys() - there.keys() == {Key("net.ipv6.ip_forward")}
    assert [key for key, value in there.items() if not same(key, value, right.after[key])] == []
    # The prediction sees both, and names the line that does it.
    blamed = predict(loader, article, wrong.before, wrong.before).winners[_REDIRECTS]
    assert (blamed.value, parse(_ARTICLE.read_bytes()).lines[blamed.line - 1].text) == ("1", "net.ipv4.ip_forward = 0")
    assert predict(loader, ours, right.before, right.before).winners[_REDIRECTS].value == "0"


@pytest.mark.parametrize("loader", [Loader.SYSTEMD, Loader.PROCPS])
def test_a_glob_that_matches_all_turns_redirects_over_as_well(loader: Loader) -> None:
    wanted = [(_REDIRECTS, "0"), (Key("net.ipv4.conf.*.forwarding"), "0")]
    with sandbox(loader) as box:
        wrong = box.boot(_files(_text(wanted)), _ROUTER)
        right = box.boot(_files(_text(canonical_order(wanted, {}))), _ROUTER)
    assert (wrong.after[_REDIRECTS], right.after[_REDIRECTS]) == ("1", "0")
    assert predict(loader, _files(_text(wanted)), wrong.before, wrong.before).winners[_REDIRECTS].value == "1"


@pytest.mark.parametrize("loader", _LOADERS)
def test_a_later_file_that_switches_forwarding_turns_redirects_of_ours_over_and_the_prediction_blames_it(
    loader: Loader,
) -> None:
    later = SourceFile("/etc/sysctl.d/99-zzz.conf", b"net.ipv4.ip_forward = 0\n")
    files = [*_files(_text([(_REDIRECTS, "0")])), later]
    with sandbox(loader) as box:
        real = box.boot(files, _ROUTER)
    assert real.after[_REDIRECTS] == "1"
    winner = predict(loader, files, real.before, real.before).winners[_REDIRECTS]
    assert (winner.value, winner.file) == ("1", later.path)


@pytest.mark.parametrize("loader", _LOADERS)
def test_repeating_the_line_after_forwarding_helps_with_all_but_systemd(loader: Loader) -> None:
    files = _files(_text([(_REDIRECTS, "0"), (_FORWARD, "0"), (_REDIRECTS, "0")]))
    with sandbox(loader) as box:
        real = box.boot(files, _ROUTER)
    assert real.after[_REDIRECTS] == ("1" if loader is Loader.SYSTEMD else "0")
    assert predict(loader, files, real.before, real.before).winners[_REDIRECTS].value == real.after[_REDIRECTS]


@pytest.mark.parametrize("loader", _LOADERS)
def test_writing_an_equal_value_to_all_is_copied_by_all_but_systemd(loader: Loader) -> None:
    own, everyone = Key("net.ipv6.conf.v0.forwarding"), Key("net.ipv6.conf.all.forwarding")
    files = _files(_text([(everyone, "0")]))
    with sandbox(loader) as box:
        real = box.boot(files, [(own, "1")])
    assert real.before[own] == "1"
    assert real.after[own] == ("1" if loader is Loader.SYSTEMD else "0")
    winner = predict(loader, files, real.before, real.before).winners.get(own)
    assert (winner.value if winner is not None else "1") == real.after[own]


def _text(settings: Sequence[tuple[Key, str]]) -> str:
    return "".join(f"{key} = {value}\n" for key, value in settings)


def _files(text: str) -> list[SourceFile]:
    # OpenRC reads drop-ins only where there is a main file.
    return [SourceFile("/etc/sysctl.conf", b"# empty\n"), SourceFile("/etc/sysctl.d/99-x.conf", text.encode())]
