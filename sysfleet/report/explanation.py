"""One key's story as a page of text: record in, text out."""

from __future__ import annotations

from collections.abc import Iterator

from sysfleet.explain import Explanation
from sysfleet.report.columns import Column, columns
from sysfleet.report.printable import printable


def page(story: Explanation, width: int | None) -> str:
    """The whole story; every part has its heading, and one that is empty says so."""
    parts = [
        (f"{story.key} on {story.host}", [*_meaning(story)]),
        ("wanted", [*_wanted(story, width)]),
        ("running", [*_running(story, width)]),
        ("files, in load order", [*_files(story, width)]),
        ("at boot", [*_boot(story, width)]),
        ("hazards", [printable(text) for text in story.hazards] or ["none known"]),
    ]
    lines: list[str] = []
    for heading, body in parts:
        lines += [printable(heading), *(f"  {line}" for line in body), ""]
    return "\n".join(lines[:-1]) + "\n"


def _meaning(story: Explanation) -> Iterator[str]:
    yield printable(story.meaning or "its meaning is not among what sysfleet knows")
    if story.why_set:
        yield printable(story.why_set)
    if story.source:
        yield printable(f"source: {story.source}")
    yield printable("; ".join(story.facts))


def _wanted(story: Explanation, width: int | None) -> Iterator[str]:
    if not story.layers:
        yield "no layer asks for it"
        return
    verdict = f"; {story.verdict}" + (f": {story.why}" if story.why else "")
    yield printable(f"{story.wanted if story.wanted is not None else '-'} ({story.asked}){verdict}")
    heads = [Column("layer, the last one holds"), Column("asks for"), Column("where"), Column("reason")]
    rows = [
        [printable(one.layer), printable(one.asks), printable(f"{one.file}:{one.line}"), printable(one.reason or "")]
        for one in story.layers
    ]
    yield from columns(heads, rows, width and width - 2)


def _running(story: Explanation, width: int | None) -> Iterator[str]:
    yield printable(story.running if story.running is not None else story.running_state)
    if story.rule:
        yield printable(story.rule)
    if story.interfaces:
        heads = [Column("interface"), Column("own value"), Column("in force"), Column("")]
        rows = [
            [
                printable(one.interface),
                printable(one.own),
                printable(one.in_force),
                "does not obey" if one.as_wanted is False else "",
            ]
            for one in story.interfaces
        ]
        yield from columns(heads, rows, width and width - 2)


def _files(story: Explanation, width: int | None) -> Iterator[str]:
    if not story.mentions:
        yield "no file mentions it"
        return
    heads = [Column("where"), Column("line"), Column("what becomes of it")]
    rows = [[printable(f"{one.file}:{one.line}"), printable(one.text), printable(one.note)] for one in story.mentions]
    yield from columns(heads, rows, width and width - 2)


def _boot(story: Explanation, width: int | None) -> Iterator[str]:
    if story.at_boot_unknown:
        yield printable(f"not known: {story.at_boot_unknown}")
    heads = [Column("loader"), Column("leaves"), Column("by"), Column("how that is known")]
    rows = [
        [
            f"{one.loader}{' (this host)' if one.of_host else ''}",
            printable(one.value if one.value is not None else "-"),
            printable(f"{one.file}:{one.line}" if one.file else "no file sets it"),
            one.known_from,
        ]
        for one in story.at_boot
    ]
    yield from columns(heads, rows, width and width - 2)
