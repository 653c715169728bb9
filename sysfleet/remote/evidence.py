"""Makes words of the other side fit to be shown: one line, no control or escape characters, bounded.

Refuses to know what the words mean.
"""

from __future__ import annotations

import re
import unicodedata

_ESCAPES = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # control sequences
    r"|\x1b[\]PX^_][^\x07\x1b]*(?:\x07|\x1b\\)?"  # strings: titles, links
    r"|\x1b[ -/]*[0-~]?"  # the rest
)
_PLAIN = re.compile(r"[ -~]*")


def clean(words: bytes | str, *, limit: int = 400) -> str:
    """The words as one harmless line of at most `limit` characters; the end is kept, it says what failed."""
    words = words[-64 * limit :]
    if isinstance(words, bytes):
        words = words.decode("utf-8", "replace")
    text = _ESCAPES.sub("", words)
    if not _PLAIN.fullmatch(text):
        # Also line separators and what changes the direction of writing: a terminal would obey them.
        text = "".join(" " if unicodedata.category(char) in _UNSHOWN else char for char in text)
    text = " ".join(text.split())
    return text if len(text) <= limit else "…" + text[len(text) - limit + 1 :]


_UNSHOWN = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def clean_fact(words: str, *, limit: int = 200) -> str:
    """A fact as a host tells it: cleaned, and cut at the end rather than at the beginning."""
    if len(words) <= limit and _SIMPLE.fullmatch(words):
        return words
    return clean(words[: 64 * limit], limit=64 * limit)[:limit]


_SIMPLE = re.compile(r"(?:[!-~]+(?: [!-~]+)*)?")
