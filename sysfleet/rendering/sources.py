"""The templates' texts, read, parsed and checked before any of them is evaluated.

Knows which file names make a template; refuses to know variables and rules.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path

from jinja2 import TemplateSyntaxError, nodes

from sysfleet.errors import Problem, TemplateError
from sysfleet.rendering import analysis
from sysfleet.rendering.failures import problem_of
from sysfleet.rendering.variables import unfit

FOLDER = "templates"
BASE = "base"
SUFFIX = ".conf.j2"


def failed(problems: Iterable[Problem]) -> TemplateError:
    """The error that carries these problems."""
    found = tuple(problems)
    message = str(found[0]) if len(found) == 1 else f"{len(found)} problems in the templates"
    return TemplateError(message, problems=found)


def read_texts(directory: Path) -> dict[str, str]:
    """The text of every `*.j2` file of a folder, by name; TemplateError where one cannot be read."""
    texts: dict[str, str] = {}
    problems: list[Problem] = []
    try:
        for path in sorted(each for each in directory.iterdir() if each.name.endswith(".j2")):
            content = path.read_bytes()
            try:
                texts[path.name] = content.decode()
            except UnicodeDecodeError as error:
                line = content[: error.start].count(b"\n") + 1
                problems.append(Problem(f"{FOLDER}/{path.name}", line, "the text is not UTF-8"))
    except OSError as error:
        problems.append(Problem(str(error.filename or directory), None, (error.strerror or str(error)).lower()))
    if problems:
        raise failed(problems)
    return texts


def parsed(texts: Mapping[str, str], parse: Callable[[str, str, str], nodes.Template]) -> dict[str, nodes.Template]:
    """The syntax tree of every template, sorted by name; TemplateError has all problems."""
    trees: dict[str, nodes.Template] = {}
    problems: list[Problem] = []
    for name in sorted(texts):
        file = f"{FOLDER}/{name}"
        problems += _bad_characters(file, texts[name])
        if not name.startswith("_") and not name.endswith(SUFFIX):
            problems.append(Problem(file, None, f"a role's template is named NAME{SUFFIX}"))
        try:
            trees[name] = parse(texts[name], name, file)
        except (TemplateSyntaxError, RecursionError) as error:
            problems.append(problem_of(error, (), file))
    if BASE + SUFFIX not in texts:
        what = "there is no such template, and every host needs it"
        problems.append(Problem(f"{FOLDER}/{BASE}{SUFFIX}", None, what))
    if problems:
        raise failed(problems)
    return trees


def closures(trees: Mapping[str, nodes.Template]) -> dict[str, tuple[str, ...]]:
    """Each template with all that it extends, includes and imports; TemplateError has what is amiss."""
    graph: dict[str, tuple[str, ...]] = {}
    problems: list[Problem] = []
    for name, tree in trees.items():
        found: list[str] = []
        for wanted, line, optional in analysis.references(tree):
            if wanted is not None and wanted in trees:
                found.append(wanted)
            elif not optional or wanted is None:
                problems.append(_unresolved(f"{FOLDER}/{name}", line, wanted, tuple(trees)))
        graph[name] = tuple(found)
    reached = {name: analysis.reachable(name, graph) for name in trees}
    for name in trees:
        if any(name in reached[each] for each in graph[name]):
            what = "the template includes itself, directly or through others"
            problems.append(Problem(f"{FOLDER}/{name}", None, what))
    if problems:
        raise failed(problems)
    return reached


def _unresolved(file: str, line: int, wanted: str | None, names: Sequence[str]) -> Problem:
    if wanted is None:
        return Problem(file, line, "the other template's name is an expression", "write it out")
    near = get_close_matches(wanted, names, 1)
    hint = f"did you mean {near[0]!r}?" if near else None
    return Problem(file, line, f"there is no template {wanted!r}", hint)


def _bad_characters(file: str, text: str) -> list[Problem]:
    lines = text.replace("\r\n", "\n").split("\n")
    return [
        Problem(file, number, f"the line holds {bad}") for number, line in enumerate(lines, 1) if (bad := unfit(line))
    ]
