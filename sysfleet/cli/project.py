"""The project of a command line: its settings with what the flags say, and its fleet."""

from __future__ import annotations

from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from sysfleet.cli.prompts import ask
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import UsageError
from sysfleet.reporter import Reporter, Silent

if TYPE_CHECKING:
    from sysfleet.fleet import Fleet
    from sysfleet.settings import Settings

_FLAGS = {
    "workers": "run.workers",
    "deadline": "run.deadline_s",
    "batch": "run.batch",
    "max_failures": "run.max_failures",
    "max_lost": "run.max_lost",
    "max_parallel_per": "run.max_parallel_per",
    "pause": "run.pause_s",
    "on_abort": "run.on_abort",
    "ask_login_password": "ssh.password_prompt",
    "ask_root_password": "privilege.password_prompt",
    "ask_passphrase": "ssh.passphrase_prompt",
}


def open_fleet(options: Namespace, terminal: Terminal, reporter: Reporter | None = None) -> Fleet:
    """The fleet of the project that the options name; SetupError where there is none."""
    from sysfleet.fleet import Fleet, Risks

    project = project_folder(options)
    return Fleet(
        project,
        settings_of(options, project),
        environ=terminal.environ,
        reporter=reporter or Silent(),
        risks=Risks(
            one_way=getattr(options, "allow_one_way", False),
            destructive=getattr(options, "allow_destructive", False),
            shadowed=getattr(options, "accept_shadowed", False),
        ),
        ask=ask,
    )


def project_folder(options: Namespace) -> Path:
    """The project folder; UsageError where it is none."""
    folder: Path = options.project
    if not folder.is_dir():
        raise UsageError(f"there is no folder {folder}", hint="sysfleet init DIR makes a project")
    if not (folder / "inventory").is_dir():
        raise UsageError(
            f"{folder} is no project: it has no inventory/",
            hint="--project DIR names one, sysfleet init DIR makes one",
        )
    return folder


def settings_of(options: Namespace, project: Path) -> Settings:
    """sysfleet.toml, then `--set`, then the flags; UsageError with every problem."""
    from sysfleet.settings import DEFAULT_FILE, override, parse

    path = project / DEFAULT_FILE
    try:
        settings = parse(path.read_text(encoding="utf-8"), DEFAULT_FILE)
    except FileNotFoundError:
        settings = parse("")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"{path} cannot be read: {error}") from error
    settings = override(settings, options.assignments)
    flags = {flag: getattr(options, flag, None) for flag in _FLAGS}
    texts = {flag: ",".join(value) if isinstance(value, list) else value for flag, value in flags.items()}
    try:
        return override(settings, [f"{_FLAGS[flag]}={text}" for flag, text in texts.items() if text is not None])
    except UsageError as error:
        named = {f"--set {name}": f"--{flag.replace('_', '-')}" for flag, name in _FLAGS.items()}
        problems = [replace(problem, file=named.get(problem.file, problem.file)) for problem in error.problems]
        raise UsageError(error.message, problems=problems) from None
