import pytest

from sysfleet.sysctl.key import Key
from sysfleet.sysctl.loaders import Boot, Loader, SourceFile, knows_globs, load_order, predict

_FORWARD = Key("net.ipv4.ip_forward")
_REDIRECTS = Key("net.ipv4.conf.all.accept_redirects")
_EXISTING = (
    _FORWARD,
    Key("net.ipv4.conf.all.forwarding"),
    _REDIRECTS,
    *(Key(f"net.ipv4.conf.{name}.rp_filter") for name in ("all", "default", "eth0", "eth1/5")),
)
_ALL_LOADERS = [Loader.SYSTEMD, Loader.PROCPS, Loader.ALPINE, Loader.OPENRC]


def _boot(loader: Loader, *files: tuple[str, str], start: dict[Key, str] | None = None) -> Boot:
    sources = [SourceFile(path, text.encode()) for path, text in files]
    return predict(loader, sources, _EXISTING, start)


def _order(loader: Loader, *paths: str) -> list[str]:
    return [file.path for file in load_order(loader, [SourceFile(path, b"x.y=1\n") for path in paths])]


def test_drop_ins_are_read_by_name_and_the_main_file_last_if_at_all() -> None:
    paths = [
        "/etc/sysctl.conf",
        "/etc/sysctl.d/9-b.conf",
        "/usr/lib/sysctl.d/10-a.conf",
        "/etc/sysctl.d/99-Z.conf",
        "/run/sysctl.d/99-a.conf",
        "/etc/sysctl.d/.hidden.conf",
        "/etc/sysctl.d/readme.txt",
        "/opt/sysctl.d/x.conf",
    ]
    by_name = [
        "/usr/lib/sysctl.d/10-a.conf",
        "/etc/sysctl.d/9-b.conf",
        "/etc/sysctl.d/99-Z.conf",
        "/run/sysctl.d/99-a.conf",
    ]
    assert _order(Loader.SYSTEMD, *paths) == by_name
    assert _order(Loader.PROCPS, *paths) == ["/etc/sysctl.d/.hidden.conf", *by_name, "/etc/sysctl.conf"]
    assert _order(Loader.ALPINE, *paths) == [
        "/usr/lib/sysctl.d/10-a.conf",
        "/etc/sysctl.d/9-b.conf",
        "/etc/sysctl.d/99-Z.conf",
        "/etc/sysctl.conf",
        "/run/sysctl.d/99-a.conf",
    ]
    assert _order(Loader.OPENRC, *paths) == [
        "/etc/sysctl.conf",
        "/etc/sysctl.d/9-b.conf",
        "/etc/sysctl.d/99-Z.conf",
    ]
    assert _order(Loader.UNKNOWN, *paths) == []


@pytest.mark.parametrize(
    ("loader", "winner"),
    [
        (Loader.SYSTEMD, "/etc/sysctl.d/x.conf"),
        (Loader.PROCPS, "/etc/sysctl.d/x.conf"),
        (Loader.ALPINE, "/run/sysctl.d/x.conf"),
    ],
)
def test_of_one_name_in_several_folders_only_one_is_read(loader: Loader, winner: str) -> None:
    folders = ("/usr/lib/sysctl.d", "/run/sysctl.d", "/etc/sysctl.d")
    assert _order(loader, *(f"{folder}/x.conf" for folder in folders)) == [winner]


@pytest.mark.parametrize(
    "mask",
    [
        SourceFile("/etc/sysctl.d/x.conf", b""),
        SourceFile("/etc/sysctl.d/x.conf", b"", "/dev/null"),
        SourceFile("/etc/sysctl.d/x.conf", None, "/nowhere"),
    ],
)
@pytest.mark.parametrize("loader", [Loader.SYSTEMD, Loader.PROCPS])
def test_a_mask_hides_the_vendors_file(loader: Loader, mask: SourceFile) -> None:
    vendor = SourceFile("/usr/lib/sysctl.d/x.conf", b"kernel.sysrq = 1\n")
    assert load_order(loader, [vendor, mask]) == ()


def test_for_alpine_a_link_to_the_null_device_hides_nothing() -> None:
    vendor = SourceFile("/usr/lib/sysctl.d/x.conf", b"kernel.sysrq = 1\n")
    link = SourceFile("/etc/sysctl.d/x.conf", b"", "/dev/null")
    assert load_order(Loader.ALPINE, [vendor, link]) == (vendor,)
    assert load_order(Loader.ALPINE, [vendor, SourceFile("/etc/sysctl.d/x.conf", b"")]) == ()


def test_openrc_with_busybox_reads_nothing_without_the_main_file() -> None:
    assert _order(Loader.OPENRC, "/etc/sysctl.d/a.conf") == []


def test_a_file_that_could_not_be_read_is_a_problem() -> None:
    boot = predict(Loader.SYSTEMD, [SourceFile("/etc/sysctl.d/a.conf", None)], _EXISTING)
    assert [(problem.file, problem.why) for problem in boot.problems] == [
        ("/etc/sysctl.d/a.conf", "the file could not be read")
    ]


def test_the_later_line_wins_with_its_file_and_number() -> None:
    boot = _boot(
        Loader.SYSTEMD,
        ("/etc/sysctl.d/1.conf", "kernel.sysrq=1\n"),
        ("/etc/sysctl.d/2.conf", "\nkernel.sysrq=0x0\n"),
    )
    winner = boot.winners[Key("kernel.sysrq")]
    assert (winner.value, winner.file, winner.line) == ("0", "/etc/sysctl.d/2.conf", 2)
    assert len(boot.writes) == 1


def test_repeating_a_line_after_the_mover_helps_with_procps_and_not_with_systemd() -> None:
    text = f"{_REDIRECTS}=0\n{_FORWARD}=0\n{_REDIRECTS}=0\n"
    was_router = {_FORWARD: "1", _REDIRECTS: "0"}
    systemd = _boot(Loader.SYSTEMD, ("/etc/sysctl.d/a.conf", text), start=was_router)
    procps = _boot(Loader.PROCPS, ("/etc/sysctl.d/a.conf", text), start=was_router)
    assert (systemd.winners[_REDIRECTS].value, systemd.winners[_REDIRECTS].line) == ("1", 2)
    assert (procps.winners[_REDIRECTS].value, procps.winners[_REDIRECTS].line) == ("0", 3)


def test_at_a_boot_forwarding_is_off_so_only_turning_it_on_moves_anything() -> None:
    off = _boot(Loader.SYSTEMD, ("/etc/sysctl.d/a.conf", f"{_REDIRECTS}=0\n{_FORWARD}=0\n"))
    on = _boot(Loader.SYSTEMD, ("/etc/sysctl.d/a.conf", f"{_REDIRECTS}=1\n{_FORWARD}=1\n"))
    assert (off.winners[_REDIRECTS].value, off.winners[_REDIRECTS].line) == ("0", 1)
    assert (on.winners[_REDIRECTS].value, on.winners[_REDIRECTS].line) == ("0", 2)
    assert on.winners[Key("net.ipv4.conf.all.forwarding")].line == 2


@pytest.mark.parametrize("loader", [Loader.SYSTEMD, Loader.PROCPS])
def test_an_explicit_line_beats_a_glob_wherever_it_stands(loader: Loader) -> None:
    boot = _boot(
        loader,
        ("/etc/sysctl.d/1.conf", "net.ipv4.conf.eth0.rp_filter=2\n-net.ipv4.conf.all.rp_filter\n"),
        ("/etc/sysctl.d/2.conf", "net.ipv4.conf.*.rp_filter=1\n"),
    )
    values = {str(key): setting.value for key, setting in boot.winners.items()}
    assert values == {
        "net.ipv4.conf.default.rp_filter": "1",
        "net.ipv4.conf.eth0.rp_filter": "2",
        "net.ipv4.conf.eth1/5.rp_filter": "1",
    }


def test_a_setting_that_is_excluded_later_is_dropped_by_systemd_and_written_by_procps() -> None:
    text = "kernel.sysrq=0\n-kernel.sysrq\n"
    assert Key("kernel.sysrq") not in _boot(Loader.SYSTEMD, ("/etc/sysctl.d/a.conf", text)).winners
    assert Key("kernel.sysrq") in _boot(Loader.PROCPS, ("/etc/sysctl.d/a.conf", text)).winners


def test_a_refused_override_leaves_nothing_with_systemd_and_the_earlier_value_with_procps() -> None:
    text = "net.ipv4.tcp_tw_reuse=1\nnet.ipv4.tcp_tw_reuse=7\n"
    systemd = _boot(Loader.SYSTEMD, ("/etc/sysctl.d/a.conf", text))
    procps = _boot(Loader.PROCPS, ("/etc/sysctl.d/a.conf", text))
    assert systemd.winners == {}
    assert procps.winners[Key("net.ipv4.tcp_tw_reuse")].value == "1"
    assert [(one.line, one.why) for one in systemd.problems] == [(2, "the kernel refuses the value")]


def test_busybox_stops_at_the_first_refused_value_of_a_file_and_goes_on_with_the_next() -> None:
    boot = _boot(
        Loader.ALPINE,
        ("/etc/sysctl.d/1.conf", "kernel.sysrq=1\nnet.ipv4.tcp_tw_reuse=7\nnet.core.somaxconn=1\n"),
        ("/etc/sysctl.d/2.conf", "net.ipv4.tcp_rfc1337=1\n"),
    )
    assert list(boot.winners) == ["kernel.sysrq", "net.ipv4.tcp_rfc1337"]
    assert [(one.line, one.stops) for one in boot.problems] == [(2, True)]


@pytest.mark.parametrize("line", ["net.ipv4.conf.*.rp_filter=1", "-kernel.sysrq=1", "-kernel.sysrq", "kernel.sysrq="])
def test_busybox_ignores_what_it_does_not_know(line: str) -> None:
    assert not knows_globs(Loader.ALPINE)
    boot = _boot(Loader.ALPINE, ("/etc/sysctl.conf", line + "\nnet.core.somaxconn=1\n"))
    assert list(boot.winners) == ["net.core.somaxconn"]
    assert [one.line for one in boot.problems] == [1]


def test_busybox_finds_an_interface_with_dots_that_the_others_do_not() -> None:
    line = ("/etc/sysctl.conf", "net.ipv4.conf.eth1.5.rp_filter=1\n")
    dotted = Key("net.ipv4.conf.eth1/5.rp_filter")
    assert dotted in _boot(Loader.ALPINE, line).winners
    assert dotted not in _boot(Loader.PROCPS, line).winners


def test_openrcs_shell_loop_keeps_the_first_word_alone() -> None:
    boot = _boot(
        Loader.OPENRC,
        (
            "/etc/sysctl.conf",
            "net.ipv4.tcp_rmem = 4096 131072 6291456\nkernel.sysrq =1\nnet.core.somaxconn=5\nlast.key=1",
        ),
    )
    assert [(write.key, write.value) for write in boot.writes] == [
        ("net.ipv4.tcp_rmem", "4096"),
        ("net.core.somaxconn", "5"),
    ]
    assert [one.line for one in boot.problems][:1] == [2]


def test_systemd_ends_a_line_also_where_only_a_carriage_return_stands() -> None:
    text = ("/etc/sysctl.d/a.conf", "# harmless\rkernel.sysrq=1\n")
    assert Key("kernel.sysrq") in _boot(Loader.SYSTEMD, text).winners
    assert Key("kernel.sysrq") not in _boot(Loader.PROCPS, text).winners


@pytest.mark.parametrize("loader", _ALL_LOADERS)
def test_a_line_without_assignment_is_a_problem_with_file_and_line(loader: Loader) -> None:
    boot = _boot(loader, ("/etc/sysctl.conf", "\n"), ("/etc/sysctl.d/a.conf", "kernel.sysrq=1\nnonsense\n"))
    assert [(one.file, one.line) for one in boot.problems] == [("/etc/sysctl.d/a.conf", 2)]
    assert Key("kernel.sysrq") in boot.winners


def test_an_unknown_loader_promises_nothing() -> None:
    boot = _boot(Loader.UNKNOWN, ("/etc/sysctl.conf", "kernel.sysrq=1\n"))
    assert (boot.winners, boot.writes, boot.problems) == ({}, (), ())
