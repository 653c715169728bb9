"""Every command in the README and the documents works, and prints what the page says.

The commands of one page run in one shell and one scratch folder, as a reader would type them.
`make` only says what it would do: the suite is itself one of its targets.
"""

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.docs.blocks import Command, commands

_TOP = Path(__file__).parents[2]
_PAGES = sorted([*_TOP.glob("*.md"), *_TOP.glob("docs/**/*.md")])
_PROMPT = "-- the page's next command: "

_PRELUDE = f"""
make() {{ command make --dry-run --no-print-directory -C {shlex.quote(str(_TOP))} "$@"; }}
leave() {{
    cd "$scratch" || exit
    for made in */; do [ ! -e "$made/sysfleet.toml" ] || sysfleet lab down --dir "$made" >/dev/null 2>&1; done
}}
scratch=$PWD
trap leave EXIT
"""


@pytest.fixture
def shell(tmp_path: Path) -> dict[str, str]:
    """The environment of a person who has sysfleet on PATH."""
    programs = tmp_path / "bin"
    programs.mkdir()
    launcher = programs / "sysfleet"
    python, top = shlex.quote(sys.executable), shlex.quote(str(_TOP))
    launcher.write_text(f'#!/bin/sh\nPYTHONPATH={top} exec {python} -m sysfleet "$@"\n')
    launcher.chmod(0o755)
    (programs / "python3").symlink_to(sys.executable)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return {**inherited, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "COLUMNS": "120"}


def _script(typed: list[Command]) -> str:
    parts = [_PRELUDE]
    for command in typed:
        parts.append(f"printf '\\n%s%s\\n' {shlex.quote(_PROMPT)} {command.line}")
        parts.append(command.text)
        parts.append(f"status=$?; [ $status = {command.exits} ] || exit $((status ? status : 99))")
    return "\n".join(parts)


def _assert_shown(command: Command, output: str) -> None:
    """The lines on the page come in the output, in that order; `…` stands for anything."""
    rest = output
    for line in command.shows:
        pattern = re.escape(line.strip()).replace("…", ".*")
        found = re.search(pattern, rest)
        assert found, f"line {command.line}: {command.text!r} does not print {line!r}, but\n{output}"
        rest = rest[found.end() :]


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(_TOP))) for page in _PAGES])
def test_every_command_of_the_page_works(page: Path, shell: dict[str, str], tmp_path: Path) -> None:
    typed = list(commands(page.read_text()))
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    script = tmp_path / "script"
    script.write_text(_script(typed))
    done = subprocess.run(
        ["bash", script],
        cwd=scratch,
        env=shell,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, f"{page.name}: status {done.returncode} after\n{done.stdout}"
    outputs = done.stdout.split(f"\n{_PROMPT}")[1:]
    for command, output in zip(typed, outputs, strict=True):
        _assert_shown(command, output)


@pytest.mark.parametrize("page", [pytest.param(page, id=str(page.relative_to(_TOP))) for page in _PAGES])
def test_every_link_of_the_page_leads_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)(?:#([^)]*))?\)", page.read_text())
    assert [link for link, _ in links if not (page.parent / link).exists()] == []
    assert [f"{link}#{part}" for link, part in links if part and part not in _headings(page.parent / link)] == []


def _headings(page: Path) -> set[str]:
    """What a link can name in a page, as forges spell it."""
    return {
        re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-")
        for heading in re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    }
