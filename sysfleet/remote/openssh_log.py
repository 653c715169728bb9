"""What one ssh said, in its log and on standard error: how far it came, who it was, how the program ended.

Refuses to know why a connection failed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sysfleet.remote.evidence import clean

_ON_THE_WAY = "way through the bastion"
# The last phase that the log shows, by what begins it.
_PHASES = (
    ("\nAuthenticated to ", "after the login"),
    ("\ndebug1: SSH2_MSG_NEWKEYS received", "login"),
    ("\ndebug1: Remote protocol version ", "key exchange"),
    ("\ndebug1: Connection established.", "waiting for the banner"),
    ("\ndebug1: Executing proxy command: ", _ON_THE_WAY),
    ("\ndebug1: Connecting to ", "TCP connect"),
    ("\n", "name lookup"),
)
_STATUS = re.compile(r"^debug\d: .*\b(?:exit status from master|Exit status) (-?\d+)", re.MULTILINE)
_USER = re.compile(r"^debug1: Authenticating to .* as '(.*)'$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Said:
    """What one ssh said: its own log, and standard error until the login, which bastions write to."""

    log: str
    errors: str

    @property
    def words(self) -> str:
        """The log without what is of use to its developers alone."""
        return "\n".join(line for line in self.log.splitlines() if not line.startswith("debug"))

    @property
    def phase(self) -> str:
        """The phase of connecting that it came to."""
        text = "\n" + self.log
        return next(name for begins, name in _PHASES if begins in text)

    @property
    def on_the_way(self) -> bool:
        """Whether it did not come to the host, but to what is before it."""
        return self.phase == _ON_THE_WAY

    @property
    def logged_in(self) -> bool:
        """Whether the host took the login."""
        return "\nAuthenticated to " in "\n" + self.log

    @property
    def in_session(self) -> bool:
        """Whether ssh is done with itself: logged in, its socket is there, and the command was asked for."""
        return self.logged_in and "\ndebug1: Entering interactive session" in self.log

    @property
    def user(self) -> str | None:
        """Who logs in, as ssh's configuration has it."""
        found = _USER.search(self.log)
        return None if found is None else clean(found[1], limit=80)

    @property
    def ended_by_itself(self) -> bool:
        """Whether the host told how the program ended."""
        return "rtype exit-s" in self.log or "xit status from master" in self.log

    @property
    def no_session(self) -> bool:
        """Whether the host opened no session on the connection."""
        return "Session open refused by peer" in self.log or "channel 0: open failed: " in self.log

    @property
    def status(self) -> int:
        """The exit status of the command; -1 where there is none."""
        found = _STATUS.search(self.log)
        return -1 if found is None else int(found[1])

    @property
    def last_words(self) -> str:
        """What was said after the login, without what is of use to developers alone."""
        return self.words.partition("Authenticated to ")[2].partition("\n")[2] or self.words
