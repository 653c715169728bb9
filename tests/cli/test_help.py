"""Every help text ends with exit codes and two examples, and what is mistyped gets a suggestion."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator

import pytest

from sysfleet import __version__
from sysfleet.cli.command import Command, parse, parser_of
from sysfleet.cli.options import BATCH, DEADLINE_S, MAX_FAILURES, MAX_LOST, ON_ABORT, PAUSE_S, WORKERS
from sysfleet.cli.program import COMMANDS
from sysfleet.errors import ExitCode
from sysfleet.settings import Settings
from tests.cli.conftest import Shell


def every(commands: tuple[Command, ...] = COMMANDS, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    for command in commands:
        yield (*before, command.name)
        yield from every(command.verbs, (*before, command.name))


@pytest.mark.parametrize("words", [(), *every()], ids=" ".join)
def test_help_ends_with_exit_codes_and_two_examples(words: tuple[str, ...], shell: Shell) -> None:
    ended = shell(*words, "--help").gives(ExitCode.OK)
    _, codes, examples = re.split(r"^exit codes:\n|^examples:\n", ended.out, flags=re.MULTILINE)
    assert {int(line.split()[0]) for line in codes.splitlines() if line} <= set(ExitCode)
    assert len(examples.splitlines()) == 2
    assert ended.err == ""


@pytest.mark.parametrize("words", list(every()), ids=" ".join)
def test_every_option_states_its_default(words: tuple[str, ...], shell: Shell) -> None:
    text = shell(*words, "--help").out.partition("\noptions:\n")[2].partition("\nexit codes:\n")[0]
    options = re.split(r"^  (?=-)", text, flags=re.MULTILINE)
    assert [option for option in options[1:] if "(default:" not in option and "--help" not in option] == []


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command.name)
def test_the_examples_are_command_lines_that_can_be_parsed(command: Command) -> None:
    import argparse
    import shlex

    for verb in command.verbs or (command,):
        for example in verb.examples:
            words = shlex.split(example.partition(">")[0])
            after = words[words.index(verb.name) + 1 :]
            parse(parser_of(verb), after, argparse.Namespace())


def test_the_defaults_in_the_help_are_those_of_the_settings() -> None:
    said = Settings().run
    assert (said.workers, said.deadline_s, said.pause_s, said.on_abort) == (WORKERS, DEADLINE_S, PAUSE_S, ON_ABORT)
    assert (",".join(map(str, said.batch)), said.max_failures, said.max_lost) == (BATCH, MAX_FAILURES, MAX_LOST)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["chekc"], "sysfleet: unknown command chekc (did you mean check?)\n"),
        (["check", "--limt=web1"], "sysfleet: unknown option --limt (did you mean --limit?)\n"),
        (["check", "--lim", "web1"], "sysfleet: unknown option --lim (did you mean --limit?)\n"),
        (["lab", "upp"], "sysfleet: unknown verb upp (did you mean up?)\n"),
        (["inventory", "more"], "sysfleet: unknown argument more (see sysfleet inventory --help)\n"),
        ([], "sysfleet: the following arguments are required: COMMAND (see sysfleet --help)\n"),
    ],
)
def test_what_is_mistyped_gets_a_suggestion(words: list[str], said: str, shell: Shell) -> None:
    ended = shell(*words).gives(ExitCode.USAGE)
    assert (ended.out, ended.err) == ("", said)


def test_an_option_with_a_wrong_choice_is_named(shell: Shell) -> None:
    assert "--format" in shell("check", "--format", "xml").gives(ExitCode.USAGE).err


def test_the_version_is_the_packages(shell: Shell) -> None:
    assert shell("--version").gives(ExitCode.OK).out == f"sysfleet {__version__}\n"


@pytest.mark.parametrize("launcher", [["-m", "sysfleet"], ["runner.py"]])
def test_the_launchers_are_the_same_program(launcher: list[str]) -> None:
    done = subprocess.run([sys.executable, *launcher, "--help"], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: sysfleet ")


def test_help_imports_nothing_heavy() -> None:
    script = "import sys; from sysfleet.cli import main; main(['--help']); print(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    heavy = {"nornir", "paramiko", "jinja2", "rich", "msgspec", "yaml", "asyncssh", "netmiko", "asyncio"}
    assert heavy & set(done.stderr.split()) == set()
