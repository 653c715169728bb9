"""What is wrong with a line by itself: its form, its key, its value, its danger."""

from __future__ import annotations

import re
from collections.abc import Iterator

from sysfleet.sysctl.document import Assignment, Document, Malformed
from sysfleet.sysctl.key import Key, is_glob, matches
from sysfleet.sysctl.knowledge import Knowledge, cuts_ssh, every, is_destructive, is_one_way, lookup, suggest
from sysfleet.sysctl.lint.finding import Finding, Placed, at_key, at_value, key_column
from sysfleet.sysctl.value import as_int, problem, refused

_INLINE = re.compile(r"\s[#;]")
_OCTAL = re.compile(r"-?0[0-7]+")
_DOTTED_INTERFACE = re.compile(r"(net\.ipv[46]\.(?:conf|neigh))\.(.+)\.([a-z0-9_]+)")
_WHEN = {
    "yes": "can cut SSH at once",
    "late": "can cut SSH later, after every check has passed",
}


def of_document(document: Document) -> Iterator[Finding]:
    """Findings about the form of lines."""
    for line in document.lines:
        if line.line == 1 and line.text.startswith("\ufeff"):
            yield Finding("byte-order-mark", document.path, 1, 1, "a byte order mark stands before the first key")
        if not line.text.isascii() and any("\udc80" <= char <= "\udcff" for char in line.text):
            yield Finding("not-utf-8", document.path, line.line, 1, "the line holds bytes that are not UTF-8")
        if isinstance(line, Malformed):
            yield Finding("no-assignment", document.path, line.line, key_column(line), line.why, "write key = value")


def of_setting(placed: Placed) -> Iterator[Finding]:
    """Findings about one setting's key, value and dangers."""
    wrong_spelling = list(_spelling(placed))
    yield from wrong_spelling
    if wrong_spelling:
        return
    known = lookup(placed.key)
    if known is None:
        yield from _unknown(placed)
    elif known.gone and (meant := suggest(placed.key)) is not None and known.note.startswith("no such key"):
        yield at_key("unknown-key", placed, f"there is no key {placed.key}", f"did you mean {meant}?")
    elif known.gone:
        yield at_key("gone-key", placed, f"kernels of today no longer have {placed.key}", "take the line out")
    elif known.read_only:
        yield at_key("read-only-key", placed, f"{placed.key} cannot be written", "take the line out")
    if isinstance(placed.line, Assignment):
        yield from _value(placed, known)
        yield from _danger(placed, known)


def _spelling(placed: Placed) -> Iterator[Finding]:
    key = placed.key
    if key.startswith("proc.sys."):
        yield at_key(
            "proc-path", placed, "no loader takes /proc/sys before a key", f"write {key.removeprefix('proc.sys.')}"
        )
        return
    found = _DOTTED_INTERFACE.fullmatch(key)
    if found and "." in found[2] and lookup(Key(f"{found[1]}.*.{found[3]}")) is not None:
        right = f"{found[1]}.{found[2].replace('.', '/')}.{found[3]}"
        yield at_key("interface-dot", placed, f"{key} is no key: a dot ends the name of the interface", right)


def _unknown(placed: Placed) -> Iterator[Finding]:
    key = placed.key
    if is_glob(key) and any(matches(key, name) or matches(key, _on_all(name)) for name in every()):
        return
    near = suggest(key)
    yield at_key("unknown-key", placed, f"{key} is not known", f"did you mean {near}?" if near else "")


def _on_all(name: Key) -> Key:
    return Key(name.replace(".*.", ".all."))


def _value(placed: Placed, known: Knowledge | None) -> Iterator[Finding]:
    key, value = placed.key, placed.value
    if not value:
        yield at_value("no-value", placed, f"{key} has no value")
        return
    inline = _INLINE.search(value)
    if inline and (known is None or known.type != "string" or known.form):
        yield at_value(
            "inline-comment",
            placed,
            f"{value[inline.end() - 1 :]!r} is no comment here, it is part of the value",
            "a comment stands on a line of its own",
        )
        return
    if known is None:
        return
    words = value.split()
    octal = next((word for word in words if known.type != "string" and _OCTAL.fullmatch(word)), None)
    if octal is not None:
        yield at_value(
            "octal",
            placed,
            f"{octal} is octal: the kernel reads {as_int(octal)}",
            f"write {octal.replace('0', '', 1)} or {as_int(octal)}",
        )
    if known.type == "tuple" and not known.form and 0 < len(words) < known.length:
        said = f"{key} holds {known.length} numbers, and {len(words)} are set: the others stay as they are"
        yield at_value("short-tuple", placed, said, "write all of them")
        return
    why = problem(key, value)
    if why is not None:
        yield at_value("refused-value" if refused(key, value) else "out-of-range", placed, f"{key}: {why}")


def _danger(placed: Placed, known: Knowledge | None) -> Iterator[Finding]:
    key, value = placed.key, placed.value
    if known is None:
        return
    if is_one_way(key, value):
        yield at_value("one-way", placed, f"{key} = {value} cannot be taken back before a reboot")
    elif is_destructive(key, value):
        yield at_value("destructive", placed, f"{key} = {value} destroys what its old number does not bring back")
    if known.cuts_ssh in _WHEN and cuts_ssh(key, value):
        yield at_value("cuts-ssh", placed, f"{key} = {value} {_WHEN[known.cuts_ssh]}", known.note)
    if known.secret:
        yield at_value("secret", placed, f"{key} is a secret, and files of sysctl.d are read by all")
