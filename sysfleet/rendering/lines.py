"""From the lines of an evaluation to rules with their origins, with every problem at its template line.

Knows the grammar of sysctl.d through `document`; refuses to know Jinja2.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sysfleet.errors import Problem
from sysfleet.policy.constraint import Constraint, Kind
from sysfleet.policy.rule import Layer, Origin, Rule
from sysfleet.rendering.marks import OutputLine, Place, only_tokens
from sysfleet.rendering.setting import Refused, Setting, checked_key, checked_value
from sysfleet.rendering.variables import shown, unfit
from sysfleet.sysctl.document import Assignment, Blank, Comment, Exclusion, Line, Malformed, parse
from sysfleet.sysctl.key import Key

_NO_DASH = "sysfleet leaves out what a host does not have by itself; write the line without the dash"


@dataclass(slots=True)
class Reader:
    """Reads one output; `files` and `base` are the templates by number, `role` the template's own name."""

    files: Sequence[str]
    base: int
    role: str
    calls: Sequence[Setting | Refused]
    rules: list[Rule] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    _comments: list[str] = field(default_factory=list)
    _block_reason: str | None = None
    _after_setting: bool = False
    _places: dict[tuple[Layer, Key], Place] = field(default_factory=dict)

    def read(self, lines: Sequence[OutputLine]) -> None:
        """Add the rules and problems of all lines."""
        plain = ["" if line.tokens or unfit(line.text) else line.text for line in lines]
        document = parse("\n".join(plain).encode())
        # The grammar has no last line where there is no text; here it has, and it is blank.
        parsed: list[Line] = [*document.lines, *(Blank(0, "") for _ in lines)]
        for line, what in zip(lines, parsed, strict=False):
            if line.tokens:
                self._settings(line)
            elif bad := unfit(line.text):
                found = f"the line holds {bad}: {shown(line.text.strip())!r}"
                self._problem(line.place, found, "a value is one line of text")
            else:
                self._plain(line.place, what)

    def _plain(self, place: Place, what: Line) -> None:
        match what:
            case Blank():
                self._comments, self._block_reason, self._after_setting = [], None, False
            case Comment():
                if self._after_setting:
                    self._comments, self._after_setting = [], False
                self._comments.append(what.text.strip().lstrip("#;").strip())
            case Assignment(ignore_failure=True):
                self._problem(place, f"a dash before the key: {what.text.strip()!r}", _NO_DASH)
            case Assignment():
                self._guarded(place, what.pattern, what.value)
            case Exclusion():
                self._problem(place, f"a key without a value: {what.text.strip()!r}", _NO_DASH)
            case Malformed():
                hint = None if "=" in what.text else "a setting is 'key = value', a comment begins with '#'"
                self._problem(place, f"{what.why}: {what.text.strip()!r}", hint)

    def _settings(self, line: OutputLine) -> None:
        if not only_tokens(line.text):
            self._problem(line.place, "setting() stands on a line of its own", None)
            return
        for number, place in line.tokens:
            forged = number >= len(self.calls)
            call = Refused("the line holds a control character") if forged else self.calls[number]
            if isinstance(call, Refused):
                self._problem(place, call.what, call.hint)
            else:
                self._rule(place, call)

    def _guarded(self, place: Place, pattern: Key, value: str) -> None:
        try:
            constraint = Constraint(Kind.VALUE, (checked_value(pattern, value),))
            self._rule(place, Setting(checked_key(pattern), constraint, None, ()))
        except Refused as refused:
            self._problem(place, refused.what, refused.hint)

    def _rule(self, place: Place, setting: Setting) -> None:
        layer = Layer.BASE if place.owner == self.base else Layer.ROLE
        before = self._places.setdefault((layer, setting.pattern), place)
        if before is not place:
            where = f"first at {self.files[before.template]}:{before.line}"
            self._problem(place, f"{setting.pattern} is set twice", where)
            return
        own = () if self._after_setting else tuple(self._comments)
        if own:
            self._block_reason = " ".join(own)
        origin = Origin(
            layer,
            Layer.BASE.value if layer is Layer.BASE else self.role,
            self.files[place.template],
            place.line,
            reason=setting.reason or self._block_reason,
            cite=setting.cite,
            comments=own,
        )
        self._after_setting = True
        self.rules.append(Rule(setting.pattern, setting.constraint, origin))

    def _problem(self, place: Place, what: str, hint: str | None) -> None:
        self.problems.append(Problem(self.files[place.template], place.line, what, hint))
