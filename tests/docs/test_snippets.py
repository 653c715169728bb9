"""What the documents show to copy into a file is taken by whatever reads that file."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from markdown_it import MarkdownIt

from sysfleet.policy.inventory import parse_inventory
from sysfleet.rendering import SAMPLE_FACTS, Templates, TemplateVariables
from sysfleet.settings import parse
from tests.support.needs import needs

_TOP = Path(__file__).parents[2]
_PAGES = sorted([*_TOP.glob("*.md"), *_TOP.glob("docs/**/*.md")])
_ROLES = ("web", "db", "router", "bastion")


def _snippets(language: str) -> Iterator[object]:
    for page in _PAGES:
        for token in MarkdownIt().parse(page.read_text(encoding="utf-8")):
            if token.type == "fence" and token.info == language:
                line = token.map[0] + 1 if token.map else 0
                yield pytest.param(token.content, id=f"{page.relative_to(_TOP)}:{line}")


@pytest.mark.parametrize("text", list(_snippets("toml")))
def test_settings_are_taken(text: str) -> None:
    parse(text)


@pytest.mark.parametrize("text", list(_snippets("yaml")))
def test_groups_are_taken(text: str) -> None:
    parse_inventory("", text, known_roles=_ROLES)


@pytest.mark.parametrize("text", list(_snippets("jinja")))
def test_templates_are_taken(text: str) -> None:
    templates = Templates({"base.conf.j2": "", "shown.conf.j2": text})
    templates.preflight([TemplateVariables("web1", SAMPLE_FACTS[0], roles=("shown",), interfaces=("en*", "eth*"))])


@pytest.mark.parametrize("text", list(_snippets("sudoers")))
def test_rules_for_sudo_are_taken(text: str) -> None:
    check = [needs("visudo"), "--check", "--strict", "--file=-"]
    done = subprocess.run(check, input=text, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
