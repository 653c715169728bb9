"""How the rules of all layers add up to one host's policy (DESIGN.md, 'Policy').

Refuses to know where rules come from, and which of them a host's interfaces and running values need.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sysfleet.policy.constraint import Constraint
from sysfleet.policy.implied import implied
from sysfleet.policy.intersection import intersection
from sysfleet.policy.rule import Clash, Layer, Origin, Policy, Rule, Wanted
from sysfleet.sysctl.key import Key
from sysfleet.sysctl.order import place


@dataclass(frozen=True, slots=True)
class _Held:
    """What holds for a pattern so far; `made_of` are the role rules that made it, where roles did."""

    constraint: Constraint
    origin: Origin
    chain: tuple[Rule, ...]
    made_of: tuple[Rule, ...] = ()
    clash: Clash | None = None


def resolve(
    base: Sequence[Rule],
    defaults: Sequence[Rule],
    roles: Sequence[Sequence[Rule]],
    overrides: Sequence[Sequence[Rule]],
    *,
    role_names: tuple[str, ...] = (),
    interfaces: tuple[str, ...] = (),
) -> Policy:
    """The policy that the layers add up to; `overrides` are groups, parents first, and then the host.

    A setting for `all` that leaves it to the interfaces also asks for `default` and these interfaces and globs.

    Roles are intersected, every other layer replaces. A clash of roles that no group or host decides is in
    `clashes`, and its pattern is not wanted. Wanted patterns stand in the order of writing.
    """
    held: dict[Key, _Held] = {}
    _replace(held, base)
    for rules in roles:
        _replace(held, _new_base_rules(held, rules))
    _replace(held, defaults)
    for rules in roles:
        for rule in rules:
            if rule.origin.layer is not Layer.BASE:
                _intersect(held, rule)
    for rules in overrides:
        _replace(held, rules)
    order = sorted(held, key=place)
    wanted = [
        Wanted(pattern, here.constraint, here.origin, here.chain)
        for pattern in order
        if (here := held[pattern]).clash is None
    ]
    also = [one for one in implied(wanted, interfaces) if one.pattern not in held] if interfaces else []
    return Policy(
        role_names,
        tuple(sorted([*wanted, *also], key=lambda one: place(one.pattern)) if also else wanted),
        tuple(clash for pattern in order if (clash := held[pattern].clash) is not None),
    )


def _new_base_rules(held: dict[Key, _Held], rules: Iterable[Rule]) -> list[Rule]:
    # A role that extends base repeats base's lines; only those that came out differently say something new.
    return [
        rule
        for rule in rules
        if rule.origin.layer is Layer.BASE
        and not ((here := held.get(rule.pattern)) is not None and here.constraint == rule.constraint)
    ]


def _replace(held: dict[Key, _Held], rules: Iterable[Rule]) -> None:
    for rule in rules:
        before = held.get(rule.pattern)
        chain = before.chain if before is not None else ()
        held[rule.pattern] = _Held(rule.constraint, rule.origin, (*chain, rule))


def _intersect(held: dict[Key, _Held], rule: Rule) -> None:
    before = held.get(rule.pattern)
    chain = (*before.chain, rule) if before is not None else (rule,)
    if before is None or not before.made_of:
        held[rule.pattern] = _Held(rule.constraint, rule.origin, chain, (rule,))
        return
    made_of = (*before.made_of, rule)
    both = None if before.clash else intersection(rule.pattern, before.constraint, rule.constraint)
    if both is None:
        clash = before.clash or Clash(rule.pattern, _opponent(before, rule), rule)
        held[rule.pattern] = _Held(before.constraint, before.origin, chain, made_of, clash)
        return
    origin = before.origin if both == before.constraint else rule.origin
    held[rule.pattern] = _Held(both, origin, chain, made_of)


def _opponent(before: _Held, rule: Rule) -> Rule:
    against = [each for each in before.made_of if intersection(rule.pattern, each.constraint, rule.constraint) is None]
    return (against or before.made_of)[-1]


class PolicyCache:
    """Policies by the very tuples they were resolved from, so that hosts that are alike share one."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, ...], tuple[tuple[object, ...], Policy]] = {}

    def resolve(
        self,
        base: tuple[Rule, ...],
        defaults: tuple[Rule, ...],
        roles: Sequence[tuple[Rule, ...]],
        overrides: Sequence[tuple[Rule, ...]],
        *,
        role_names: tuple[str, ...] = (),
        interfaces: tuple[str, ...] = (),
    ) -> Policy:
        """The policy as `resolve` gives it; the same object for the same tuples."""
        given = (base, defaults, *roles, *overrides)
        asked = (role_names, interfaces, len(roles), *map(id, given))
        known = self._known.get(asked)
        if known is None:
            policy = resolve(base, defaults, roles, overrides, role_names=role_names, interfaces=interfaces)
            # The tuples are kept with the policy: an identity names an object only as long as it lives.
            known = self._known.setdefault(asked, (given, policy))
        return known[1]
