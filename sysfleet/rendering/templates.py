"""The project's templates: read once, checked as a whole, evaluated for hosts into rules.

Knows which template belongs to which layer; refuses to know how layers add up.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
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
from sysfleet.rendering.variables import FACT_NAMES, SAMPLE_FACTS, TemplateVariables, frozen, namespace, unfit
from sysfleet.sysctl.key import Key

FOLDER = "templates"
BASE = "base"
_SUFFIX = ".conf.j2"
_ABSENT = object()


class Templates:
    """All templates by file name: `base.conf.j2`, one `NAME.conf.j2` a role, `_NAME` to include or import."""

    def __init__(self, texts: Mapping[str, str]) -> None:
        """Parse and check every template; TemplateError has all problems."""
        self._names = tuple(sorted(texts))
        self._files = tuple(f"{FOLDER}/{name}" for name in self._names)
        self._included = frozenset(at for at, name in enumerate(self._names) if name.startswith("_"))
        self._environment = TemplateEnvironment()
        self._lock = Lock()
        self._known: dict[Any, tuple[Rule, ...] | tuple[Problem, ...]] = {}
        trees = self._parsed(texts)
        graph = self._graph(trees)
        self._keys = {
            name: frozenset(
                key for each in analysis.reachable(name, graph) for key in analysis.keys(trees[each])
            )
            for name in trees
        }
        self._fingerprints = {
            name: _fingerprint(analysis.uses(trees[each] for each in analysis.reachable(name, graph)))
            for name in trees
        }
        self._compile(trees)

    @classmethod
    def load(cls, directory: Path) -> Templates:
        """The templates of a folder; TemplateError where it cannot be read."""
        texts: dict[str, str] = {}
        problems: list[Problem] = []
        try:
            paths = sorted(path for path in directory.iterdir() if path.name.endswith(".j2"))
            for path in paths:
                try:
                    texts[path.name] = path.read_text("utf-8")
                except UnicodeDecodeError as error:
                    line = path.read_bytes()[: error.start].count(b"\n") + 1
                    problems.append(Problem(f"{FOLDER}/{path.name}", line, "the text is not UTF-8"))
        except OSError as error:
            problems.append(Problem(str(error.filename or directory), None, error.strerror or str(error)))
        if problems:
            raise _failed(problems)
        return cls(texts)

    @property
    def roles(self) -> tuple[str, ...]:
        """The names of all roles, sorted."""
        names = [name.removesuffix(_SUFFIX) for name in self._names if not name.startswith("_")]
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
                known = self._known[asked] = self._evaluated(name, file, variables)
        if known and isinstance(known[0], Problem):
            raise _failed([each for each in known if isinstance(each, Problem)])
        return known  # type: ignore[return-value]

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
            raise _failed(problems)

    def _evaluated(
        self, name: str, file: str, variables: TemplateVariables
    ) -> tuple[Rule, ...] | tuple[Problem, ...]:
        try:
            rendered = self._environment.render(file, namespace(variables, name))
        except FAILURES as error:
            return (problem_of(error, self._files, self._files[self._names.index(file)]),)
        start = self._names.index(file)
        lines = list(marks.read(rendered.text, start, self._included))
        reader = Reader(self._files, self._names.index(BASE + _SUFFIX), name, rendered.calls)
        reader.read(lines)
        return tuple(reader.problems) or tuple(reader.rules)

    def _file(self, name: str) -> str:
        file = name + _SUFFIX
        if file not in self._fingerprints or name.startswith("_"):
            near = get_close_matches(name, self.roles, 1)
            hint = f"did you mean {near[0]!r}?" if near else None
            raise TemplateError(f"there is no template {file!r}", hint=hint)
        return file

    def _parsed(self, texts: Mapping[str, str]) -> dict[str, nodes.Template]:
        trees: dict[str, nodes.Template] = {}
        problems: list[Problem] = []
        for name, file in zip(self._names, self._files, strict=True):
            text = texts[name]
            problems += _bad_characters(file, text)
            if not name.startswith("_") and not name.endswith(_SUFFIX):
                problems.append(Problem(file, None, f"a role's template is named NAME{_SUFFIX}"))
            try:
                trees[name] = self._environment.parse(text, name, file)
            except (TemplateSyntaxError, RecursionError) as error:
                problems.append(problem_of(error, self._files, file))
        if BASE + _SUFFIX not in texts:
            what = "there is no such template, and every host needs it"
            problems.append(Problem(f"{FOLDER}/{BASE}{_SUFFIX}", None, what))
        if problems:
            raise _failed(problems)
        return trees

    def _graph(self, trees: Mapping[str, nodes.Template]) -> dict[str, tuple[str, ...]]:
        graph: dict[str, tuple[str, ...]] = {}
        problems: list[Problem] = []
        for (name, tree), file in zip(trees.items(), self._files, strict=True):
            found = []
            for wanted, line, optional in analysis.references(tree):
                if wanted in trees:
                    found.append(wanted)
                elif wanted is None:
                    what = "the other template's name is an expression"
                    problems.append(Problem(file, line, what, "write it out"))
                elif not optional:
                    near = get_close_matches(wanted, self._names, 1)
                    hint = f"did you mean {near[0]!r}?" if near else None
                    problems.append(Problem(file, line, f"there is no template {wanted!r}", hint))
            graph[name] = tuple(found)
        for name, file in zip(trees, self._files, strict=True):
            if any(name in analysis.reachable(each, graph) for each in graph[name]):
                problems.append(Problem(file, None, "the template includes itself, itself or through others"))
        if problems:
            raise _failed(problems)
        return graph

    def _compile(self, trees: Mapping[str, nodes.Template]) -> None:
        problems: list[Problem] = []
        for at, (name, tree) in enumerate(trees.items()):
            marks.mark(tree, at)
            try:
                self._environment.add(name, self._files[at], tree)
            except (TemplateSyntaxError, RecursionError) as error:
                problems.append(problem_of(error, self._files, self._files[at]))
        if problems:
            raise _failed(problems)


def _bad_characters(file: str, text: str) -> list[Problem]:
    lines = text.replace("\r\n", "\n").split("\n")
    return [
        Problem(file, number, f"the line holds {bad}")
        for number, line in enumerate(lines, 1)
        if (bad := unfit(line))
    ]


def _failed(problems: Iterable[Problem]) -> TemplateError:
    found = tuple(problems)
    message = str(found[0]) if len(found) == 1 else f"{len(found)} problems in the templates"
    return TemplateError(message, problems=found)


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
