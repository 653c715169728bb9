"""From what the inventory says of a host to the way there: address, login and the bastions before it.

Pure: the inventory is asked through a function, and nothing is connected to.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sysfleet.errors import UsageError
from sysfleet.remote.target import Hop, Target


@dataclass(frozen=True, slots=True)
class Asked:
    """What the inventory says of one host; None is not said. `jump` is as in ssh_config(5), ProxyJump."""

    name: str
    address: str
    port: int | None = None
    user: str | None = None
    jump: str | None = None


def route(asked: Asked, *, mark: str, default_user: str, inventory: Callable[[str], Asked | None]) -> Target:
    """The way to a host; UsageError where its bastions lead nowhere."""
    jumps = _jumps(asked, default_user, inventory, (asked.name,))
    return Target(
        name=asked.name,
        address=asked.address,
        port=asked.port or 22,
        user=asked.user or default_user,
        port_said=asked.port is not None,
        user_said=asked.user is not None,
        mark=mark,
        jumps=jumps,
    )


def _jumps(
    asked: Asked, default_user: str, inventory: Callable[[str], Asked | None], before: tuple[str, ...]
) -> tuple[Hop, ...]:
    if asked.jump is None or asked.jump == "none":
        return ()
    found: list[Hop] = []
    for name in asked.jump.split(","):
        if name in before:
            raise UsageError(f"the way to {before[0]} goes in a circle: {' by '.join((*before, name))}")
        jump = inventory(name) or Asked(name, name)
        if not found:
            found += _jumps(jump, default_user, inventory, (*before, name))
        found.append(
            Hop(
                name=name,
                address=jump.address,
                port=jump.port or 22,
                user=jump.user or default_user,
                port_said=jump.port is not None,
                user_said=jump.user is not None,
            )
        )
    return tuple(found)
