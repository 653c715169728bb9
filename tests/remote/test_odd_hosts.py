"""Programs on hosts that are odd: places that cannot be written to, read-only keys, missing programs, start files.

Whatever is in the way is found before the first value is written; under every shell, with the kernel's own words.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import MappingProxyType

import pytest

from sysfleet.host import Facts, Reading
from sysfleet.remote.programs.changing import ChangeRecord, ChangeRequest, change_program, parse_change
from sysfleet.remote.programs.persisting import PersistRecord, PersistRequest, parse_persist, persist_program
from sysfleet.remote.programs.placing import OurFile
from sysfleet.remote.programs.reading import ReadRequest, parse_reading, read_program
from sysfleet.remote.programs.reverting import RevertRecord, parse_revert, revert_program
from sysfleet.sysctl.key import Key
from tests.remote.boxes import Box, Shell, shells
from tests.support.needs import needs

PATH = "/etc/sysctl.d/99-zz-sysfleet.conf"
HEADER = "# Written by sysfleet."
CONTENT = f"{HEADER}\nnet.ipv4.tcp_syncookies = 2\n".encode()
COOKIES = Key("net.ipv4.tcp_syncookies")
REUSE = Key("net.ipv4.tcp_tw_reuse")


@pytest.fixture
def every_shell(tmp_path: Path) -> Sequence[Shell]:
    """One after the other in one box: what is refused leaves the box as it was."""
    for name in ("dash", "bash", "busybox"):
        needs(name)
    return tuple(shells(tmp_path).values())


@pytest.fixture
def dash(tmp_path: Path) -> Shell:
    needs("dash")
    return shells(tmp_path)["dash"]


def read(host: Box, shell: Shell, *patterns: Key, **environment: str) -> Reading:
    return parse_reading(host.perform(shell, read_program(ReadRequest(patterns)), **environment).body)


def change(
    host: Box,
    shell: Shell,
    content: bytes | None = CONTENT,
    *,
    run: str = "r1",
    settle: Sequence[tuple[Key, str]] = ((COOKIES, "2"),),
    reading: Reading | None = None,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> ChangeRecord:
    reading = reading or read(host, shell, *(key for key, _ in settle))
    request = ChangeRequest(
        run_id=run,
        not_after_s=host.uptime_s() + 60,
        compare=tuple(reading.values.items()),
        settle=settle,
        read_back=tuple(key for key, _ in settle),
        files_token=reading.files_token,
        file=OurFile(PATH, content, HEADER),
    )
    return parse_change(host.perform(shell, change_program(request), **environment).body)


def persist(
    host: Box,
    shell: Shell,
    content: bytes | None = CONTENT,
    *,
    run: str = "r1",
    environment: Mapping[str, str] = MappingProxyType({}),
) -> PersistRecord:
    token = read(host, shell).files_token
    request = PersistRequest(run, host.uptime_s() + 60, PATH, content, token, (), HEADER, armed=True)
    return parse_persist(host.perform(shell, persist_program(request), **environment).body)


def put_back(host: Box, shell: Shell) -> RevertRecord:
    return parse_revert(host.perform(shell, revert_program("r1", "a test")).body)


def inside(host: Box) -> str:
    """What is in our file's folder and in the folder of the host's state, as the host itself sees it."""
    return host.sh("mkdir -p -m 0700 /run/sysfleet; ls -A /etc/sysctl.d/ /run/sysfleet 2>&1 | grep -v lock || :")


PLACES: Mapping[str, tuple[str, str, str]] = {
    "a folder that is read-only": (
        "mount --bind /etc/sysctl.d /etc/sysctl.d; mount -o remount,bind,ro /etc/sysctl.d",
        "blocked",
        "/etc/sysctl.d: Read-only file system",
    ),
    "a disk without space": (
        "mount -t tmpfs -o size=4k none /etc/sysctl.d; cat /dev/zero >/etc/sysctl.d/full 2>/dev/null || :",
        "failed",
        "/etc/sysctl.d: No space left on device",
    ),
    "a disk without inodes": (
        "mount -t tmpfs -o nr_inodes=2 none /etc/sysctl.d; >/etc/sysctl.d/last",
        "failed",
        "/etc/sysctl.d: No space left on device",
    ),
    "no folder where none can be made": (
        "rmdir /etc/sysctl.d; mount --bind /etc /etc; mount -o remount,bind,ro /etc",
        "blocked",
        "/etc/sysctl.d: Read-only file system",
    ),
    "a folder that is a link": (
        "mkdir /etc/other; rmdir /etc/sysctl.d; ln -s other /etc/sysctl.d",
        "blocked",
        "/etc/sysctl.d is a link",
    ),
    "a file that is a link": (f"ln -s /etc/passwd {PATH}", "blocked", "the file is a link"),
    "a folder in our place": (f"mkdir {PATH}", "blocked", "the file is not a regular file"),
    "somebody else's file": (f"echo a = 1 >{PATH}", "blocked", "the file is not ours: its first line is another"),
    "a file on a read-only mount of its own": (
        f"echo '{HEADER}' >{PATH}; mount --bind {PATH} {PATH}; mount -o remount,bind,ro {PATH}",
        "blocked",
        f"{PATH}: Read-only file system",
    ),
}


@pytest.mark.parametrize("made", PLACES)
def test_a_place_that_our_file_cannot_have_is_told_before_the_first_write(
    host: Box, every_shell: Sequence[Shell], made: str
) -> None:
    how, state, why = PLACES[made]
    host.sh(f"set -e; {how}")
    before = inside(host), host.get("net/ipv4/tcp_syncookies")
    for shell in every_shell:
        large = CONTENT + b"#" * 5000 + b"\n"
        record = change(host, shell, large)
        assert (record.state, record.why, record.written) == (state, why, ()), shell.name
        assert (inside(host), host.get("net/ipv4/tcp_syncookies")) == before, shell.name


def with_attribute(host: Box, attribute: str) -> None:
    ours = host.etc / "sysctl.d/99-zz-sysfleet.conf"
    ours.write_bytes(CONTENT + b"# old\n")
    done = subprocess.run([needs("chattr"), attribute, str(ours)], check=False, capture_output=True)
    if done.returncode != 0:
        pytest.skip("not on this kernel: no file attributes here")


@pytest.mark.parametrize("attribute", ["i", "a"])
@pytest.mark.parametrize("content", [CONTENT, None])
def test_a_file_that_may_not_be_replaced_is_told_before_the_first_write(
    host: Box, every_shell: Sequence[Shell], attribute: str, content: bytes | None
) -> None:
    with_attribute(host, f"+{attribute}")
    try:
        before = host.get("net/ipv4/tcp_syncookies")
        for shell in every_shell:
            record = change(host, shell, content)
            assert (record.state, record.why) == ("blocked", f"{PATH}: Operation not permitted"), shell.name
            assert host.get("net/ipv4/tcp_syncookies") == before
    finally:
        subprocess.run([needs("chattr"), f"-{attribute}", str(host.etc / "sysctl.d/99-zz-sysfleet.conf")], check=True)


def test_a_folder_of_another_user_is_blocked(host: Box, every_shell: Sequence[Shell]) -> None:
    if os.geteuid() != 0:
        pytest.skip("not on this kernel: only root gives a folder away")
    os.chown(host.etc / "sysctl.d", 12345, 12345)
    for shell in every_shell:
        assert change(host, shell).why == "/etc/sysctl.d is not root's"


def test_the_new_file_lies_ready_when_values_are_written_and_is_renamed_then(host: Box, shell: Shell) -> None:
    assert change(host, shell).state == "settled"
    ready = host.etc / "sysctl.d/.sysfleet-r1.new"
    assert ready.read_bytes() == CONTENT
    number = ready.stat().st_ino
    assert persist(host, shell) == PersistRecord("committed")
    ours = host.etc / "sysctl.d/99-zz-sysfleet.conf"
    assert ours.stat().st_ino == number
    assert ours.stat().st_mode & 0o7777 == 0o644
    assert inside(host) == "/etc/sysctl.d/:\n99-zz-sysfleet.conf\n\n/run/sysfleet:\nchange"


def test_what_a_dead_run_left_behind_goes_with_the_next(host: Box, shell: Shell) -> None:
    left = host.etc / "sysctl.d/.sysfleet-r0.new"
    left.write_bytes(b"half of a fi")
    (host.etc / "sysctl.d/.sysfleet-link.new").symlink_to("/etc/passwd")
    assert change(host, shell, run="r2").state == "settled"
    assert persist(host, shell, run="r2").state == "committed"
    assert inside(host) == "/etc/sysctl.d/:\n99-zz-sysfleet.conf\n\n/run/sysfleet:\nchange"


def test_a_ready_file_that_is_not_what_is_to_be_put_in_place_is_made_anew(host: Box, shell: Shell) -> None:
    assert change(host, shell).state == "settled"
    (host.etc / "sysctl.d/.sysfleet-r1.new").write_bytes(b"short")
    assert persist(host, shell).state == "committed"
    assert (host.etc / "sysctl.d/99-zz-sysfleet.conf").read_bytes() == CONTENT


def test_putting_back_takes_the_ready_file_away(host: Box, shell: Shell) -> None:
    assert change(host, shell).state == "settled"
    assert put_back(host, shell) == RevertRecord("reverted", "a test")
    assert "sysfleet" not in host.sh("ls -A /etc/sysctl.d")


def test_putting_back_needs_no_room_on_any_disk(host: Box, shell: Shell) -> None:
    assert change(host, shell).state == "settled"
    for folder in ("/etc/sysctl.d", "/tmp", "/var/tmp"):
        host.sh(f"mount -t tmpfs -o size=4k,nr_inodes=2 none {folder} && cat /dev/zero >{folder}/full 2>/dev/null || :")
    assert put_back(host, shell) == RevertRecord("reverted", "a test")
    assert host.get("net/ipv4/tcp_syncookies") == "1"


def test_a_refused_write_takes_the_ready_file_away(host: Box, shell: Shell) -> None:
    record = change(host, shell, settle=[(COOKIES, "2"), (REUSE, "99999")])
    assert (record.state, record.refusals) == ("reverted", ((REUSE, "Invalid argument"),))
    assert "sysfleet" not in host.sh("ls -A /etc/sysctl.d")


def test_a_file_that_is_right_already_needs_no_place_to_write(host: Box, shell: Shell) -> None:
    (host.etc / "sysctl.d/99-zz-sysfleet.conf").write_bytes(CONTENT)
    host.sh("mount --bind /etc/sysctl.d /etc/sysctl.d; mount -o remount,bind,ro /etc/sysctl.d")
    assert change(host, shell).state == "settled"
    assert persist(host, shell).state == "committed"


@pytest.mark.parametrize(
    ("made", "owner"),
    [
        ("echo ID=nixos >/etc/os-release", "NixOS (boot.kernel.sysctl)"),
        (">/etc/NIXOS", "NixOS (boot.kernel.sysctl)"),
        ("echo ID=talos >/etc/os-release", "Talos (machine.sysctls)"),
        ('echo \'ID="turris"\nID_LIKE="lede openwrt"\' >/etc/os-release', "OpenWrt"),
        (">/etc/openwrt_release", "OpenWrt"),
        ("printf 'ID=fedora\\nVARIANT_ID=coreos\\n' >/etc/os-release", None),
        ("echo ID=nixosish >/etc/os-release", None),
    ],
)
def test_who_owns_sysctl_on_a_host_comes_with_the_reading(host: Box, dash: Shell, made: str, owner: str | None) -> None:
    host.sh(made)
    found = read(host, dash).facts.owner
    assert found == owner if owner is None else (found or "").startswith(owner)


def test_what_is_wrong_with_our_file_s_place_comes_with_the_reading(host: Box, every_shell: Sequence[Shell]) -> None:
    assert read(host, every_shell[0]).facts.place_problem is None
    host.sh("mount -t tmpfs -o ro none /etc/sysctl.d")
    for shell in every_shell:
        assert read(host, shell).facts.place_problem == "/etc/sysctl.d (tmpfs) is mounted read-only"
    host.sh(">/run/ostree-booted")
    image = "/etc/sysctl.d (tmpfs) is mounted read-only, as its image (ostree) has it"
    assert read(host, every_shell[0]).facts.place_problem == image
    host.sh("rm /run/ostree-booted; umount /etc/sysctl.d; rmdir /etc/sysctl.d; ln -s other /etc/sysctl.d")
    for shell in every_shell:
        assert read(host, shell).facts.place_problem == "/etc/sysctl.d is a link"


def read_only(host: Box, key: str) -> None:
    host.sh(f"mount --bind /proc/sys/{key} /proc/sys/{key}; mount -o remount,bind,ro /proc/sys/{key}")


def test_which_keys_are_read_only_comes_with_the_reading(host: Box, every_shell: Sequence[Shell]) -> None:
    read_only(host, "net/ipv4/conf")
    read_only(host, "net/ipv4/tcp_syncookies")
    for shell in every_shell:
        facts = read(host, shell, COOKIES, REUSE).facts
        assert facts.proc_sys_writable
        assert not facts.is_writable(COOKIES)
        assert not facts.is_writable(Key("net.ipv4.conf.all.rp_filter"))
        assert facts.is_writable(REUSE)
        if shell.name != "busybox":  # its test says that root may write to everything
            assert facts.read_only_keys == (COOKIES,)


def test_the_innermost_mount_of_a_key_decides() -> None:
    facts = Facts(mounts=(("/proc/sys", False), ("/proc/sys/net", True), ("/proc/sys/net/core", False)))
    assert facts.proc_sys_writable
    assert facts.is_writable(COOKIES)
    assert not facts.is_writable(Key("net.core.somaxconn"))
    assert not facts.is_writable(Key("vm.swappiness"))
    assert facts.is_writable(Key("net.corelike"))


def test_a_read_only_key_stops_the_change_before_the_first_write(host: Box, every_shell: Sequence[Shell]) -> None:
    reading = read(host, every_shell[0], COOKIES, REUSE)
    read_only(host, "net/ipv4/tcp_tw_reuse")
    for shell in every_shell:
        record = change(host, shell, settle=[(COOKIES, "2"), (REUSE, "1")], reading=reading)
        assert (record.state, record.written) == ("blocked", ())
        assert record.refusals == ((REUSE, "Read-only file system"),)
        assert host.get("net/ipv4/tcp_syncookies") == "1"
        assert "sysfleet" not in host.sh("ls -A /etc/sysctl.d")


def test_a_key_that_is_read_only_by_its_mode_stops_the_change(host: Box, every_shell: Sequence[Shell]) -> None:
    key = Key("net.core.rmem_max")
    if host.sh("[ -e /proc/sys/net/core/rmem_max ] && stat -c %a /proc/sys/net/core/rmem_max || :") != "444":
        pytest.skip("not on this kernel: no key of a namespace is read-only by its mode")
    for shell in every_shell:
        record = change(host, shell, settle=[(COOKIES, "2"), (key, "2345678")])
        assert (record.state, record.written) == ("blocked", ())
        assert record.refusals == ((key, "Permission denied"),)


PROGRAMS = ("awk", "cat", "cksum", "dd", "flock", "head", "ln", "ls", "mkdir", "mv", "rm", "setsid", "sleep", "sync")


def with_programs(folder: Path, shell: Shell, names: Sequence[str]) -> Shell:
    """The shell with these programs and no others."""
    folder.mkdir()
    for name in ("sh", *names):
        (folder / name).symlink_to(needs(name))
    return replace(shell, path=str(folder), alone=True)


@pytest.mark.parametrize("lacking", PROGRAMS)
def test_a_host_that_lacks_a_program_works_or_says_so_before_the_first_write(
    host: Box, tmp_path: Path, dash: Shell, lacking: str
) -> None:
    bare = with_programs(tmp_path / "programs", dash, [name for name in PROGRAMS if name != lacking])
    reading = read(host, dash, COOKIES)
    if lacking == "cat":
        done = host.feed(bare, b"sysfleet-mark:" + b"0" * 32 + b"\necho hi\n")
        assert (b"cat: not found" in done.stderr, done.returncode) == (True, 127)
        return
    if lacking in {"awk", "head", "ls"}:
        with pytest.raises(Exception, match=f"the host has no {lacking}"):
            read(host, bare, COOKIES)
    else:
        assert read(host, bare, COOKIES).values == reading.values
    record = change(host, bare, reading=reading)
    if lacking in {"dd", "head", "setsid"}:
        assert record.state == "settled"
        assert persist(host, dash).state == "committed"
    else:
        assert (record.state, record.why) == ("blocked", f"the host has no {lacking}")
        assert (host.get("net/ipv4/tcp_syncookies"), host.sh("ls -A /etc/sysctl.d")) == ("1", "")


def test_a_refusal_is_told_also_without_the_program_that_knows_why(host: Box, tmp_path: Path, dash: Shell) -> None:
    bare = with_programs(tmp_path / "programs", dash, [name for name in PROGRAMS if name != "dd"])
    reading = read(host, dash, REUSE)
    record = change(host, bare, settle=[(REUSE, "99999")], reading=reading)
    assert (record.state, record.refusals) == ("reverted", ((REUSE, "the kernel refuses it"),))


def test_a_sync_that_takes_no_names_writes_all_out(host: Box, tmp_path: Path, dash: Shell) -> None:
    (tmp_path / "old").mkdir()
    asked = tmp_path / "asked"
    (tmp_path / "old/sync").write_text(
        f'#!/bin/sh\necho "$#" >>{asked}\n[ $# = 0 ] || {{ echo Usage: sync >&2; exit 1; }}\n'
    )
    (tmp_path / "old/sync").chmod(0o755)
    old = replace(dash, path=f"{tmp_path}/old:{dash.path}")
    assert change(host, old).state == "settled"
    assert persist(host, old).state == "committed"
    assert asked.read_text().split() == ["1", "0", "1", "0"]


def test_a_sync_that_finds_the_disk_full_is_believed(host: Box, tmp_path: Path, dash: Shell) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full/sync").write_text("#!/bin/sh\necho sync: error syncing: No space left on device >&2\nexit 1\n")
    (tmp_path / "full/sync").chmod(0o755)
    record = change(host, replace(dash, path=f"{tmp_path}/full:{dash.path}"))
    assert (record.state, record.why) == ("failed", "/etc/sysctl.d: No space left on device")
    assert host.sh("ls -A /etc/sysctl.d") == ""


AWKS = ("mawk", "gawk", "original-awk", "busybox")


@pytest.mark.parametrize("awk", AWKS)
def test_every_awk_reads_and_compares_alike(host: Box, tmp_path: Path, dash: Shell, awk: str) -> None:
    folder = tmp_path / "awk"
    folder.mkdir()
    (folder / "awk").symlink_to(needs(awk))
    odd = replace(dash, path=f"{folder}:{dash.path}")
    secret = Key("net.ipv6.conf.lo.stable_secret")
    asked = (
        COOKIES,
        REUSE,
        secret,
        Key("net.ipv4.tcp_rmem"),
        Key("net.ipv4.conf.*.rp_filter"),
        Key("net.ipv4.route.flush"),
    )
    host.sh("mount --bind /proc/sys /proc/sys; mount --bind /proc/sys/net /proc/sys/net")
    found, usual = read(host, odd, *asked), read(host, dash, *asked)
    assert (found.values, found.files_token) == (usual.values, usual.files_token)
    assert replace(found.facts, uptime_s=0, memory_kib=0) == replace(usual.facts, uptime_s=0, memory_kib=0)
    assert change(host, odd).state == "settled"
    assert persist(host, odd).state == "committed"


NOISE = "() { echo noise; exit 9; }"
ENVIRONMENTS: Mapping[str, Mapping[str, str]] = {
    "variables that programs obey": {
        "IFS": "/e",
        "CDPATH": "/:/etc",
        "POSIXLY_CORRECT": "1",
        "GREP_OPTIONS": "-v",
        "TMPDIR": "/nowhere",
        "QUOTING_STYLE": "c",
        "AWKBUFSIZE": "1",
        "_POSIX2_VERSION": "199209",
    },
    "start files": {"ENV": "/etc/noise", "BASH_ENV": "/etc/noise"},
    "another language": {"LC_ALL": "de_DE.UTF-8", "LANG": "tr_TR.UTF-8", "LANGUAGE": "de"},
    "options of a shell that stops": {"SHELLOPTS": "errexit:nounset:noglob:noclobber:xtrace:verbose"},
    "options of bash": {"BASHOPTS": "failglob:dotglob:nocasematch:extglob"},
    "functions": {f"BASH_FUNC_{name}%%": NOISE for name in ("awk", "cat", "ls", "rm", "mv", "printf", "cksum", "true")},
    "a PATH that is empty": {"PATH": ""},
}


@pytest.mark.parametrize("brought", ENVIRONMENTS)
def test_what_a_login_brings_along_changes_nothing(host: Box, shell: Shell, brought: str) -> None:
    (host.etc / "noise").write_text("echo noise; cd /; set -eu; alias awk=false; umask 077\n")
    (host.etc / "sysctl.d/10-a.conf").symlink_to("/etc/other.conf")
    (host.etc / "sysctl.d/.hidden.conf").write_bytes(b"a = 1\n")
    usual = read(host, shell, COOKIES, Key("net.ipv4.tcp_rmem"), Key("net.ipv4.conf.*.rp_filter"))
    environment = {"PATH": shell.path, **ENVIRONMENTS[brought]}
    odd = replace(shell, path=environment.pop("PATH"))
    found = read(host, odd, COOKIES, Key("net.ipv4.tcp_rmem"), Key("net.ipv4.conf.*.rp_filter"), **environment)
    assert (found.values, found.files) == (usual.values, usual.files)
    assert change(host, odd, reading=usual, settle=[(COOKIES, "2")], environment=environment).state == "settled"
    assert persist(host, odd, environment=environment).state == "committed"
    assert host.get("net/ipv4/tcp_syncookies") == "2"
    assert (host.etc / "sysctl.d/99-zz-sysfleet.conf").stat().st_mode & 0o7777 == 0o644


@pytest.mark.parametrize("umask", ["077", "000"])
def test_the_umask_of_a_login_does_not_reach_our_file(host: Box, shell: Shell, umask: str) -> None:
    words = (needs("sh"), "-c", f'umask {umask}; exec "$@"', "sh", *shell.command)
    masked = replace(shell, command=words)
    (host.etc / "sysctl.d").rmdir()
    assert change(host, masked).state == "settled"
    assert persist(host, masked).state == "committed"
    folder = host.etc / "sysctl.d"
    assert folder.stat().st_mode & 0o7777 == 0o755
    assert (folder / "99-zz-sysfleet.conf").stat().st_mode & 0o7777 == 0o644
    assert (host.run / "sysfleet").stat().st_mode & 0o7777 == 0o700


def test_a_password_that_nobody_asked_for_is_not_traced(host: Box, shell: Shell) -> None:
    done = host.feed(shell, b"secret\nanother secret\n", SHELLOPTS="xtrace:verbose")
    assert b"secret" not in done.stdout + done.stderr
