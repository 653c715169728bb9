"""What differs between versions of a loader, and that the model says how it is known."""

import pytest

from sysfleet.sysctl.key import Key
from sysfleet.sysctl.loaders import Boot, Loader, SourceFile, knows_globs, load_order, predict
from sysfleet.sysctl.versions import habits_of

_FORWARD = Key("net.ipv4.ip_forward")
_REDIRECTS = Key("net.ipv4.conf.all.accept_redirects")
_EXISTING = (_FORWARD, _REDIRECTS, *(Key(f"net.ipv4.conf.{name}.rp_filter") for name in ("all", "default", "eth0")))


def _boot(loader: Loader, version: str, text: str, start: dict[Key, str] | None = None) -> Boot:
    return predict(loader, [SourceFile("/etc/sysctl.d/a.conf", text.encode())], _EXISTING, start, version)


@pytest.mark.parametrize(
    ("loader", "version", "globs"),
    [
        (Loader.SYSTEMD, "", True),
        (Loader.SYSTEMD, "244", False),
        (Loader.SYSTEMD, "245", True),
        (Loader.SYSTEMD, "257.8-1.fc42", True),
        (Loader.PROCPS, "", True),
        (Loader.PROCPS, "3", False),
        (Loader.PROCPS, "3.3.17", False),
        (Loader.PROCPS, "4", True),
        (Loader.ALPINE, "1.36", False),
        (Loader.UNKNOWN, "", False),
    ],
)
def test_globs_are_for_present_versions(loader: Loader, version: str, *, globs: bool) -> None:
    assert knows_globs(loader, version) is globs


@pytest.mark.parametrize(("loader", "version"), [(Loader.SYSTEMD, "241"), (Loader.PROCPS, "3")])
def test_a_version_without_globs_writes_nothing_for_one_and_says_so(loader: Loader, version: str) -> None:
    boot = _boot(loader, version, "net.ipv4.conf.*.rp_filter = 1\n-net.ipv4.conf.all.rp_filter\nkernel.sysrq = 0\n")
    assert list(boot.winners) == ["kernel.sysrq"]
    assert [(one.line, "this version" in one.why) for one in boot.problems] == [(1, True), (2, True)]


def test_systemd_skips_equal_text_from_250_on() -> None:
    on = {_FORWARD: "1", _REDIRECTS: "0"}
    assert _boot(Loader.SYSTEMD, "250", f"{_FORWARD} = 1\n", on).writes == ()
    assert len(_boot(Loader.SYSTEMD, "249", f"{_FORWARD} = 1\n", on).writes) == 1


def test_before_232_systemd_writes_in_no_order_so_a_moved_key_is_uncertain() -> None:
    text = f"{_FORWARD} = 1\n{_REDIRECTS} = 1\nkernel.sysrq = 0\n"
    assert _boot(Loader.SYSTEMD, "219", text).uncertain == {_REDIRECTS}
    assert _boot(Loader.SYSTEMD, "232", text).uncertain == frozenset()


def test_a_dash_before_systemd_243_is_uncertain_since_some_distributions_brought_it_back() -> None:
    old = _boot(Loader.SYSTEMD, "239", "-kernel.sysrq = 0\nnet.core.somaxconn = 1\n")
    assert list(old.winners) == ["net.core.somaxconn"]
    assert old.uncertain == {"kernel.sysrq"}
    assert list(_boot(Loader.SYSTEMD, "243", "-kernel.sysrq = 0\n").winners) == ["kernel.sysrq"]


@pytest.mark.parametrize(("version", "written"), [("3.3.15", False), ("3.3.16", True), ("4", True)])
def test_procps_knows_the_dash_from_3_3_16_on(version: str, *, written: bool) -> None:
    assert (Key("kernel.sysrq") in _boot(Loader.PROCPS, version, "-kernel.sysrq = 0\n").winners) is written


@pytest.mark.parametrize(("version", "spared"), [("4", False), ("4.0.4", False), ("4.0.5", True), ("4.0.6", True)])
def test_procps_takes_patterns_in_exclusions_from_4_0_5_on(version: str, *, spared: bool) -> None:
    # A wildcard of an exclusion crosses the separators, that of a setting does not.
    boot = _boot(Loader.PROCPS, version, "net.ipv4.conf.*.rp_filter = 1\n-net.ipv4*eth0.*\n")
    assert (Key("net.ipv4.conf.eth0.rp_filter") not in boot.winners) is spared
    assert Key("net.ipv4.conf.all.rp_filter") in boot.winners


@pytest.mark.parametrize(("version", "winner"), [("3.3.16", "/run/sysctl.d/x.conf"), ("3", "/etc/sysctl.d/x.conf")])
def test_before_3_3_17_the_folder_in_run_went_before_the_one_in_etc(version: str, winner: str) -> None:
    files = [SourceFile(f"{folder}/sysctl.d/x.conf", b"kernel.sysrq = 0\n") for folder in ("/etc", "/run", "/usr/lib")]
    assert [file.path for file in load_order(Loader.PROCPS, files, version)] == [winner]


def test_procps_before_4_skips_an_empty_value_and_a_deprecated_key() -> None:
    text = "kernel.core_pattern =\nnet.ipv4.neigh.eth0.retrans_time = 1\n"
    assert _boot(Loader.PROCPS, "3", text).writes == ()
    assert len(_boot(Loader.PROCPS, "4", text).writes) == 2


@pytest.mark.parametrize(
    ("loader", "version", "known_from"),
    [
        (Loader.SYSTEMD, "252", "compared with the program"),
        (Loader.SYSTEMD, "", "compared with the program"),
        (Loader.SYSTEMD, "257", "from its source"),
        (Loader.SYSTEMD, "241", "from its source"),
        (Loader.PROCPS, "3", "compared with the program"),
        (Loader.PROCPS, "4.0.9", "from its source"),
        (Loader.ALPINE, "", "from the source of its script; BusyBox itself was compared"),
    ],
)
def test_a_prediction_says_what_its_model_was_held_against(loader: Loader, version: str, known_from: str) -> None:
    assert _boot(loader, version, "").known_from == known_from == habits_of(loader, version).known_from
