"""All rules over all files: one sorted list of findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from sysfleet.sysctl.document import Assignment, Document, Exclusion, parse
from sysfleet.sysctl.lint import interfaces, lines, order
from sysfleet.sysctl.lint.finding import Finding, Placed, key_column
from sysfleet.sysctl.sources import SourceFile
from sysfleet.sysctl.steps import steps_of
from sysfleet.sysctl.versions import Loader

_ROOM = "/etc/sysctl.d/lint.conf"  # where a file is judged as if it stood there
_NAMES = {
    Loader.SYSTEMD: "systemd",
    Loader.PROCPS: "procps",
    Loader.ALPINE: "BusyBox (Alpine)",
    Loader.OPENRC: "BusyBox (OpenRC)",
}
# What is wrong with the value is found by a rule of its own.
_OF_THE_KERNEL = frozenset({"the kernel refuses the value", "BusyBox stops at the refused value"})


def lint(files: Iterable[tuple[str, bytes]]) -> tuple[Finding, ...]:
    """What is to be said of these files, each a name and its bytes, taken together in this order."""
    documents = [parse(content, name) for name, content in files]
    settings = [Placed(document.path, line) for document in documents for line in document.settings]
    all_lines = [*settings, *(Placed(one.path, line) for one in documents for line in one.exclusions)]
    found: list[Finding] = []
    for document in documents:
        found += lines.of_document(document)
        found += _loaders(document)
    for placed in all_lines:
        found += lines.of_setting(placed)
    for rule in _TOGETHER:
        found += rule(settings)
    places = {document.path: number for number, document in enumerate(documents)}
    return tuple(sorted(dict.fromkeys(found), key=lambda one: (places[one.file], one.line, one.column, one.rule)))


_TOGETHER = (
    order.duplicates,
    order.same_variables,
    order.undone,
    order.unreachable_by_glob,
    interfaces.all_only,
    interfaces.pointless,
)


def _loaders(document: Document) -> Iterator[Finding]:
    """Lines that some loader takes and another does not; what all reject is found by other rules."""
    rejected: dict[int, dict[Loader, str]] = {}
    for loader in _NAMES:
        for one in steps_of(loader, _as_if_read(loader, document)).problems:
            if one.file == _ROOM and one.why not in _OF_THE_KERNEL:
                rejected.setdefault(one.line, {}).setdefault(loader, one.why)
    by_number = {line.line: line for line in document.lines}
    for number, by in sorted(rejected.items()):
        line = by_number.get(number)
        if len(by) == len(_NAMES) or not isinstance(line, Assignment | Exclusion):
            continue
        reasons: dict[str, list[str]] = {}
        for loader, why in by.items():
            reasons.setdefault(why, []).append(_NAMES[loader])
        said = "; ".join(f"{' and '.join(names)}: {why}" for why, names in reasons.items())
        yield Finding(
            "one-loader",
            document.path,
            number,
            key_column(line),
            f"not every loader takes this: {said}",
            key=line.pattern,
        )


def _as_if_read(loader: Loader, document: Document) -> tuple[SourceFile, ...]:
    """OpenRC reads nothing without a main file."""
    file = SourceFile(_ROOM, document.to_bytes())
    main: Sequence[SourceFile] = (SourceFile("/etc/sysctl.conf", b"\n"),) if loader is Loader.OPENRC else ()
    return (*main, file)
