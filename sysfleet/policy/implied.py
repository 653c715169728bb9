"""What a setting for `all` asks of the interfaces, where the kernel lets each of them do otherwise.

Pure. Knows the policy and the interfaces that it may name, no host.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TypeVar

from sysfleet.policy.constraint import Kind
from sysfleet.policy.rule import Rule, Wanted
from sysfleet.sysctl.everywhere import left_to_interfaces
from sysfleet.sysctl.key import Key, interface_of, is_glob, matches, with_interface
from sysfleet.sysctl.knowledge import cuts_ssh
from sysfleet.sysctl.value import as_int

Asked = TypeVar("Asked", Rule, Wanted)
_FORWARDING = (Key("net.ipv4.ip_forward"), Key("net.ipv4.conf.all.forwarding"))


def implied(asked: Iterable[Asked], interfaces: Iterable[str]) -> Iterator[Asked]:
    """The same constraint for `default` and for each of these interfaces or globs, where no other rule speaks.

    Left out where the value can cut SSH: a line that did nothing must not begin to on its own.
    """
    everything = {one.pattern: one for one in asked}
    forwards = any(_number(everything.get(key)) for key in _FORWARDING)
    for one in everything.values():
        if interface_of(one.pattern) != "all" or one.constraint.kind is not Kind.VALUE:
            continue
        value = one.constraint.operands[0]
        if left_to_interfaces(one.pattern, value, forwards=forwards) is None or cuts_ssh(one.pattern, value):
            continue
        for name in dict.fromkeys(("default", *interfaces)):
            pattern = with_interface(one.pattern, name)
            if not any(_speaks_for(other, pattern) for other in everything):
                yield replace(one, pattern=pattern)


def _number(rule: Rule | Wanted | None) -> int:
    if rule is None or rule.constraint.kind is not Kind.VALUE:
        return 0
    return as_int(rule.constraint.operands[0]) or 0


def _speaks_for(other: Key, pattern: Key) -> bool:
    return other == pattern or (is_glob(other) and (matches(other, pattern) or with_interface(pattern, "*") == other))
