"""The models of the loaders against the real programs, on real keys, over random trees of files."""

from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sysfleet.sysctl.key import Key
from sysfleet.sysctl.loaders import Loader, SourceFile, predict
from sysfleet.sysctl.value import same
from tests.support.boots import Sandbox, sandbox
from tests.support.trees import as_json, kept_trees, trees

_TREES = 250  # for each of four loaders
_FORWARDING = [(), ((Key("net.ipv4.ip_forward"), "1"),), ((Key("net.ipv6.conf.all.forwarding"), "1"),)]


@pytest.mark.parametrize("loader", [Loader.SYSTEMD, Loader.PROCPS, Loader.ALPINE, Loader.OPENRC])
def test_the_model_is_right_where_it_once_was_wrong(loader: Loader) -> None:
    with sandbox(loader) as box:
        for name, files in kept_trees().items():
            for start in _FORWARDING:
                assert disagreements(box, loader, files, start) == {}, (name, start)


@pytest.mark.parametrize("loader", [Loader.SYSTEMD, Loader.PROCPS, Loader.ALPINE, Loader.OPENRC])
def test_the_model_predicts_what_the_real_loader_leaves(loader: Loader) -> None:
    with sandbox(loader) as box:

        @settings(max_examples=_TREES, database=None)
        @given(files=trees(), start=st.sampled_from(_FORWARDING))
        def check(files: tuple[SourceFile, ...], start: tuple[tuple[Key, str], ...]) -> None:
            assert disagreements(box, loader, files, start) == {}, f"start {start}, to keep: {as_json(files)}"

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
