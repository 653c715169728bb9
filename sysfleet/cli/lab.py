"""`sysfleet lab`: a fleet of real SSH servers on this machine, to try things on."""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from sysfleet.cli.command import Command
from sysfleet.cli.terminal import Terminal
from sysfleet.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from sysfleet.lab import HostSpec, Lab

_CODES = (ExitCode.OK, ExitCode.USAGE, ExitCode.BUG, ExitCode.INTERRUPTED)
_MEANINGS = ((ExitCode.OK, "done"), (ExitCode.USAGE, "usage, or this machine cannot run such a lab"))
_STATUS_CODES = (ExitCode.OK, ExitCode.USAGE, ExitCode.HOST_FAILED, ExitCode.BUG, ExitCode.INTERRUPTED)
_RIVAL = "/etc/sysctl.d/99-zzz-rival.conf"
_LOADERS = ("auto", "systemd", "procps", "alpine", "openrc", "none")


def _declare_folder(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--dir", metavar="DIR", type=Path, default=Path("lab"), help="the lab's project folder (default: lab)"
    )


def _declare_up(parser: ArgumentParser) -> None:
    _declare_folder(parser)
    number = parser.add_mutually_exclusive_group()
    number.add_argument(
        "-n",
        "--hosts",
        metavar="N",
        type=int,
        default=6,
        help="hosts, in turn web, db, router, bastion (default: 6)",
    )
    number.add_argument("--mixed", action="store_true", help="fifty hosts, some large, old or silent (default: off)")
    number.add_argument(
        "--faulty", action="store_true", help="a host of each fault that one can have, named as it (default: off)"
    )
    parser.add_argument(
        "--mode",
        choices=("auto", "namespaces", "folder"),
        default="auto",
        help="what a host's kernel is; auto: namespaces where allowed, else a folder (default: auto)",
    )
    parser.add_argument(
        "--backend",
        choices=("auto", "openssh", "asyncssh"),
        default="auto",
        help="the SSH server; auto: openssh where this machine can run it, else asyncssh (default: auto)",
    )
    parser.add_argument(
        "--loader",
        choices=_LOADERS,
        default="auto",
        help="what applies a host's files at boot; auto: the first that this machine has (default: auto)",
    )
    parser.add_argument(
        "--interfaces", metavar="N", type=int, default=1, help="interfaces of a host besides lo (default: 1)"
    )
    parser.add_argument("--drop-ins", metavar="N", type=int, default=0, help="files in a host's sysctl.d (default: 0)")
    _declare_differences(parser)


def _declare_differences(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--value",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help="what a host starts from, before its loader runs; may be given again (default: none)",
    )
    parser.add_argument(
        "--rival",
        metavar="KEY=VALUE",
        action="append",
        default=[],
        help=f"set by somebody else's {_RIVAL}, which wins at boot; may be given again (default: none)",
    )
    parser.add_argument(
        "--absent",
        metavar="KEY",
        action="append",
        default=[],
        help="a key that a host does not have; may be given again (default: none)",
    )


def _declare_restart(parser: ArgumentParser) -> None:
    parser.add_argument("host", metavar="HOST", help="a host of the lab")
    _declare_folder(parser)


def _declare_nothing(_parser: ArgumentParser) -> None:
    """The verbs have the options."""


def _up(options: Namespace, terminal: Terminal) -> ExitCode:
    import shlex

    from sysfleet.lab import Lab
    from sysfleet.report.table import hosts
    from sysfleet.sample import sample_folder

    lab = Lab.up(
        options.dir,
        _specs(options),
        mode=None if options.mode == "auto" else options.mode,
        backend=None if options.backend == "auto" else options.backend,
        templates=sample_folder("templates"),
        outlive=True,
    )
    folder = shlex.quote(str(options.dir))
    terminal.show(
        f"{hosts(len(lab.hosts))} up in {options.dir}: {kind_of(lab)}\n"
        f"  sysfleet --project {folder} check\n"
        f"  sysfleet lab down --dir {folder}\n"
    )
    return ExitCode.OK


def _specs(options: Namespace) -> list[HostSpec]:
    from dataclasses import replace

    from sysfleet.lab import faulty_hosts, mixed_hosts, standard_hosts

    if options.mixed:
        return mixed_hosts()
    if options.faulty:
        return faulty_hosts()
    rival = "".join(f"{key} = {value}\n" for key, value in _pairs("--rival", options.rival).items())
    values = _pairs("--value", options.value)
    return [
        replace(
            spec,
            loader=None if options.loader == "auto" else options.loader,
            interfaces=options.interfaces,
            drop_ins=options.drop_ins,
            values={**spec.values, **values},
            files={_RIVAL: rival.encode()} if rival else {},
            absent=tuple(options.absent),
        )
        for spec in standard_hosts(options.hosts)
    ]


def _pairs(option: str, texts: list[str]) -> dict[str, str]:
    pairs = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or not key.strip() or not value.strip():
            raise UsageError(f"{option} {text} is not KEY=VALUE", hint=f"{option} net.ipv4.ip_forward=1")
        pairs[key.strip()] = value.strip()
    return pairs


def kind_of(lab: Lab) -> str:
    """What the lab's hosts are made of, in one line."""
    if lab.mode == "folder":
        return f"a folder stands in for each kernel, since {lab.reason}; SSH by {lab.backend}"
    return f"each in namespaces of its own, SSH by {lab.backend}"


def _down(options: Namespace, terminal: Terminal) -> ExitCode:
    from sysfleet.lab import Lab

    Lab.load(options.dir).down()
    terminal.show(f"the lab in {options.dir} is down; its files are still there\n")
    return ExitCode.OK


def _status(options: Namespace, terminal: Terminal) -> ExitCode:
    """3 where a host is not up."""
    from sysfleet.lab import Lab
    from sysfleet.report.columns import Column, columns
    from sysfleet.report.printable import printable

    lab = Lab.load(options.dir)
    states = lab.status()
    heads = [Column("host"), Column("state"), Column("port", right=True), Column("boot id"), Column("error")]
    rows = [[found.name, found.state, str(found.port), found.boot_id, printable(found.error or "")] for found in states]
    lines = [*columns(heads, rows, terminal.width()), "", kind_of(lab)]
    terminal.show("".join(f"{line}\n" for line in lines))
    return ExitCode.OK if all(found.state == "up" for found in states) else ExitCode.HOST_FAILED


def _restart(options: Namespace, terminal: Terminal) -> ExitCode:
    from sysfleet.lab import Lab

    lab = Lab.load(options.dir)
    lab.restart(options.host)
    terminal.show(f"{options.host} has booted again, its boot id is {lab.hosts[options.host].boot_id}\n")
    return ExitCode.OK


def _never(_options: Namespace, _terminal: Terminal) -> ExitCode:
    raise AssertionError("one of the verbs runs")


COMMAND = Command(
    name="lab",
    summary="a fleet on this machine: up, status, restart, down",
    examples=("sysfleet lab up -n 20 --dir fleet", "sysfleet lab down --dir fleet"),
    declare=_declare_nothing,
    run=_never,
    codes=_CODES,
    meanings=_MEANINGS,
    verbs=(
        Command(
            name="up",
            summary="make a lab, and a project folder for it; the hosts stay until lab down",
            examples=("sysfleet lab up -n 20 --dir fleet", "sysfleet lab up --mixed --backend asyncssh"),
            declare=_declare_up,
            run=_up,
            codes=_CODES,
            meanings=_MEANINGS,
        ),
        Command(
            name="status",
            summary="how every host of a lab is now",
            examples=("sysfleet lab status", "sysfleet lab status --dir fleet"),
            declare=_declare_folder,
            run=_status,
            codes=_STATUS_CODES,
            meanings=(
                (ExitCode.OK, "every host is up"),
                (ExitCode.USAGE, "usage, or there is no lab"),
                (ExitCode.HOST_FAILED, "at least one host is not up"),
            ),
        ),
        Command(
            name="restart",
            summary="boot a host again: fresh values, its files applied by its loader",
            examples=("sysfleet lab restart web1", "sysfleet lab restart web1 --dir fleet"),
            declare=_declare_restart,
            run=_restart,
            codes=_CODES,
            meanings=_MEANINGS,
        ),
        Command(
            name="down",
            summary="end every host of a lab; its files stay",
            examples=("sysfleet lab down", "sysfleet lab down --dir fleet"),
            declare=_declare_folder,
            run=_down,
            codes=_CODES,
            meanings=_MEANINGS,
        ),
    ),
)
