"""The read program in throw-away namespaces, under every shell, and its parser with hostile input."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.errors import ReadError
from sysfleet.host import Facts, Reading, Running, RunningState
from sysfleet.remote.programs.checksum import cksum
from sysfleet.remote.programs.reading import LIMIT_FILES_BYTES, ReadRequest, parse_reading, read_program
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.loaders import Loader, SourceFile
from tests.remote.boxes import Box, Shell

ABSENT = Running(RunningState.ABSENT)
UNREADABLE = Running(RunningState.UNREADABLE)
UNSET = Running(RunningState.UNSET)


def value(text: str) -> Running:
    return Running(RunningState.VALUE, text)


def read(host: Box, shell: Shell, *patterns: str, **environment: str) -> Reading:
    program = read_program(ReadRequest(tuple(Key(pattern) for pattern in patterns)))
    framed = host.perform(shell, program, **environment)
    assert framed.status == 0
    return parse_reading(framed.body)


def files(reading: Reading) -> dict[str, SourceFile]:
    return {file.path: file for file in reading.files if not file.path.startswith(("/usr/lib/", "/lib/"))}


def test_a_value_an_absent_an_unreadable_and_an_unset_key_are_told_apart(host: Box, shell: Shell) -> None:
    host.set("net/ipv4/tcp_rmem", "4096 131072 6291456")
    reading = read(
        host,
        shell,
        "net.ipv4.tcp_rmem",
        "net.core.somaxconn",
        "net.ipv4.no_such_key",
        "net.ipv4.conf",
        "net.ipv4.route.flush",
        "net.ipv6.conf.lo.stable_secret",
    )
    assert reading.values == {
        "net.ipv4.tcp_rmem": value("4096 131072 6291456"),
        "net.core.somaxconn": value(host.get("net/core/somaxconn")),
        "net.ipv4.no_such_key": ABSENT,
        "net.ipv4.conf": ABSENT,
        "net.ipv4.route.flush": UNREADABLE,
        "net.ipv6.conf.lo.stable_secret": UNSET,
    }
    assert len(host.get("net/core/somaxconn")) > 1, "one digit would hide that only one was read"


def test_a_secret_that_is_set_is_read_whole(host: Box, shell: Shell) -> None:
    host.set("net/ipv6/conf/lo/stable_secret", "2001:db8::1234:5678")
    reading = read(host, shell, "net.ipv6.conf.*.stable_secret")
    shown = reading.text(Key("net.ipv6.conf.lo.stable_secret"))
    assert shown == "2001:0db8:0000:0000:0000:0000:1234:5678"


def test_globs_are_the_host_s_to_expand(host: Box, shell: Shell) -> None:
    host.sh("ip link add eth0.100 type veth peer name va0")
    reading = read(host, shell, "net.ipv4.conf.*.rp_filter", "net.ipv6.conf.v?0.accept_ra", "net.ipv4.nosuch*.x")
    assert set(reading.values) == {
        "net.ipv4.conf.all.rp_filter",
        "net.ipv4.conf.default.rp_filter",
        "net.ipv4.conf.lo.rp_filter",
        "net.ipv4.conf.va0.rp_filter",
        "net.ipv4.conf.eth0/100.rp_filter",
        "net.ipv6.conf.va0.accept_ra",
    }
    assert set(reading.facts.interfaces) == {"lo", "eth0.100", "va0"}


def test_a_glob_in_the_last_component_passes_over_folders(host: Box, shell: Shell) -> None:
    reading = read(host, shell, "net.ipv4.i*")
    assert reading.text(Key("net.ipv4.ip_forward")) == host.get("net/ipv4/ip_forward")
    assert reading.text(Key("net.ipv4.icmp_ratelimit")) == host.get("net/ipv4/icmp_ratelimit")


def test_files_come_back_byte_for_byte_with_links_folders_and_what_masks(host: Box, shell: Shell) -> None:
    folder = host.etc / "sysctl.d"
    contents = {
        "10-plain.conf": b"net.ipv4.ip_forward = 0\n",
        "20-no-end.conf": b"a = 1",
        "30-empty.conf": b"",
        "40-bytes.conf": bytes(range(256)) * 3,
        "50-header.conf": b"==> /etc/sysctl.conf <==\n\n==> x <==\n",
        "60-blank name.conf": b"\n\n\n",
        ".hidden.conf": b"h = 1\n",
    }
    for name, data in contents.items():
        (folder / name).write_bytes(data)
    (folder / "not-read.txt").write_bytes(b"x = 1\n")
    (host.etc / "sysctl.conf").write_bytes(b"last = 1\n")
    (host.etc / "ufw").mkdir()
    (host.etc / "ufw/sysctl.conf").write_bytes(b"net/ipv4/ip_forward=1\n")
    (host.run / "sysctl.d").mkdir()
    (host.run / "sysctl.d/10-run.conf").write_bytes(b"r = 1\n")
    (folder / "70-mask.conf").symlink_to("/dev/null")
    (folder / "71-dangling.conf").symlink_to("nowhere")
    (folder / "72-link.conf").symlink_to("10-plain.conf")
    (folder / "99-sysctl.conf").symlink_to("../sysctl.conf")
    (folder / "80-folder.conf").mkdir()
    (host.etc / "elsewhere").write_bytes(b"e = 1\n")
    (folder / "73-other.conf").symlink_to("/etc/elsewhere")

    found = files(read(host, shell))

    expected = {f"/etc/sysctl.d/{name}": SourceFile(f"/etc/sysctl.d/{name}", data) for name, data in contents.items()}
    others: list[tuple[str, bytes | None, str | None]] = [
        ("/etc/sysctl.conf", b"last = 1\n", None),
        ("/etc/ufw/sysctl.conf", b"net/ipv4/ip_forward=1\n", None),
        ("/run/sysctl.d/10-run.conf", b"r = 1\n", None),
        ("/etc/sysctl.d/70-mask.conf", b"", "/dev/null"),
        ("/etc/sysctl.d/71-dangling.conf", None, "nowhere"),
        ("/etc/sysctl.d/72-link.conf", contents["10-plain.conf"], "10-plain.conf"),
        ("/etc/sysctl.d/99-sysctl.conf", b"last = 1\n", "/etc/sysctl.conf"),
        ("/etc/sysctl.d/80-folder.conf", None, None),
        ("/etc/sysctl.d/73-other.conf", b"e = 1\n", "/etc/elsewhere"),
    ]
    expected |= {path: SourceFile(path, data, link) for path, data, link in others}
    assert found == expected


def test_a_host_without_any_file_is_read_too(host: Box, shell: Shell) -> None:
    host.sh("mount -t tmpfs none /usr/lib/sysctl.d 2>/dev/null || :")
    reading = read(host, shell)
    assert (reading.files, reading.files_token) == ((), "")


def test_the_token_is_what_cksum_prints(host: Box, shell: Shell) -> None:
    (host.etc / "sysctl.d/10-a.conf").write_bytes(bytes(range(256)) * 5)
    reading = read(host, shell)
    printed = host.sh("cksum /etc/sysctl.d/10-a.conf")
    assert printed in reading.files_token.splitlines()


def test_files_beyond_the_limit_are_told(host: Box, shell: Shell) -> None:
    (host.etc / "sysctl.d/10-large.conf").write_bytes(b"#" * (LIMIT_FILES_BYTES + 10))
    with pytest.raises(ReadError, match="more than 2000000 bytes"):
        read(host, shell)


def test_four_hundred_drop_ins_are_read(host: Box, shell: Shell) -> None:
    for number in range(400):
        (host.etc / f"sysctl.d/{number:03}.conf").write_bytes(b"net.ipv4.ip_forward = 0\n" * number)
    found = files(read(host, shell))
    assert len(found) == 400
    assert found["/etc/sysctl.d/399.conf"].content == b"net.ipv4.ip_forward = 0\n" * 399


def test_facts_of_the_machine_are_right(host: Box, shell: Shell) -> None:
    facts = read(host, shell).facts
    assert facts.kernel == Path("/proc/sys/kernel/osrelease").read_text().strip()
    assert facts.boot_id == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert (facts.distribution, facts.distribution_version) == ("testing", "7.1")
    assert facts.cpus >= 1
    assert facts.memory_kib > 1000
    assert 0 < facts.uptime_s <= host.uptime_s()
    assert facts.uid == 0
    assert facts.proc_sys_writable
    assert facts.ipv6 is (host.sh("[ -d /proc/sys/net/ipv6/conf ] && echo yes || echo no") == "yes")
    assert facts.stand_in is None
    assert facts.loader is Loader.UNKNOWN


def test_a_read_only_proc_sys_is_told(host: Box, shell: Shell) -> None:
    host.sh("mount --bind /proc/sys /proc/sys && mount -o remount,bind,ro /proc/sys")
    assert not read(host, shell).facts.proc_sys_writable


@pytest.mark.parametrize(
    ("made", "loader", "enabled", "init"),
    [
        ("mkdir -p run/systemd/system", None, True, "systemd"),
        (
            "mkdir -p run/systemd/system; ln -s /dev/null run/systemd/system/systemd-sysctl.service",
            None,
            False,
            "systemd",
        ),
        ("mkdir -p etc/init.d etc/rcS.d; >etc/init.d/procps; >etc/rcS.d/S02procps", Loader.PROCPS, True, "sysvinit"),
        ("mkdir -p etc/init.d; >etc/init.d/procps", Loader.PROCPS, False, "sysvinit"),
        (
            "cd etc; mkdir -p init.d runlevels/boot; touch alpine-release init.d/sysctl runlevels/boot/sysctl",
            Loader.ALPINE,
            True,
            "openrc",
        ),
        ("mkdir -p etc/init.d run/openrc; >etc/init.d/sysctl", Loader.OPENRC, False, "openrc"),
    ],
)
def test_the_loader_is_known_by_what_is_there(
    host: Box, shell: Shell, made: str, loader: Loader | None, enabled: bool, init: str
) -> None:
    subprocess.run(["sh", "-ec", made], cwd=host.etc.parent, check=True)
    facts = read(host, shell).facts
    if loader is None:  # whether the program is there is this machine's affair
        there = any(Path(folder, "systemd/systemd-sysctl").exists() for folder in ("/usr/lib", "/lib"))
        loader = Loader.SYSTEMD if there else Loader.UNKNOWN
    assert (facts.loader, facts.loader_enabled, facts.init) == (loader, enabled, init)


@pytest.mark.parametrize(
    ("library", "init", "version"),
    [
        ("usr/lib/x86_64-linux-gnu/libproc2.so.0", "etc/init.d/procps", "4.0.4"),
        ("usr/lib/x86_64-linux-gnu/libproc2.so.1", "etc/init.d/procps", "4.0.5"),
        ("lib/x86_64-linux-gnu/libprocps.so.8.0.3", "etc/init.d/procps", "3.3.17"),
        ("lib/x86_64-linux-gnu/libprocps.so.8.0.2", "etc/init.d/procps", "3.3.16"),
        ("lib/x86_64-linux-gnu/libprocps.so.7.1.0", "etc/init.d/procps", "3.3.15"),
        ("usr/lib/x86_64-linux-gnu/systemd/libsystemd-shared-257.so", "run/systemd/system/x", "257"),
        ("usr/lib64/systemd/libsystemd-shared-252-18.el9.so", "run/systemd/system/x", "252-18.el9"),
        ("lib/systemd/libsystemd-shared-241.so", "run/systemd/system/x", "241"),
    ],
)
def test_the_loaders_version_is_known_by_its_library(
    host: Box, shell: Shell, tmp_path: Path, library: str, init: str, version: str
) -> None:
    root = tmp_path / "stand in"
    for path in (library, init, "proc/sys/x", "usr/lib/systemd/systemd-sysctl", "run/x"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    assert read(host, shell, SYSFLEET_STAND_IN=str(root)).facts.loader_version == version


def test_later_writers_are_named(host: Box, shell: Shell) -> None:
    for path in ("ufw", "tuned"):
        (host.etc / path).mkdir()
    (host.etc / "ufw/ufw.conf").write_text("# x\nENABLED=yes\n")
    (host.etc / "tuned/active_profile").write_text("throughput\x1b[31m-performance\n")
    for path in ("tuned", "systemd/netif/links", "NetworkManager", "libvirt"):
        (host.run / path).mkdir(parents=True)
    (host.run / "docker.sock").touch()
    writers = read(host, shell).facts.later_writers
    assert set(writers) >= {
        "ufw",
        "tuned: throughput-performance",
        "networkd",
        "NetworkManager",
        "docker",
        "libvirt",
    }


def test_a_folder_can_stand_in_for_the_host(host: Box, shell: Shell, tmp_path: Path) -> None:
    root = tmp_path / "stand in"
    (root / "proc/sys/net/ipv4/conf/eth7").mkdir(parents=True)
    (root / "proc/sys/net/ipv4/ip_forward").write_text("1\n")
    (root / "proc/sys/net/ipv4/conf/eth7/rp_filter").write_text("2\n")
    (root / "etc/sysctl.d").mkdir(parents=True)
    (root / "etc/sysctl.d/10-a.conf").write_text("a = 1\n")
    reading = read(host, shell, "net.ipv4.ip_forward", "net.ipv4.conf.*.rp_filter", SYSFLEET_STAND_IN=str(root))
    assert reading.values == {
        "net.ipv4.ip_forward": value("1"),
        "net.ipv4.conf.eth7.rp_filter": value("2"),
    }
    assert reading.facts.stand_in == str(root)
    assert reading.facts.interfaces == ("eth7",)
    assert reading.files == (SourceFile("/etc/sysctl.d/10-a.conf", b"a = 1\n"),)


def test_the_same_number_of_processes_whatever_is_read(host: Box, shell: Shell) -> None:
    def started(program: bytes) -> int:
        # Numbers in a PID namespace of one's own are given out one by one.
        before = int(host.sh("echo $$"))
        host.perform(shell, program)
        return int(host.sh("echo $$")) - before

    def reading(*patterns: str) -> int:
        return started(read_program(ReadRequest(tuple(Key(pattern) for pattern in patterns)))) - nothing

    nothing = started(b":")
    host.sh("mount -t tmpfs none /usr/lib/sysctl.d 2>/dev/null || :")
    assert reading("net.ipv4.ip_forward") == 2, "a pipe of two"
    for number in range(50):
        (host.etc / f"sysctl.d/{number}.conf").write_bytes(b"x\n")
    host.sh("for i in 1 2 3 4 5 6 7 8; do ip link add a$i type veth peer name b$i; done")
    patterns = ("net.ipv4.conf.*.rp_filter", "net.ipv6.conf.*.accept_ra", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem")
    assert reading(*patterns) == 3, "and one for all files"


@pytest.mark.parametrize(
    "wrong",
    ["net..x", "..", "net.ipv4.a\nb", "net/../../etc/passwd", "net.ipv4.$(id)*", "net.ipv4.*;reboot", "net.ipv4.`*`"],
)
def test_keys_that_could_do_harm_are_not_sent(wrong: str) -> None:
    with pytest.raises(ValueError):
        read_program(ReadRequest((Key(wrong),)))


def test_an_odd_but_possible_key_is_sent_quoted(host: Box, shell: Shell) -> None:
    assert read(host, shell, "net.ipv4.it's $(touch x);x").values == {}


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"hello",
        b"V net/ipv4/ip_forward\t0\n",
        b"files\n/etc/a.conf\ncontents\n",
        b"files\n/etc/a.conf\ncontents\n==> /etc/b.conf <==\nx\n==> /dev/null <==\n",
        b"files\n/etc/a.conf\ncontents\n==> /etc/a.conf <==\nx",
        b"files\nZ what\ncontents\n",
        b"missing awk\n",
        b"awk: read error\nbroken awk\n",
        b"toomany 5000\n",
    ],
)
def test_an_answer_that_is_no_reading_is_a_read_error(answer: bytes) -> None:
    with pytest.raises(ReadError):
        parse_reading(answer)


def test_words_of_a_hostile_host_lose_what_a_terminal_would_obey() -> None:
    answer = (
        b"F hostname\tweb1\x1b[2J\x07\nF kernel\t" + b"6" * 10_000 + b"\nF uid\t\xc2\xb2\nF cpus\t9-1,0-3\n"
        b"F memory\tMemTotal: 99999999999999999999 kB\nF uptime\tnan\nI lo\nF loader\tnonsense\n"
        b"V net/a\t1\x1b[31m\x00 2\nfiles\ncontents\n"
    )
    reading = parse_reading(answer)
    assert reading.facts.hostname == "web1"
    assert len(reading.facts.kernel) == 200
    assert reading.facts.interfaces == ("lo",)
    assert reading.facts.cpus == 4
    assert reading.facts.loader is Loader.UNKNOWN
    assert reading.values == {"net.a": value("1 2")}


@given(st.binary(max_size=300))
def test_no_answer_crashes_the_parser(answer: bytes) -> None:
    for text in (
        answer,
        answer + b"\nfiles\ncontents\n",
        b"F uid\t" + answer + b"\nfiles\n" + answer + b"\ncontents\n",
    ):
        try:
            reading = parse_reading(text)
        except ReadError:
            continue
        assert isinstance(reading.facts, Facts)


@given(st.binary(max_size=2000))
def test_the_checksum_is_posix_s(data: bytes) -> None:
    assert cksum(data) == _slow_cksum(data)


def _slow_cksum(data: bytes) -> int:
    size = len(data)
    length = b"" if size == 0 else size.to_bytes((size.bit_length() + 7) // 8, "little")
    state = 0
    for byte in data + length:
        state ^= byte << 24
        for _ in range(8):
            state = ((state << 1) ^ (0x04C11DB7 if state & 0x80000000 else 0)) & 0xFFFFFFFF
    return state ^ 0xFFFFFFFF


def test_the_checksum_of_nothing_is_the_known_one() -> None:
    assert cksum(b"") == 4294967295


def test_an_interface_with_a_name_of_other_letters_is_read_like_any(host: Box, shell: Shell) -> None:
    host.sh("ip link add dé type dummy 2>/dev/null || ip link add dé type veth peer name dé2")
    host.set("net/ipv4/conf/dé/rp_filter", "2")
    reading = read(host, shell, "net.ipv4.conf.*.rp_filter")
    assert reading.text(Key("net.ipv4.conf.dé.rp_filter")) == "2"
    assert "dé" in reading.facts.interfaces


def test_a_name_that_nobody_can_see_is_an_error_and_not_left_out(host: Box, shell: Shell) -> None:
    host.sh("ip link add \"$(printf 'a\\033[2J')\" type veth peer name plain0")
    with pytest.raises(ReadError, match="no plain text") as caught:
        read(host, shell, "net.ipv4.conf.*.rp_filter")
    assert "\x1b" not in str(caught.value)
