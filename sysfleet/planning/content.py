"""Our file on a host: its text from what is wanted, with no clock and no run in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sysfleet.host import Reading
from sysfleet.policy.rule import Origin, Wanted
from sysfleet.sysctl.document import parse
from sysfleet.sysctl.key import Key

HEADER = "# Managed by sysfleet: a change made here is found as drift and overwritten."


def rendered(lines: Iterable[tuple[Wanted, str]], comments: str) -> bytes | None:
    """The file that sets these values in this order; None when there is nothing to set.

    `comments` is none, short (each setting's reason) or full (reason, origin, citations, the operator's comments).
    """
    parts = [HEADER]
    said: set[tuple[str, ...]] = {()}
    block: tuple[str, ...] = ()
    for wanted, value in lines:
        about = _comments(wanted.origin, comments)
        if about not in said:
            parts.extend(("", *(f"# {line}" for line in about)))
            said.add(about)
            block = about
        elif about != block and block:
            parts.append("")  # its reason was given further up: settings like that stand together without one
            block = ()
        parts.append(f"{wanted.pattern} = {value}")
    if len(parts) == 1:
        return None
    return ("\n".join(parts) + "\n").encode("utf-8", "surrogateescape")


def _comments(origin: Origin, style: str) -> tuple[str, ...]:
    if style == "none":
        return ()
    reason = (origin.reason,) if origin.reason else origin.comments
    if style == "short":
        return reason
    ticket = (f"ticket: {origin.ticket}",) if origin.ticket else ()
    cite = (f"see: {', '.join(origin.cite)}",) if origin.cite else ()
    more = origin.comments if origin.reason else ()
    return (*reason, *(line for line in more if line not in reason), *ticket, *cite, f"from {_place(origin)}")


def _place(origin: Origin) -> str:
    return f"{origin.layer} {origin.name} {origin.file}".replace("base base", "base")


def own_content(reading: Reading, path: str) -> bytes | None:
    """What our file on the host holds now; None where there is none, or a link in its place."""
    own = next((file for file in reading.files if file.path == path), None)
    return own.content if own is not None and own.link is None else None


def settings_of(content: bytes | None) -> tuple[tuple[Key, str], ...]:
    """What a file sets, in order, without its comments."""
    if content is None:
        return ()
    return tuple((line.pattern, line.value) for line in parse(content).settings)


def same_settings(one: bytes | None, other: bytes | None) -> bool:
    """Whether two files differ at most in comments and white space; such a difference is not drift."""
    return one == other or ((one is None) == (other is None) and settings_of(one) == settings_of(other))


def is_ours(content: bytes) -> bool:
    """Whether the file begins with our header."""
    return content.split(b"\n", 1)[0] == HEADER.encode()


def as_mapping(settings: Sequence[tuple[Key, str]]) -> dict[Key, str]:
    """The last value a file gives each pattern."""
    return dict(settings)
