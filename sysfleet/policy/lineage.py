"""Which groups stand above an entry, in Nornir's order, and groups that stand above themselves.

Knows names and their parents; refuses to know what a group says.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

Parents = Mapping[str, Sequence[str]]


def ancestors_of(names: Iterable[str], parents: Parents) -> tuple[str, ...]:
    """All groups above an entry that lists these, nearest first, depth first, each once; needs no cycles."""
    found: dict[str, None] = {}
    waiting = list(names)[::-1]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name] = None
            waiting += parents[name][::-1]
    return tuple(found)


def parents_first(names: Iterable[str], parents: Parents) -> tuple[str, ...]:
    """The same groups, lowest first: each parent before its children, and of those listed the first last.

    Nornir's order would let a parent that two groups share beat the second of them; here it beats neither.
    """
    found: dict[str, None] = {}
    waiting = [(name, False) for name in names]
    while waiting:
        name, done = waiting.pop()
        if done:
            found.setdefault(name)
        elif name not in found:
            waiting.append((name, True))
            waiting += [(parent, False) for parent in parents[name]]
    return tuple(found)


def cycles(parents: Parents) -> list[tuple[str, ...]]:
    """Ways back to where they began, one for each step that closes one; the last group lists the first."""
    found: list[tuple[str, ...]] = []
    path: dict[str, None] = {}
    done: set[str] = set()
    for start in parents:
        waiting = [(start, False)]
        while waiting:
            name, leaving = waiting.pop()
            if leaving:
                path.popitem()
                done.add(name)
            elif name in path:
                way = list(path)
                found.append(tuple(way[way.index(name) :]))
            elif name in parents and name not in done:
                path[name] = None
                waiting.append((name, True))
                waiting += [(parent, False) for parent in reversed(parents[name])]
    return found
