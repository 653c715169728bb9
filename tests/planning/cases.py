"""Readings and policies in a few words, for the tests of planning."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sysfleet.host import Facts, Reading, Running, RunningState
from sysfleet.policy.constraint import Constraint, Kind
from sysfleet.policy.rule import Clash, Layer, Origin, Policy, Wanted
from sysfleet.sysctl.key import Key, parse_key
from sysfleet.sysctl.loaders import Loader, SourceFile
from sysfleet.sysctl.order import place

OURS = "/etc/sysctl.d/99-zz-sysfleet.conf"
ORIGIN = Origin(Layer.BASE, "base", "templates/base.conf.j2", 3, reason="because")


def wanted(pattern: str, value: str | None = None, **bounds: str) -> Wanted:
    """`wanted("net.core.somaxconn", at_least="4096")`."""
    if value is not None:
        constraint = Constraint(Kind.VALUE, (value,))
    else:
        ((kind, operand),) = bounds.items()
        constraint = Constraint(Kind(kind), tuple(operand.split("|")) if operand else ())
    return Wanted(parse_key(pattern), constraint, ORIGIN)


def policy(*rules: Wanted, clashes: tuple[Clash, ...] = ()) -> Policy:
    """In the order of writing, as `resolve` gives it."""
    return Policy(("web",), tuple(sorted(rules, key=lambda rule: place(rule.pattern))), clashes)


def reading(
    values: Mapping[str, str | RunningState],
    files: Mapping[str, str] | None = None,
    *,
    loader: Loader = Loader.SYSTEMD,
    interfaces: Iterable[str] = ("lo", "eth0"),
    **facts: object,
) -> Reading:
    """A host with these values (a state stands for no value) and files."""
    running = {
        parse_key(name): Running(state) if isinstance(state, RunningState) else Running(RunningState.VALUE, state)
        for name, state in values.items()
    }
    known = {"kernel": "6.1.0", **facts}
    return Reading(
        facts=Facts(loader=loader, interfaces=tuple(interfaces), **known),  # type: ignore[arg-type]
        files=tuple(SourceFile(path, text.encode(), None) for path, text in (files or {}).items()),
        values=running,
    )


def conf(family: str, leaf: str, **by_interface: str) -> dict[str, str]:
    """`conf("ipv4", "accept_redirects", all="1", eth0="0")`."""
    return {f"net.{family}.conf.{name}.{leaf}": value for name, value in by_interface.items()}


def keys(*names: str) -> tuple[Key, ...]:
    """Several keys at once."""
    return tuple(parse_key(name) for name in names)
