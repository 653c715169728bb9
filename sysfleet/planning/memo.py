"""Hosts that are alike share their plan: planning is a function, so its results can be kept.

Two hosts are alike when policy, values, whole files and all facts but name, boot and uptime are equal. Nothing is
taken on trust from a checksum that a host printed: one host could choose it to be given another's plan.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from threading import Lock

from sysfleet.host import Reading
from sysfleet.planning.plan import make_plan
from sysfleet.planning.records import Options, Plan
from sysfleet.policy.rule import Policy

_KEPT = 256


class Planner:
    """Plans with the same options, from any thread; a plan that was made before is given again."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self._lock = Lock()
        self._known: OrderedDict[tuple[object, ...], tuple[Policy, Plan]] = OrderedDict()

    def plan(self, policy: Policy, reading: Reading) -> Plan:
        """As `make_plan`; the same object for hosts that are alike."""
        facts = replace(reading.facts, hostname="", boot_id="", uptime_s=0.0)
        asked = (id(policy), facts, reading.files, tuple(reading.values.items()))
        with self._lock:
            known = self._known.get(asked)
            if known is not None:
                self._known.move_to_end(asked)
                return known[1]
        plan = make_plan(policy, replace(reading, facts=facts), self.options)
        with self._lock:
            # The policy is kept with it: its identity names it only as long as it lives.
            known = self._known.setdefault(asked, (policy, plan))
            if len(self._known) > _KEPT:
                self._known.popitem(last=False)
        return known[1]
