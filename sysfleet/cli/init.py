"""`sysfleet init DIR`: a new project folder from the sample; contacts nobody."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import Literal

from sysfleet.cli.command import Command
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode, UsageError

_PARTS: tuple[Literal["inventory", "templates"], ...] = ("inventory", "templates")
_NEXT = """\
{folder} is a project now. Next:
  1. put your hosts into {folder}/inventory/hosts.yaml, and look at the roles in {folder}/templates/
  2. sysfleet --project {quoted} inventory    who is selected; contacts nobody
  3. sysfleet --project {quoted} check        reads and compares; writes nothing
"""


def declare(parser: ArgumentParser) -> None:
    """The folder."""
    parser.add_argument("folder", metavar="DIR", type=Path, help="the new project; not there yet, or empty")


def run(options: Namespace, terminal: Terminal) -> ExitCode:
    """Copy the sample and say what comes next."""
    import shlex

    make_project(options.folder)
    folder = str(options.folder)
    terminal.show(_NEXT.format(folder=folder, quoted=shlex.quote(folder)))
    return ExitCode.OK


def make_project(folder: Path) -> None:
    """The sample's files and a sysfleet.toml with every default; UsageError where something is in the way."""
    import shutil

    from sysfleet.sample import sample_folder
    from sysfleet.settings import DEFAULT_FILE, sample_text

    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UsageError(f"{folder} is there already and not empty", hint="name a new folder")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for part in _PARTS:
            shutil.copytree(sample_folder(part), folder / part)
        (folder / DEFAULT_FILE).write_text(sample_text(), encoding="utf-8")
    except (OSError, shutil.Error) as error:
        for part in _PARTS:
            shutil.rmtree(folder / part, ignore_errors=True)
        raise UsageError(f"{folder} cannot be made: {error}") from error


COMMAND = Command(
    name="init",
    summary="a new project folder from the sample",
    examples=("sysfleet init fleet", "sysfleet init /srv/fleet"),
    declare=declare,
    run=run,
    codes=(ExitCode.OK, ExitCode.USAGE, ExitCode.BUG, ExitCode.INTERRUPTED),
    meanings=(
        (ExitCode.OK, "the folder is made"),
        (ExitCode.USAGE, "the folder is not empty, or cannot be made"),
    ),
)
