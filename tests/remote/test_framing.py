"""The stub and the frame, under every shell: what was cut runs nothing, and what stood around is cut away."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from sysfleet.errors import CommandFailed
from sysfleet.remote.framing import STUB, Framed, began, unframed, upload
from sysfleet.remote.privilege import PLAIN, Method, command_line
from sysfleet.remote.programs.changing import ChangeRequest, change_program
from sysfleet.remote.programs.persisting import PersistRequest, persist_program
from sysfleet.remote.programs.reading import ReadRequest, read_program
from sysfleet.sysctl.key import Key
from tests.remote.boxes import MARK, Shell
from tests.support.needs import needs

KEY = Key("net.ipv4.tcp_syncookies")
EVERY_BYTE = bytes(number for number in range(1, 256))


def start(shell: Shell, data: bytes, command: str = STUB) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [*shell.command, "-c", command],
        input=data,
        capture_output=True,
        check=False,
        env={"PATH": shell.path},
        timeout=30,
    )


def test_output_and_status_come_back_byte_for_byte(shell: Shell) -> None:
    literal = EVERY_BYTE.replace(b"'", b"'\\''")
    program = b"x='" + literal + b"'\nprintf '%s' \"$x\"\nreturn 7"
    assert unframed(start(shell, upload(program, MARK)).stdout, MARK) == Framed(7, EVERY_BYTE)


def test_a_program_that_exits_has_its_status_in_the_frame(shell: Shell) -> None:
    assert unframed(start(shell, upload(b"echo a\nexit 3\necho b", MARK)).stdout, MARK) == Framed(3, b"a\n")


def test_an_empty_program_is_none_at_all(shell: Shell) -> None:
    assert unframed(start(shell, upload(b"# nothing\n", MARK)).stdout, MARK) == Framed(0, b"")


def test_lines_before_the_mark_are_neither_run_nor_shown(shell: Shell) -> None:
    done = start(shell, b"echo secret; $(echo secret >&2)\n" + upload(b"echo hello", MARK))
    assert b"secret" not in done.stdout + done.stderr
    assert unframed(done.stdout, MARK) == Framed(0, b"hello\n")


def test_a_program_finds_its_input_at_its_end(shell: Shell) -> None:
    assert unframed(start(shell, upload(b"cat; read -r x; echo $?", MARK)).stdout, MARK) == Framed(0, b"1\n")


def test_noise_around_the_frame_is_cut_away() -> None:
    body = b"line\nno newline"
    noise = b"motd\n\n" + MARK.encode() + b" begin"  # an echo without the end of its line
    stdout = noise + b"...\n\n%b begin\n%b\n%b end 0\nbye\n" % (MARK.encode(), body, MARK.encode())
    assert unframed(stdout, MARK) == Framed(0, body)


def test_a_program_that_never_began_is_told_from_one_that_never_ended() -> None:
    assert unframed(b"no such shell\n", MARK) is None
    with pytest.raises(CommandFailed, match="did not come to its end"):
        unframed(b"\n%b begin\nhalf" % MARK.encode(), MARK)


def test_the_stub_says_that_it_runs(shell: Shell) -> None:
    done = start(shell, b"")
    assert began(done.stdout)
    assert done.returncode == 96


# A short program that does what all do; one cut for each byte of it under each shell.
SMALL = b"f() {\n\tcat <<'END'\ndata\nEND\n}\nif true; then\n\tf\nfi\necho 'it'\\''s run'"


def test_an_upload_cut_at_any_byte_runs_nothing(shell: Shell) -> None:
    whole = upload(SMALL, MARK)
    assert whole.endswith(b"}\n")
    for end in range(len(whole) - 1):
        done = start(shell, whole[:end])
        assert done.stdout == b"sysfleet-ready\n", (end, whole[:end][-40:], done.stdout)
    assert unframed(start(shell, whole[:-1]).stdout, MARK) == Framed(0, b"data\nit's run\n")


_CHANGE = ChangeRequest("r1", 10, (), [(KEY, "2")], (KEY,), "1 2 /etc/sysctl.conf\nL /a -> b's")
_PERSIST = PersistRequest("r1", 10, "/etc/sysctl.d/x.conf", b"# h\nit's = 1\n", "1 2 /a", [(KEY, "2")], "# h")
PROGRAMS = {
    "read": read_program(ReadRequest((KEY,))),
    "change": change_program(_CHANGE),
    "persist": persist_program(_PERSIST),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("program", PROGRAMS)
def test_a_real_program_cut_at_any_byte_runs_nothing(shell: Shell, program: str) -> None:
    # One shell process tries every cut, since a process for each would take minutes.
    text = upload(PROGRAMS[program], MARK).partition(b"\n")[2].decode()
    cuts = len(text) - 2
    loop = (
        'p=$(cat; echo x); p=${p%x}; m=mark; n=0; trap "echo ended" 0; '
        'while [ "$n" -lt "$1" ]; do n=$((n + 1)); '
        'c=$(printf "%.${n}s" "$p"); (trap - 0; eval "$c") 2>/dev/null; done; echo "$n"'
    )
    done = subprocess.run(
        [*shell.command, "-c", loop, "sh", str(cuts)],
        input=text.encode(),
        capture_output=True,
        check=False,
        env={"PATH": shell.path, "LC_ALL": "C"},
        timeout=240,
    )
    assert done.stdout.decode() == f"{cuts}\nended\n"


@pytest.mark.parametrize("method", ["none", "sudo", "doas", "auto"])
@pytest.mark.parametrize("with_password", [False, True])
def test_the_command_line_means_the_same_to_every_login_shell(method: Method, *, with_password: bool) -> None:
    command = command_line(method, user="me", with_password=with_password)
    assert "\n" not in command
    assert "!" not in command
    assert "\\" not in command
    assert command_line(method, user="you", with_password=with_password) == command


LOGIN_SHELLS = ["dash", "bash", "zsh", "mksh", "tcsh", "fish", "busybox ash"]


@pytest.mark.parametrize("method", ["none", "auto"])
@pytest.mark.parametrize("login_shell", LOGIN_SHELLS)
def test_the_stub_starts_under_this_login_shell(login_shell: str, method: Method) -> None:
    if method == "auto" and os.geteuid() != 0:
        pytest.skip("not on this kernel: only root needs nobody to become root")
    program, *words = login_shell.split()
    command = command_line(method, user="somebody", with_password=False)
    text = upload(b"cat <<'END'\nit's !1 $0 {a,b} `x` \\\nEND\n", MARK)
    done = subprocess.run(
        [needs(program), *words, "-c", command], input=text, capture_output=True, check=False, timeout=30
    )
    assert unframed(done.stdout, MARK) == Framed(0, b"it's !1 $0 {a,b} `x` \\\n"), done


START_FILES = {
    "bash": (".bashrc", "echo noise; cd /; set -eu; umask 0; ls() { false; }; export -f ls; alias sh=false"),
    "zsh": (".zshenv", "echo noise; cd /; set -eu; umask 0; IFS=x; setopt noclobber"),
    "tcsh": (".tcshrc", "echo noise; cd /; umask 0; set noclobber; alias ls false"),
    "fish": (".config/fish/config.fish", "echo noise; cd /; umask 0; set -x IFS x; function ls; false; end"),
    "mksh": (".mkshrc", "echo noise; cd /; set -eu; umask 0; export IFS=x"),
}


@pytest.mark.parametrize("login_shell", START_FILES)
def test_a_start_file_that_prints_and_stops_is_in_nobody_s_way(login_shell: str, tmp_path: Path) -> None:
    name, text = START_FILES[login_shell]
    start_file = tmp_path / name
    start_file.parent.mkdir(parents=True, exist_ok=True)
    start_file.write_text(f"{text}\n")
    program = b"false; umask; : $nothing; ls -d /etc; printf '%s' \"$IFS\"; echo done"
    done = subprocess.run(
        [needs(login_shell), "-c", PLAIN],
        input=upload(program, MARK),
        capture_output=True,
        check=False,
        # bash reads its start file without a terminal when a remote shell has started it.
        env={"PATH": os.defpath, "HOME": str(tmp_path), "SSH_CLIENT": "::1 1 22", "SHLVL": "0", "ENV": str(start_file)},
        timeout=30,
    )
    assert unframed(done.stdout, MARK) == Framed(0, b"0022\n/etc\n \t\ndone\n"), done
    if login_shell != "mksh":
        assert b"noise" in done.stdout + done.stderr, "the start file was not read"


@pytest.mark.parametrize("wrong", ["", "abc", "G" * 32, "a" * 65, "ab" * 8 + "\n", "'" * 20])
def test_a_mark_is_hexadecimal_and_long(wrong: str) -> None:
    with pytest.raises(ValueError, match="mark"):
        upload(b"echo", wrong)
