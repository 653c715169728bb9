"""`sysfleet lab`: a fleet of real SSH servers on this machine, to try things on."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path

from sysfleet.cli.command import Command
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode

_CODES = (ExitCode.OK, ExitCode.USAGE, ExitCode.BUG, ExitCode.INTERRUPTED)


def _declare_folder(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--dir", metavar="DIR", type=Path, default=Path("lab"), help="the lab's project folder (default: lab)"
    )


def _declare_up(parser: ArgumentParser) -> None:
    _declare_folder(parser)
    parser.add_argument(
        "-n", "--hosts", metavar="N", type=int, default=6, help="number of hosts (default: 6)"
    )
    parser.add_argument(
        "--backend",
        choices=("auto", "openssh", "asyncssh"),
        default="auto",
        help="the SSH server; auto: OpenSSH where this machine can run it so (default: auto)",
    )
    parser.add_argument(
        "--mode",
        choices=("auto", "namespaces", "folder"),
        default="auto",
        help="what a host's kernel is; auto: namespaces where allowed, else a folder (default: auto)",
    )
    parser.add_argument(
        "--interfaces", metavar="N", type=int, default=1, help="interfaces a host besides lo (default: 1)"
    )


def _declare_restart(parser: ArgumentParser) -> None:
    parser.add_argument("host", metavar="HOST", help="a host of the lab")
    _declare_folder(parser)


def _declare_nothing(_parser: ArgumentParser) -> None:
    pass


def _never(_options: Namespace, _terminal: Terminal) -> ExitCode:
    raise AssertionError("one of the verbs runs")


COMMAND = Command(
    name="lab",
    summary="a fleet on this machine: up, status, restart, down",
    examples=("sysfleet lab up -n 20 --dir fleet", "sysfleet lab down --dir fleet"),
    declare=_declare_nothing,
    run=_never,
    codes=_CODES,
    meanings=((ExitCode.OK, "done"), (ExitCode.USAGE, "usage, or this machine cannot run a lab")),
    verbs=(),
)
