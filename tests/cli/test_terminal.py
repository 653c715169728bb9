"""Colour, width, and a reader that goes away."""

from __future__ import annotations

import io
import os
import subprocess
import sys

import pytest

from sysfleet.cli.terminal import ColourMode, Terminal
from tests.cli.conftest import Stream


def terminal(mode: ColourMode = "auto", *, person: bool, **environ: str) -> Terminal:
    return Terminal(io.StringIO(), Stream(terminal=person), Stream(), {"TERM": "xterm", **environ}, colour_mode=mode)


@pytest.mark.parametrize(
    ("mode", "person", "environ", "colour"),
    [
        ("auto", True, {}, True),
        ("auto", False, {}, False),
        ("auto", True, {"TERM": "dumb"}, False),
        ("auto", True, {"NO_COLOR": "1"}, False),
        ("auto", True, {"NO_COLOR": ""}, True),
        ("auto", False, {"CLICOLOR_FORCE": "1"}, True),
        ("auto", False, {"CLICOLOR_FORCE": "0"}, False),
        ("auto", False, {"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, False),
        ("always", False, {"NO_COLOR": "1"}, True),
        ("never", True, {"CLICOLOR_FORCE": "1"}, False),
    ],
)
def test_the_flag_beats_the_environment_and_that_the_stream(
    *, mode: ColourMode, person: bool, environ: dict[str, str], colour: bool
) -> None:
    shown = terminal(mode, person=person, **environ)
    assert shown.colour(shown.stdout) is colour


def test_nothing_has_to_fit_into_a_pipe_unless_columns_says_so() -> None:
    assert terminal(person=False).width() is None
    assert terminal(person=False, COLUMNS="72").width() == 72
    assert terminal(person=False, COLUMNS="wide").width() is None


def test_the_width_is_the_terminals() -> None:
    controller, screen = os.openpty()
    with open(controller, "rb"), open(screen, "w") as stream:  # noqa: PTH123 - descriptors, not paths
        import fcntl
        import struct
        import termios

        fcntl.ioctl(screen, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 97, 0, 0))
        assert Terminal(io.StringIO(), stream, io.StringIO(), {}).width() == 97


def test_a_reader_that_has_gone_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w") as stream:  # noqa: PTH123 - a descriptor, not a path
        shown = Terminal(io.StringIO(), stream, io.StringIO(), {})
        shown.show("one\n")
        shown.show("two\n")


@pytest.mark.parametrize("words", [["--help"], ["check", "--help"], ["--version"]])
def test_a_closed_pipe_is_quiet(words: list[str]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [sys.executable, "-m", "sysfleet", *words],
        stdout=writer,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, "")


def test_text_that_the_encoding_lacks_is_escaped() -> None:
    environ = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run(
        [sys.executable, "-m", "sysfleet", "--help"], env=environ, capture_output=True, text=True, check=True
    )
    assert "[OPTION \\u2026]" in done.stdout
