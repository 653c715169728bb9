"""What can go wrong while a template is read or evaluated, as a problem with file and line.

Knows Jinja2's errors and the exceptions of code that templates call; anything else is a bug and passes.
"""

from __future__ import annotations

import traceback
from collections.abc import Collection

from jinja2 import TemplateError, TemplateSyntaxError

from sysfleet.errors import Problem
from sysfleet.rendering.environment import UndefinedName
from sysfleet.rendering.marks import without_marks
from sysfleet.rendering.setting import Refused
from sysfleet.rendering.variables import shown

FAILURES = (
    TemplateError,
    Refused,
    ArithmeticError,
    AssertionError,
    AttributeError,
    LookupError,
    MemoryError,
    RuntimeError,
    TypeError,
    ValueError,
)


def problem_of(error: BaseException, files: Collection[str], file: str) -> Problem:
    """The problem that an error stands for, at the innermost template line; `file` is the one asked for."""
    if isinstance(error, TemplateSyntaxError):
        return Problem(error.filename or file, error.lineno, _clean(error.message or "it is no template"))
    line: int | None = None
    # Jinja2 rewrites the traceback, so that its frames name template and line.
    for frame in traceback.walk_tb(error.__traceback__):
        if frame[0].f_code.co_filename in files:
            file, line = frame[0].f_code.co_filename, frame[1]
    if isinstance(error, Refused):
        return Problem(file, line, _clean(error.what), error.hint)
    if isinstance(error, UndefinedName):
        return Problem(file, line, _clean(str(error)), error.hint)
    if isinstance(error, RecursionError):
        return Problem(file, line, "the template calls itself without end")
    if isinstance(error, MemoryError):
        return Problem(file, line, "the result is too large")
    kind = "" if isinstance(error, TemplateError) else f"{type(error).__name__}: "
    return Problem(file, line, _clean(f"{kind}{error}"))


def _clean(text: str) -> str:
    return shown(without_marks(text))
