"""What forbids a change: roles that disagree, a host or a place that is not ours, writes that cannot be taken back."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sysfleet.host import Facts
from sysfleet.planning.content import is_ours
from sysfleet.planning.records import FilePlan, Options, Write
from sysfleet.policy.rule import Clash, Rule
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.knowledge import is_destructive, is_one_way
from sysfleet.sysctl.loaders import Boot, SourceFile

_IPV6_FORWARDING = Key("net.ipv6.conf.all.forwarding")


def disagreements(clashes: Iterable[Clash]) -> list[str]:
    """The roles that ask for what cannot hold together, each with both places."""
    return [f"{clash.pattern}: roles disagree: {_asked(clash.first)} and {_asked(clash.second)}" for clash in clashes]


def _asked(rule: Rule) -> str:
    return f"{rule.constraint} ({rule.origin.file}:{rule.origin.line})"


def place_taken(own: SourceFile | None) -> list[str]:
    """Why our file cannot be where it should be."""
    if own is None:
        return []
    if own.link is not None:
        return [f"{own.path} is a link to {own.link}"]
    if own.content is None or (own.content and not is_ours(own.content)):
        return [f"{own.path} is not ours: it does not begin with our header"]
    return []


def place_closed(facts: Facts, file: FilePlan) -> list[str]:
    """Why our file cannot be written, as far as a reading shows it."""
    if facts.place_problem is None or not file.changes:
        return []
    return [f"{file.path} cannot be written: {facts.place_problem}"]


def owned(owner: str) -> str:
    """Why nothing is written to a host on which another system sees to sysctl."""
    return f"sysctl on this host is owned by {owner}: ask for the values there, or leave the host out"


def risks(writes: Sequence[Write], options: Options) -> tuple[list[str], list[str]]:
    """What `apply` refuses because it could not be put back, and hazards that are worth a note."""
    refused, notes = [], []
    for write in writes:
        if write.key.endswith(".stable_secret"):
            refused.append(f"{write.key} is a secret that is never read back, so nothing could prove the write")
            continue
        what = f"{write.key} = {write.value}"
        if is_one_way(write.key, write.value) and not options.allow_one_way:
            refused.append(f"{what} cannot be taken back before a reboot; --allow-one-way lets it")
        if not is_destructive(write.key, write.value):
            continue
        if write.key == _IPV6_FORWARDING:
            notes.append(f"{what} drops default routes learned from routers, where accept_ra is not 2")
        elif not write.key.endswith(".forwarding") and not options.allow_destructive:
            refused.append(f"{what} destroys what its old number does not bring back; --allow-destructive lets it")
    return refused, notes


def stopped(boot: Boot, path: str) -> list[str]:
    """Lines of other files at which the loader leaves the file: nobody knows what its owner wanted below them."""
    return [
        f"{problem.file}:{problem.line}: {problem.why}, and the rest of that file is never applied"
        for problem in boot.problems
        if problem.stops and problem.file != path
    ]
