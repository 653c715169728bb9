"""Jinja2 as templates of sysctl files need it: sandboxed, strict and bounded.

Knows Jinja2's machinery; refuses to know policies.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import partial
from types import SimpleNamespace
from typing import Any, cast

from jinja2 import BaseLoader, Environment, StrictUndefined, Template, TemplateNotFound, Undefined, nodes
from jinja2.exceptions import TemplateRuntimeError, UndefinedError
from jinja2.runtime import Context
from jinja2.sandbox import ImmutableSandboxedEnvironment
from jinja2.utils import missing
from typing_extensions import override

from sysfleet.rendering.marks import token
from sysfleet.rendering.setting import Refused, Setting, read_setting
from sysfleet.rendering.variables import VARIABLE_NAMES, Data

MAX_OUTPUT = 1 << 20  # characters, marks included
MAX_STEPS = 200_000  # of all loops and macros of one evaluation
_MAX_LENGTH = 1 << 16  # of what `*` makes of a text or a list
_MAX_BITS = 256  # of what `*` and `**` make of numbers


class UndefinedName(UndefinedError):
    """A name that is not there, and the nearest one that is."""

    def __init__(self, what: str, hint: str | None) -> None:
        super().__init__(what)
        self.hint = hint


class _Undefined(StrictUndefined):
    __slots__ = ()

    def __init__(
        self,
        hint: str | None = None,
        obj: Any = missing,
        name: str | None = None,
        exc: type[TemplateRuntimeError] = UndefinedError,
    ) -> None:
        if exc is UndefinedError and not hint:
            exc = cast("type[TemplateRuntimeError]", partial(_undefined_name, obj, name))
        super().__init__(hint, obj, name, exc)


def _undefined_name(obj: Any, name: object, _message: str) -> UndefinedName:
    if obj is missing:
        return UndefinedName(f"{name!r} is undefined", _nearest(name, (*VARIABLE_NAMES, "setting")))
    if isinstance(obj, SimpleNamespace):
        return UndefinedName(f"facts.{name} is undefined", _nearest(name, tuple(vars(obj))))
    if isinstance(obj, Data):
        return UndefinedName(f"the data has no {name!r}", _nearest(name, tuple(map(str, obj))))
    return UndefinedName(f"{type(obj).__name__} has no {name!r}", None)


def _nearest(name: object, known: tuple[str, ...]) -> str | None:
    near = get_close_matches(str(name), known, 1, 0.6)
    return f"did you mean {near[0]!r}?" if near else f"it has {', '.join(known[:20])}" if known else None


@dataclass(slots=True)
class Rendered:
    """What one evaluation gave: its text, and what its `setting()` calls said, by token."""

    text: str = ""
    calls: list[Setting | Refused] = field(default_factory=list)
    steps: int = 0


class _Compiled(BaseLoader):
    def __init__(self) -> None:
        self.templates: dict[str, Template] = {}

    @override
    def load(self, environment: Environment, name: str, globals: MutableMapping[str, Any] | None = None) -> Template:
        if name not in self.templates:
            raise TemplateNotFound(name)
        return self.templates[name]


class TemplateEnvironment(ImmutableSandboxedEnvironment):
    """An environment for one thread at a time: what `setting()` says goes to the evaluation under way."""

    intercepted_binops = frozenset({"*", "**"})

    def __init__(self) -> None:
        self._compiled = _Compiled()
        super().__init__(
            undefined=_Undefined,
            loader=self._compiled,
            auto_reload=False,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
        )
        # A file is a function of policy and host: nothing random may enter it.
        del self.filters["random"], self.globals["lipsum"]
        self.globals["setting"] = self._setting
        self._under_way = Rendered()

    def add(self, name: str, file: str, tree: nodes.Template) -> None:
        """Compile a tree, so that templates and `render` find it; raises Jinja2's syntax errors."""
        code = self.compile(tree, name, file)
        self._compiled.templates[name] = Template.from_code(self, code, self.make_globals(None))

    def render(self, name: str, variables: dict[str, Any]) -> Rendered:
        """Evaluate a template; raises whatever the code it calls raises."""
        self._under_way = rendered = Rendered()
        pieces: list[str] = []
        length = 0
        for piece in self._compiled.templates[name].generate(variables):
            length += len(piece)
            if length > MAX_OUTPUT:
                raise Refused(f"the output is longer than {MAX_OUTPUT} characters")
            pieces.append(piece)
        rendered.text = "".join(pieces)
        return rendered

    def one_line(self, value: Any) -> Any:
        """The value of an expression as it is; one that would begin a new line of the file is refused."""
        if isinstance(value, str) and ("\n" in value or "\r" in value):
            raise Refused("the value of this expression holds a line break", "a loop writes several lines")
        return value

    def step(self) -> str:
        """Count one turn of a loop or one call of a macro; too many are refused."""
        self._under_way.steps += 1
        if self._under_way.steps > MAX_STEPS:
            raise Refused(f"loops and macros take more than {MAX_STEPS} turns")
        return ""

    def _setting(self, *positional: Any, **arguments: Any) -> str:
        for value in (*positional, *arguments.values()):
            if isinstance(value, Undefined):
                str(value)  # raises, and says what is undefined
        calls = self._under_way.calls
        try:
            if len(positional) > 2:
                raise Refused("setting() takes a key and a value; what follows goes by name")
            named = dict(zip(("key", "value"), positional, strict=False))
            if twice := sorted(named.keys() & arguments.keys()):
                raise Refused(f"setting() has {twice[0]!r} twice")
            calls.append(read_setting(named | arguments))
        except Refused as refused:
            calls.append(refused)
        return token(len(calls) - 1)

    @override
    def getattr(self, obj: Any, attribute: str) -> Any:
        # `data.items` is the inventory's item, where there is one, and not a method.
        if isinstance(obj, Data) and attribute in obj:
            return obj[attribute]
        return super().getattr(obj, attribute)

    @override
    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        if operator == "*":
            for many, times in ((left, right), (right, left)):
                if isinstance(many, str | list | tuple) and isinstance(times, int):
                    _bounded(len(many) * times, _MAX_LENGTH)
        if isinstance(left, int) and isinstance(right, int):
            bits = left.bit_length() * right if operator == "**" else left.bit_length() + right.bit_length()
            _bounded(bits, _MAX_BITS)
        return super().call_binop(context, operator, left, right)


def _bounded(size: int, limit: int) -> None:
    """Refuse a result that is out of all proportion for a sysctl file."""
    if size > limit:
        raise Refused("the result is too large")
