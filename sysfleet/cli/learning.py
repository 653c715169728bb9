"""`--learn-host-keys`: shows the keys of unknown hosts and asks before they are written down."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser, Namespace
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sysfleet.cli.terminal import Terminal, is_terminal
from sysfleet.errors import UsageError

if TYPE_CHECKING:
    from sysfleet.fleet import Fleet
    from sysfleet.remote.learn import NewKey

_YES = {"y", "yes"}
_FLAG = "--learn-host-keys"


def add_learning(parser: ArgumentParser) -> None:
    """`--learn-host-keys`."""
    parser.add_argument(
        _FLAG,
        action="store_true",
        help="first show the keys of hosts that are not known, and add them to known_hosts in the project; asks on a"
        " terminal, and does not where there is none (default: unknown hosts are rejected)",
    )


def add_refusal(parser: ArgumentParser) -> None:
    """`--learn-host-keys` where it is refused, so that it is not an unknown option."""
    parser.add_argument(_FLAG, action="store_true", help=SUPPRESS)


def refuse(options: Namespace) -> None:
    """UsageError where a command that changes hosts is to learn their keys."""
    if options.learn_host_keys:
        raise UsageError(
            "apply changes only hosts that are known already",
            hint=f"sysfleet check {_FLAG}, compare the fingerprints, then apply",
        )


def learn(options: Namespace, terminal: Terminal, fleet: Fleet) -> None:
    """Learn the keys of the selected hosts where the options say so, and tell which."""
    if not options.learn_host_keys:
        return
    agreement = _Agreement(terminal)
    learned = fleet.learn_host_keys(options.limit, agreement)
    if learned:
        terminal.tell(f"{_keys(learned)} added to {fleet.project.known_hosts}\n")
    elif not agreement.asked:
        terminal.tell("no unknown host showed a key\n")
    if agreement.declined:
        terminal.tell("nothing was added\n" if not learned else "nothing more was added\n")


class _Agreement:
    """Shows keys as they are found; a person is asked, and without one the option itself is the consent."""

    def __init__(self, terminal: Terminal) -> None:
        self._terminal = terminal
        self.asked = False
        self.declined = False

    def __call__(self, keys: Sequence[NewKey]) -> bool:
        from sysfleet.report.printable import printable

        self.asked = True
        width = max(len(key.hop.name) for key in keys)
        for key in keys:
            place = f"[{key.hop.address}]:{key.hop.port}"
            self._terminal.tell(f"{printable(f'{key.hop.name:<{width}}  {place}  {key.key}')}\n")
        if not is_terminal(self._terminal.stdin):
            return True
        self._terminal.tell(f"add {_keys(keys)} to known_hosts? [y/N] ")
        self.declined = self._terminal.stdin.readline().strip().lower() not in _YES
        return not self.declined


def _keys(keys: Sequence[NewKey]) -> str:
    number = len({key.line for key in keys})
    return f"{number} key{'s' if number != 1 else ''}"
