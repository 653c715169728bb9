"""Options that several commands share, each with its unit and default. Does not act on any of them."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from pathlib import Path

# The defaults are those of settings.py, which costs a start-up to import; a test compares them.
WORKERS = 50
DEADLINE_S = 60
BATCH = "1,10%,100%"
MAX_FAILURES = "10%"
MAX_LOST = "0"
PAUSE_S = 0
ON_ABORT = "keep"


def add_project(parser: ArgumentParser, *, default: object = SUPPRESS) -> None:
    """`--project`, before or after the command."""
    parser.add_argument(
        "--project",
        metavar="DIR",
        type=Path,
        default=default,
        help="folder with inventory/, templates/ and sysfleet.toml (default: the current one)",
    )


def add_colour(parser: ArgumentParser) -> None:
    """`--color`."""
    parser.add_argument(
        "--color",
        choices=("auto", "always", "never"),
        default="auto",
        help="colour; auto: on a terminal, with regard to NO_COLOR and CLICOLOR_FORCE (default: auto)",
    )


def add_settings(parser: ArgumentParser) -> None:
    """`--set`."""
    parser.add_argument(
        "--set",
        dest="assignments",
        metavar="SECTION.KEY=VALUE",
        action="append",
        default=[],
        help="a setting of sysfleet.toml for this run, any number of times (default: none)",
    )


def add_limit(parser: ArgumentParser) -> None:
    """`--limit`."""
    parser.add_argument(
        "--limit",
        metavar="EXPRESSION",
        help="which hosts: name globs, role=, group= or data, joined by & | ! (default: all hosts)",
    )


def add_format(parser: ArgumentParser) -> None:
    """`--format`."""
    parser.add_argument(
        "--format",
        choices=("table", "json"),
        default="table",
        help="how the result stands on standard output (default: table)",
    )


def add_run(parser: ArgumentParser) -> None:
    """Everything that a command over many hosts takes."""
    add_project(parser)
    add_limit(parser)
    add_format(parser)
    parser.add_argument(
        "--workers",
        metavar="N",
        help=f"hosts worked on at the same time (default: run.workers of sysfleet.toml, else {WORKERS})",
    )
    parser.add_argument(
        "--deadline",
        metavar="S",
        help=f"seconds that one host may take (default: run.deadline_s of sysfleet.toml, else {DEADLINE_S})",
    )
    add_passwords(parser)
    add_settings(parser)
    add_colour(parser)
    add_loudness(parser)


def add_passwords(parser: ArgumentParser) -> None:
    """`--ask-login-password`, `--ask-root-password` and `--ask-passphrase`."""
    for flag, what in _ASKED.items():
        # Not given is not False: sysfleet.toml may say true.
        parser.add_argument(flag, action="store_true", default=None, help=f"ask on the terminal for {what}")


_ASKED = {
    "--ask-login-password": "the password of the logins, before the run"
    " (default: ssh.password_prompt of sysfleet.toml, else off)",
    "--ask-root-password": "the password that sudo or doas wants, before a run that may need root"
    " (default: privilege.password_prompt of sysfleet.toml, else off)",
    "--ask-passphrase": "the passphrase of each private key that is encrypted"
    " (default: ssh.passphrase_prompt of sysfleet.toml, else off)",
}


def add_risks(parser: ArgumentParser) -> None:
    """`--allow-one-way`, `--allow-destructive` and `--accept-shadowed`."""
    parser.add_argument(
        "--allow-one-way",
        action="store_true",
        help="also keys that only a reboot sets back (default: hosts that need one are blocked)",
    )
    parser.add_argument(
        "--allow-destructive",
        action="store_true",
        help="also keys whose old value does not bring back what the new one destroys, such as routes"
        " (default: hosts that need one are blocked)",
    )
    parser.add_argument(
        "--accept-shadowed",
        action="store_true",
        help="also where another file wins at boot with another value (default: such hosts are blocked)",
    )


def add_rollout(parser: ArgumentParser) -> None:
    """How hosts have their turn: `--batch`, the two budgets, and what else holds a host back."""
    parser.add_argument(
        "--batch",
        metavar="SIZES",
        help="how far each batch goes, counted from the first host, in numbers and percentages; the last is 100%%"
        f" (default: run.batch of sysfleet.toml, else {BATCH.replace('%', '%%')})",
    )
    parser.add_argument(
        "--max-failures",
        metavar="N",
        help="number or percentage of hosts that may fail before anything is written there; one more, and nothing"
        f" new begins (default: run.max_failures of sysfleet.toml, else {MAX_FAILURES.replace('%', '%%')})",
    )
    parser.add_argument(
        "--max-lost",
        metavar="N",
        help="number or percentage of hosts that may be put back, unverified or gone after the write; one more, and"
        f" nothing new begins (default: run.max_lost of sysfleet.toml, else {MAX_LOST})",
    )
    parser.add_argument(
        "--max-parallel-per",
        metavar="GROUP=N",
        action="append",
        help="how many hosts of a group may be in change at the same time, any number of times"
        " (default: run.max_parallel_per of sysfleet.toml, else no limit)",
    )
    parser.add_argument(
        "--pause",
        metavar="S",
        help=f"seconds between two batches (default: run.pause_s of sysfleet.toml, else {PAUSE_S})",
    )
    parser.add_argument(
        "--on-abort",
        choices=("keep", "revert"),
        help="what becomes of hosts that are changed already when a budget is used up; revert is not there yet"
        f" (default: run.on_abort of sysfleet.toml, else {ON_ABORT})",
    )


def add_loudness(parser: ArgumentParser) -> None:
    """`--verbose` and `--quiet`."""
    loudness = parser.add_mutually_exclusive_group()
    loudness.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="also a line on standard error for each host that is done (default: off)",
    )
    loudness.add_argument(
        "-q",
        "--quiet",
        action="store_true",
        help="no progress, and only the hosts that are not as wanted (default: off)",
    )
