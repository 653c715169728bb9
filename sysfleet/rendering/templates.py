"""The project's templates: loaded once, evaluated for hosts into rules.

Knows which template belongs to which layer; refuses to know how layers add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path
from threading import Lock
from typing import Any

from jinja2 import TemplateSyntaxError, nodes

from sysfleet.errors import Problem, TemplateError
from sysfleet.policy.rule import Rule
from sysfleet.rendering import analysis, marks
from sysfleet.rendering.environment import TemplateEnvironment
from sysfleet.rendering.failures import FAILURES, problem_of
from sysfleet.rendering.lines import Reader
from sysfleet.rendering.sources import BASE, FOLDER, SUFFIX, closures, failed, parsed, read_texts
from sysfleet.rendering.variables import FACT_NAMES, SAMPLE_FACTS, TemplateVariables, frozen, namespace
from sysfleet.sysctl.key import Key

_ABSENT = object()


@dataclass(frozen=True, slots=True)
class _Failed:
    problems: tuple[Problem, ...]


class Templates:
    """All templates by file name: `base.conf.j2`, one `NAME.conf.j2` a role, `_NAME` to include or import."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Parse and check every template; TemplateError has all problems."""
        self._environment = TemplateEnvironment()
        trees = parsed(texts, self._environment.parse)
        self._numbers = {name: at for at, name in enumerate(trees)}
        self._files = tuple(f"{FOLDER}/{name}" for name in trees)
        self._own = tuple(not name.startswith("_") for name in trees)
        self._keys: dict[str, frozenset[Key]] = {}
        self._fingerprints: dict[str, Callable[[TemplateVariables], tuple[Any, ...]]] = {}
        for name, reached in closures(trees).items():
            parts = [trees[each] for each in reached]
            self._keys[name] = frozenset(key for tree in parts for key in analysis.keys(tree))
            self._fingerprints[name] = _fingerprint(analysis.uses(parts))
        self._compile(trees)
        self._known: dict[tuple[Any, ...], tuple[Rule, ...] | _Failed] = {}
        self._lock = Lock()

    @classmethod
    def load(cls, directory: Path) -> Templates:
        """The templates of a folder; TemplateError where they cannot be read or do not hold together."""
        return cls(read_texts(directory))

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of all roles, sorted."""
        names = sorted(name.removesuffix(SUFFIX) for name in self._numbers if not name.startswith("_"))
        return tuple(name for name in names if name != BASE)

    def evaluate(self, name: str, variables: TemplateVariables) -> tuple[Rule, ...]:
        """The rules of base or of one role for a host; TemplateError has all problems.

        Hosts that look alike to the template get the same tuple.
        """
        file = self._file(name)
        asked = (file, self._fingerprints[file](variables))
        known = self._known.get(asked)
        if known is None:
            with self._lock:
                known = self._known.get(asked)
                if known is None:
                    known = self._known[asked] = self._evaluated(name, file, variables)
        if isinstance(known, _Failed):
            raise failed(known.problems)
        return known

    def keys_to_read(self, name: str) -> frozenset[Key]:
        """The keys and globs that base or a role may set, found without evaluating it."""
        return self._keys[self._file(name)]

    def preflight(self, variables_of_hosts: Iterable[TemplateVariables]) -> None:
        """Evaluate base and the roles of each host with sample facts; TemplateError has all problems."""
        problems: dict[Problem, None] = {}
        for variables in variables_of_hosts:
            for facts in SAMPLE_FACTS:
                sample = replace(variables, facts=facts)
                for name in (BASE, *variables.roles):
                    try:
                        self.evaluate(name, sample)
                    except TemplateError as error:
                        problems.update(dict.fromkeys(error.problems))
        if problems:
            raise failed(problems)

    def _evaluated(self, name: str, file: str, variables: TemplateVariables) -> tuple[Rule, ...] | _Failed:
        start = self._numbers[file]
        try:
            rendered = self._environment.render(file, namespace(variables, name))
        except FAILURES as error:
            return _Failed((problem_of(error, self._files, self._files[start]),))
        reader = Reader(self._files, self._numbers[BASE + SUFFIX], name, rendered.calls)
        reader.read(list(marks.read(rendered.text, start, self._own)))
        return _Failed(tuple(reader.problems)) if reader.problems else tuple(reader.rules)

    def _file(self, name: str) -> str:
        file = name + SUFFIX
        if file not in self._numbers or name.startswith("_"):
            near = get_close_matches(name, self.roles, 1)
            hint = f"did you mean {near[0]!r}?" if near else None
            raise TemplateError(
                f"there is no template {FOLDER}/{file}",
                hint=hint,
                problems=[Problem(f"{FOLDER}/{file}", None, "there is no such template", hint)],
            )
        return file

    def _compile(self, trees: Mapping[str, nodes.Template]) -> None:
        problems: list[Problem] = []
        for name, tree in trees.items():
            at = self._numbers[name]
            marks.mark(tree, at)
            try:
                self._environment.add(name, self._files[at], tree)
            except (TemplateSyntaxError, RecursionError) as error:
                problems.append(problem_of(error, self._files, self._files[at]))
        if problems:
            raise failed(problems)


def _fingerprint(used: Mapping[str, frozenset[str] | None]) -> Callable[[TemplateVariables], tuple[Any, ...]]:
    # None stands for all parts of it, so a variable that is not used needs another default.
    facts, data = used.get("facts", frozenset()), used.get("data", frozenset())
    fact_names = FACT_NAMES if facts is None else tuple(sorted(facts.intersection(FACT_NAMES)))
    data_names = None if data is None else tuple(sorted(data))
    plain = tuple(name for name in ("host", "roles", "groups", "interfaces") if name in used)

    def fingerprint(variables: TemplateVariables) -> tuple[Any, ...]:
        held = variables.data
        return (
            *[getattr(variables, name) for name in plain],
            *[getattr(variables.facts, name) for name in fact_names],
            frozen(held if data_names is None else [held.get(name, _ABSENT) for name in data_names]),
        )

    return fingerprint
