"""Programs over real terminals, under every shell: what goes in is short lines, and every byte comes out."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from sysfleet.errors import CommandFailed
from sysfleet.remote.framing import Framed
from sysfleet.remote.privilege import Method, command_line
from sysfleet.remote.terminal import LINE_BYTES, STUB, Printed, ending, no_terminal, ready_at, unframed, upload
from tests.remote.boxes import MARK, Shell
from tests.remote.ptys import Terminal
from tests.support.needs import needs

READY = b"sysfleet-ready\n"
PLAIN = command_line("none", user="me", with_password=False, stub=STUB)
ALL_BYTES = "awk 'BEGIN { for (i = 0; i < 256; i++) printf \"%c\", i }'"


def terminal(shell: Shell) -> Terminal:
    return Terminal([*shell.command, "-c", STUB], {"PATH": shell.path, "TERM": "xterm"})


def perform(shell: Shell, program: bytes) -> Printed:
    with terminal(shell) as one:
        assert ready_at(one.read_until(READY)) is not None, one.printed
        one.type(upload(program, MARK))
        return unframed(one.read_until(ending(MARK)), MARK)


def test_output_errors_and_status_come_back_apart(shell: Shell) -> None:
    printed = perform(shell, b"echo out; echo one >&2; echo more; printf 'two\\n\\nthree' >&2; exit 3")
    assert printed.framed == Framed(3, b"out\nmore\n")
    assert printed.errors == b"one\ntwo\n\nthree"


@pytest.mark.parametrize("end", [b"", b"\n", b"\n\n", b"\r\n", b"\\"])
def test_the_end_of_the_errors_is_kept(shell: Shell, end: bytes) -> None:
    assert perform(shell, b"printf '%s' 'x" + end + b"' >&2").errors == b"x" + end


def test_every_byte_comes_back_also_nul(shell: Shell) -> None:
    every = bytes(range(256))
    octal = b"".join(b"\\%03o" % byte for byte in every)
    assert perform(shell, b"printf '" + octal + b"\\021\\023\\015\\012'").framed == Framed(0, every + b"\x11\x13\r\n")


def test_every_byte_but_nul_can_stand_in_a_program(shell: Shell) -> None:
    every = bytes(range(1, 256))
    program = b"x='" + every.replace(b"'", b"'\\''") + b"'\nprintf '%s' \"$x\""
    assert perform(shell, program).framed == Framed(0, every)


def test_a_program_reads_its_own_files_and_nothing_that_was_typed(shell: Shell) -> None:
    program = b"while read -r x; do printf '[%s]' \"$x\"; done </etc/hostname; cat <<'END'\nheld\nEND\n"
    body = b"".join(b"[%b]" % line for line in Path("/etc/hostname").read_bytes().split(b"\n")[:-1])
    assert perform(shell, program).framed == Framed(0, body + b"held\n")


def test_what_is_typed_is_short_lines_of_printable_ascii() -> None:
    typed = upload(b"x='" + bytes(range(1, 256)) * 40 + b"\n~\n'", MARK)
    lines = typed.split(b"\n")
    assert max(map(len, lines)) <= LINE_BYTES < 1000
    assert all(0x20 <= byte < 0x7F for line in lines for byte in line)
    assert b"~" not in typed
    assert lines[-2:] == [b"", b""]
    assert b"" not in lines[:-2]


def test_a_large_program_and_a_large_output_pass(shell: Shell) -> None:
    size = 10_000_000
    program = b"x='" + b"y" * 100_000 + b'\'\nhead -c %d /dev/zero; printf %%s "$x"' % size
    printed = perform(Shell(shell.name, shell.command, shell.path + ":/usr/bin"), program)
    assert printed.framed == Framed(0, b"\0" * size + b"y" * 100_000)


def test_lines_before_the_mark_are_neither_run_nor_shown(shell: Shell) -> None:
    with terminal(shell) as one:
        one.read_until(READY)
        one.type(b"echo secret; $(echo secret >&2)\n" + upload(b"echo hello", MARK))
        printed = one.read_until(ending(MARK))
    assert b"secret" not in printed
    assert unframed(printed, MARK).framed == Framed(0, b"hello\n")


def test_a_program_has_no_input(shell: Shell) -> None:
    assert perform(shell, b"cat; read -r x; echo $?").framed == Framed(0, b"1\n")


def test_the_terminal_is_as_before_when_the_program_has_ended(shell: Shell) -> None:
    command = f'stty rows 7; stty -a; {PLAIN}; echo; stty -a; echo "ended"'
    with Terminal([*shell.command, "-c", command], {"PATH": shell.path + ":/usr/bin:/bin"}) as one:
        before, _, _ = one.read_until(READY).partition(b"\r\n\r\nsysfleet")
        one.type(upload(b"exit 1", MARK))
        _, _, after = one.read_until(b"ended\r\n").rpartition(b" over\n")
    assert before.split()
    assert after.split()[:-1] == before.split()[: len(after.split()) - 1]


def test_a_process_left_behind_does_not_hold_the_answer_up(shell: Shell) -> None:
    begun = time.monotonic()
    printed = perform(shell, b"sleep 50 & echo $!")
    assert printed.framed is not None
    assert time.monotonic() - begun < 50
    subprocess.run(["kill", printed.framed.body.decode().strip()], check=False, capture_output=True)


def test_a_program_that_is_killed_with_its_shell_did_not_end(shell: Shell) -> None:
    with terminal(shell) as one:
        one.read_until(READY)
        one.type(upload(b"echo half; kill -9 $$", MARK))
        printed = one.read_until(ending(MARK))
    with pytest.raises(CommandFailed):
        unframed(printed, MARK)


def test_options_and_functions_of_the_login_are_not_heard() -> None:
    around = {
        "PATH": "/usr/bin:/bin",
        "SHELLOPTS": "errexit:nounset:xtrace:noglob",
        "BASH_FUNC_printf%%": "() { echo nonsense; }",
        "BASH_FUNC_read%%": "() { return 1; }",
        "BASH_FUNC_stty%%": "() { echo nonsense; }",
    }
    with Terminal([needs("bash"), "-c", STUB], around) as one:
        one.read_until(READY)
        one.type(upload(b"false; echo hi; echo error >&2", MARK))
        printed = unframed(one.read_until(ending(MARK)), MARK)
    assert (printed.framed, printed.errors) == (Framed(0, b"hi\n"), b"error\n")


def test_words_that_the_shell_has_for_a_broken_program_stand_around(shell: Shell) -> None:
    with terminal(shell) as one:
        one.read_until(READY)
        one.type(upload(b"fi", MARK))
        printed = unframed(one.read_until(ending(MARK)), MARK)
    assert printed.framed is None
    assert b"yntax error" in printed.around


def test_without_a_terminal_the_stub_says_so(shell: Shell) -> None:
    path = {"PATH": shell.path + ":/usr/bin:/bin"}
    done = subprocess.run(
        [*shell.command, "-c", STUB], stdin=subprocess.DEVNULL, capture_output=True, check=False, env=path
    )
    assert done.returncode == 95
    error = no_terminal(done.stdout)
    assert error is not None
    assert error.evidence
    assert "stty" in error.evidence


def test_without_stty_the_stub_says_so(shell: Shell) -> None:
    if shell.name == "busybox":
        pytest.skip("not on this kernel: BusyBox may have its own stty built in")
    lacking = STUB.replace("/usr/sbin:/usr/bin:/sbin:/bin", "")
    assert lacking != STUB
    with Terminal([*shell.command, "-c", lacking], {"PATH": "/nowhere"}) as one:
        error = no_terminal(one.read_until(b"never"))
    assert error is not None
    assert error.evidence
    assert "stty: not found" in error.evidence or "stty: command not found" in error.evidence


@pytest.mark.parametrize("login_shell", ["dash", "bash", "zsh", "mksh", "tcsh", "fish"])
def test_the_echo_of_the_typed_command_is_not_taken_for_its_answer(login_shell: str, tmp_path: Path) -> None:
    environment = {"PATH": "/usr/bin:/bin", "TERM": "vt100", "PS1": "\033[1mhost\033[0m# ", "HOME": str(tmp_path)}
    with Terminal([needs(login_shell), "-i"], environment) as one:
        one.type(PLAIN.encode() + b"\r")
        assert ready_at(one.read_until(READY)) is not None, one.printed
        one.type(upload(b"cd /tmp; pwd", MARK))
        assert unframed(one.read_until(ending(MARK)), MARK).framed == Framed(0, b"/tmp\n")


@pytest.mark.parametrize("method", ["none", "sudo", "doas", "auto"])
@pytest.mark.parametrize("with_password", [False, True])
def test_the_command_line_means_the_same_to_every_login_shell(method: Method, *, with_password: bool) -> None:
    command = command_line(method, user="me", with_password=with_password, stub=STUB)
    assert not {"\n", "!", "\\"} & set(command)
    assert len(command) < LINE_BYTES


# A short program that does what all do. One shell tries every cut: a terminal for each would take minutes.
SMALL = b"f() {\n\tcat <<'END'\ndata\nEND\n}\nif true; then\n\tf\nfi\necho 'it'\\''s run'"
EVERY_CUT = """
n=0
while [ "$n" -lt "$2" ]; do
    n=$((n + 1))
    printf "%.${n}s" "$1" | (eval "$3") 2>/dev/null
done
echo "$n"
"""


def test_an_upload_cut_at_any_byte_runs_nothing(shell: Shell) -> None:
    typed, receiver = upload(SMALL, MARK).decode(), STUB[STUB.index("p=$(") :]
    cuts = len(typed) - 2
    done = subprocess.run(
        [*shell.command, "-c", EVERY_CUT, "sh", typed, str(cuts), receiver],
        capture_output=True,
        check=False,
        env={"PATH": shell.path},
        timeout=100,
    )
    assert done.stdout.decode() == f"{cuts}\n"
    assert b"it's run" in perform(shell, SMALL).framed.body  # type: ignore[union-attr]
