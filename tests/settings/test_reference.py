"""The settings in words: rows for the reference page, and the sample file."""

import re
import tomllib
from pathlib import Path

import msgspec

from sysfleet.settings import Settings, Ssh, describe, identity_paths, known_hosts_paths, parse, sample_text

ROOT = Path(__file__).parents[2]


def test_every_setting_has_a_row_with_type_and_help() -> None:
    rows = describe()
    names = {
        f"{section}.{field.name}"
        for section in Settings.__struct_fields__
        for field in msgspec.structs.fields(type(getattr(Settings(), section)))
    }
    assert {row.name for row in rows} == names
    assert all(row.type and row.help for row in rows)


def test_every_time_has_a_unit_in_name_and_row() -> None:
    assert {row.name for row in describe() if row.unit == "s"} == {
        row.name for row in describe() if row.name.endswith("_s")
    }


def test_the_sample_in_the_repository_is_the_generated_one() -> None:
    assert (ROOT / "sysfleet.toml").read_text(encoding="utf-8") == sample_text()


def test_the_sample_as_it_stands_means_every_default() -> None:
    assert parse(sample_text()) == Settings()


def test_every_line_of_the_sample_can_be_uncommented() -> None:
    bare = re.sub(r"(?m)^# (\w+ = |    )", r"\1", sample_text())
    tables = tomllib.loads(bare)
    given = {f"{section}.{key}" for section, table in tables.items() for key in table}
    assert given == {row.name for row in describe()}
    without_unset = "\n".join(line for line in bare.splitlines() if "…" not in line)
    assert parse(without_unset) == Settings()


def test_named_keys_are_offered_relative_to_the_project_or_the_home() -> None:
    ssh = Ssh(identity_files=("keys/a", "~/b", "/c"), known_hosts=("known_hosts",))
    where = {"home": Path("/home/ops"), "project": Path("/srv/fleet")}
    assert identity_paths(ssh, **where, exists=lambda _: False) == (
        Path("/srv/fleet/keys/a"),
        Path("/home/ops/b"),
        Path("/c"),
    )
    assert known_hosts_paths(ssh, **where, exists=lambda _: False) == (Path("/srv/fleet/known_hosts"),)


def test_without_names_the_usual_files_that_exist_are_offered() -> None:
    there = {
        Path("/home/ops/.ssh/id_rsa"),
        Path("/home/ops/.ssh/id_ed25519"),
        Path("/etc/ssh/ssh_known_hosts"),
    }
    where = {"home": Path("/home/ops"), "project": Path("/srv/fleet")}
    assert identity_paths(Ssh(), **where, exists=there.__contains__) == (
        Path("/home/ops/.ssh/id_ed25519"),
        Path("/home/ops/.ssh/id_rsa"),
    )
    assert known_hosts_paths(Ssh(), **where, exists=there.__contains__) == (Path("/etc/ssh/ssh_known_hosts"),)


def test_the_projects_own_file_of_host_keys_is_read_besides_and_once() -> None:
    own = Path("/srv/fleet/known_hosts")

    def paths(ssh: Ssh) -> tuple[Path, ...]:
        return known_hosts_paths(ssh, home=Path("/home/ops"), project=Path("/srv/fleet"), exists=own.__eq__)

    assert paths(Ssh()) == (own,)
    assert paths(Ssh(known_hosts=("~/known",))) == (Path("/home/ops/known"), own)
    assert paths(Ssh(known_hosts=("known_hosts", "/c"))) == (own, Path("/c"))
