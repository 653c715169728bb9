"""The `--limit` expressions: terms are globs for names (`web*`) or `field=glob`.

`&` binds tighter than `|` and `,`, and `!` tighter than both. Knows the language; refuses to know an
inventory.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from fnmatch import translate
from typing import NoReturn

from sysfleet.errors import Problem, SelectionError
from sysfleet.selection.candidate import Candidate, values_of

_TOKEN = re.compile(
    r"""\s*(?: (?P<mark>!=|[&|,()!=])
            | (?P<quoted>"[^"]*"|'[^']*')
            | (?P<word>(?:\[!?\]?[^\]]*\]|[^\s&|,()!="'])+) )""",
    re.VERBOSE,
)
# A bracket stands for one character; whoever writes two digits expects a range of numbers.
_NUMBER_RANGE = re.compile(r"\[(?:\d{2,}[-:]\d+|\d+[-:]\d{2,}|\d+:\d+)\]")
_CLASS = re.compile(r"\[!?\]?[^\]]*\]")
_DEEPEST = 50
_WORDS = {"and": "&", "or": "|", "not": "!"}


Test = Callable[[Candidate], bool]


@dataclass(frozen=True, slots=True)
class Term:
    """One `field=glob`; `field` is name, role, group, or the dotted path of data."""

    field: str
    pattern: str
    literal: bool
    matches: Test


@dataclass(frozen=True, slots=True)
class Selection:
    """A parsed expression, and the terms that it is made of."""

    text: str
    terms: tuple[Term, ...]
    matches: Test


def parse(text: str) -> Selection:
    """The selection that an expression describes; SelectionError shows the place where it cannot be read."""
    parser = _Parser(text)
    return Selection(text, tuple(parser.terms), parser.test)


class _Parser:
    """Recursive descent, one method a rule: any of all of one; one is a term, `!` one, or `(` any `)`."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.terms: list[Term] = []
        self.depth = 0
        self.tokens: list[tuple[str, str, int]] = []
        self.at = 0
        self.read_tokens()
        if self.kind == "end":
            self.refuse("the expression is empty", "for example 'role=web & !web9'")
        self.test = self.any_of()
        if self.kind != "end":
            self.refuse_rest()

    def read_tokens(self) -> None:
        at, end = 0, len(self.text.rstrip())
        while at < end:
            found = _TOKEN.match(self.text, at)
            if found is None:
                at += len(self.text[at:]) - len(self.text[at:].lstrip())
                self.tokens = [("odd", self.text[at], at)]
                self.refuse("a quote is not closed" if self.text[at] in "\"'" else "this cannot be read")
            kind = found.lastgroup or ""
            self.tokens.append((kind, found[kind], found.start(kind)))
            at = found.end()
        self.tokens.append(("end", "", end))

    @property
    def kind(self) -> str:
        kind, text, _ = self.tokens[self.at]
        return text if kind == "mark" else kind

    def take(self) -> str:
        self.at += 1
        return self.tokens[self.at - 1][1]

    def any_of(self) -> Test:
        tests = [self.all_of()]
        while self.kind in ("|", ","):
            self.take()
            tests.append(self.all_of())
        return tests[0] if len(tests) == 1 else lambda candidate: any(test(candidate) for test in tests)

    def all_of(self) -> Test:
        tests = [self.one()]
        while self.kind == "&":
            self.take()
            tests.append(self.one())
        return tests[0] if len(tests) == 1 else lambda candidate: all(test(candidate) for test in tests)

    def one(self) -> Test:
        self.depth += 1
        if self.depth > _DEEPEST:
            self.refuse("this is nested too deeply")
        try:
            if self.kind == "!":
                self.take()
                inner = self.one()
                return lambda candidate: not inner(candidate)
            if self.kind == "(":
                return self.in_parentheses()
            return self.term()
        finally:
            self.depth -= 1

    def in_parentheses(self) -> Test:
        opened = self.at
        self.take()
        inner = self.any_of()
        if self.kind == "end":
            self.at = opened
            self.refuse("this parenthesis is not closed")
        if self.kind != ")":
            self.refuse_rest()
        self.take()
        return inner

    def term(self) -> Test:
        name, literal = self.word("a host or field=value")
        if self.kind not in ("=", "!="):
            return self.add("name", name, literal=literal)
        refused = self.take() == "!="
        if self.kind == "=":
            self.refuse("one = is enough")
        pattern, literal = self.word("a value")
        test = self.add(name, pattern, literal=literal)
        return (lambda candidate: not test(candidate)) if refused else test

    def word(self, what: str) -> tuple[str, bool]:
        if self.kind not in ("word", "quoted"):
            where = f"before {self.kind!r}" if self.kind != "end" else "at the end"
            self.refuse(f"{what} is missing {where}")
        if self.kind == "quoted":
            return self.take()[1:-1], True
        text = self.tokens[self.at][1]
        if found := _NUMBER_RANGE.search(text):
            self.refuse(f"{found[0]} stands for one character", "write web[1-9] | web1[0-2] for web1 to web12")
        if "[" in _CLASS.sub("", text):
            self.refuse("a bracket is not closed")
        return self.take(), not re.search(r"[*?\[]", text)

    def add(self, name: str, pattern: str, *, literal: bool) -> Test:
        matches = pattern.__eq__ if literal else re.compile(translate(pattern)).match

        def test(candidate: Candidate) -> bool:
            return any(matches(value) for value in values_of(candidate, name))

        self.terms.append(Term(name, pattern, literal, test))
        return test

    def refuse_rest(self) -> NoReturn:
        text, before = self.tokens[self.at][1], self.tokens[self.at - 1][1]
        if self.kind == ")":
            self.refuse("no parenthesis is open here")
        word = next((each for each in (text, before) if each.lower() in _WORDS), None)
        hint = f"write {_WORDS[word.lower()]} for {word}" if word else "write & for both, | for either"
        self.refuse(f"nothing joins {before!r} and {text!r}", hint)

    def refuse(self, what: str, hint: str | None = None) -> NoReturn:
        at = self.tokens[self.at][2] if self.tokens else 0
        picture = [self.text, " " * at + "^"] if self.text.isprintable() and self.text.strip() else []
        raise SelectionError(
            f"the selection cannot be read at character {at + 1}: {what}",
            hint=hint,
            problems=[Problem("--limit", None, line) for line in picture],
        )
