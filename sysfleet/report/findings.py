"""Findings of lint as text, JSON and SARIF 2.1.0: findings in, text out."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sysfleet import __version__
from sysfleet.report.printable import printable
from sysfleet.sysctl.lint import RULES, Finding

_SARIF_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def as_text(findings: Sequence[Finding], files: int) -> str:
    """One line a finding, `file:line:column: rule: message (hint)`, and how many there are."""
    lines = [
        f"{printable(one.file)}:{one.line}:{one.column}: {one.rule}: {printable(one.message)}"
        + (f" ({printable(one.hint)})" if one.hint else "")
        for one in findings
    ]
    of = "1 file" if files == 1 else f"{files} files"
    number = "nothing" if not findings else "1 finding" if len(findings) == 1 else f"{len(findings)} findings"
    return "".join(f"{line}\n" for line in (*lines, *([""] if lines else []), f"{number} in {of}"))


def as_json(findings: Sequence[Finding], files: Sequence[str], *, schema: int) -> str:
    """The findings with the names of their fields."""
    found: list[dict[str, Any]] = [
        {
            "rule": one.rule,
            "file": _text(one.file),
            "line": one.line,
            "column": one.column,
            "key": _text(one.key) or None,
            "message": _text(one.message),
            "hint": _text(one.hint) or None,
        }
        for one in findings
    ]
    names = [_text(name) for name in files]
    return json.dumps({"schema": schema, "command": "lint", "files": names, "findings": found}, indent=2) + "\n"


def as_sarif(findings: Sequence[Finding]) -> str:
    """A SARIF 2.1.0 log with one run, as code scanning takes it."""
    rules = list(RULES)
    run = {
        "tool": {
            "driver": {
                "name": "sysfleet",
                "version": __version__,
                "rules": [{"id": rule, "shortDescription": {"text": RULES[rule]}} for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [
            {
                "ruleId": one.rule,
                "ruleIndex": rules.index(one.rule),
                "level": "warning",
                "message": {"text": _text(f"{one.message} ({one.hint})" if one.hint else one.message)},
                "locations": [
                    {
                        "physicalLocation": {
                            "artifactLocation": {"uri": _uri(one.file)},
                            "region": {"startLine": one.line, "startColumn": one.column},
                        }
                    }
                ],
            }
            for one in findings
        ],
    }
    return json.dumps({"$schema": _SARIF_SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _text(text: str) -> str:
    """Bytes that were no UTF-8 as backslash escapes: JSON's readers do not take half of a pair."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def _uri(path: str) -> str:
    from urllib.parse import quote

    return quote(path.encode("utf-8", "surrogateescape"))
