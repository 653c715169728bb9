"""sysfleet.toml and `--set`: what is taken, and what every mistake is answered with."""

import contextlib
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.errors import ExitCode, Problem, UsageError
from sysfleet.settings import Settings, describe, override, parse


def problems_of(text: str) -> list[Problem]:
    with pytest.raises(UsageError) as caught:
        parse(text, "sysfleet.toml")
    assert caught.value.exit_code is ExitCode.USAGE
    return list(caught.value.problems)


def refusals_of(*assignments: str) -> list[Problem]:
    with pytest.raises(UsageError) as caught:
        override(Settings(), assignments)
    return list(caught.value.problems)


def test_an_empty_file_means_every_default() -> None:
    assert parse("") == Settings()


def test_the_defaults_are_those_of_the_design() -> None:
    settings = Settings()
    assert settings.ssh.connection == "paramiko"
    assert settings.ssh.agent
    assert settings.privilege.method == "auto"
    assert (settings.run.workers, settings.run.deadline_s, settings.run.confirm_timeout_s) == (50, 60.0, 60.0)
    assert settings.file.path == "/etc/sysctl.d/99-zz-sysfleet.conf"
    assert settings.file.comments == "short"
    assert {"en*", "eth*", "bond*"} <= set(settings.file.interfaces)
    owned = {"veth*", "cali*", "cilium*", "docker*", "br-*", "virbr*", "tun*", "wg*"}
    assert owned <= set(settings.file.foreign_interfaces)
    assert settings.boot.unknown == "drift"
    assert settings.store.url is None


def test_a_file_changes_what_it_names_and_nothing_else() -> None:
    text = '[ssh]\nuser = "ops"\nidentity_files = ["a", "b"]\nconnect_timeout_s = 3\n\n[run]\nworkers = 7\n'
    settings = parse(text)
    assert (settings.ssh.user, settings.ssh.identity_files, settings.ssh.connect_timeout_s) == (
        "ops",
        ("a", "b"),
        3.0,
    )
    assert settings.run.workers == 7
    assert settings.run.deadline_s == Settings().run.deadline_s
    assert settings.file == Settings().file


def test_settings_pickle() -> None:
    settings = parse('[ssh]\nuser = "ops"')
    assert pickle.loads(pickle.dumps(settings)) == settings


def test_a_misspelt_setting_is_named_with_its_line_and_its_neighbour() -> None:
    (problem,) = problems_of("[run]\n\nworkrs = 5\n")
    assert str(problem) == "sysfleet.toml:3: unknown setting run.workrs (did you mean workers?)"


def test_a_setting_in_the_wrong_section_is_told_where_it_belongs() -> None:
    (problem,) = problems_of("[ssh]\nworkers = 5\n")
    assert (problem.line, problem.hint) == (2, "workers belongs to [run]")


def test_a_misspelt_section_is_named_with_its_line() -> None:
    (problem,) = problems_of("[run]\nworkers = 5\n[shs]\nuser = 'x'\n")
    assert str(problem) == "sysfleet.toml:3: unknown section [shs] (did you mean [ssh]?)"


def test_a_setting_outside_a_section_is_told_where_it_belongs() -> None:
    (problem,) = problems_of("workers = 5\n")
    assert str(problem) == "sysfleet.toml:1: workers stands outside a section (it belongs below [run])"


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("run.workers = 0", "run.workers expects a whole number from 1 to 1000, not 0"),
        ("run.workers = 1001", "run.workers expects a whole number from 1 to 1000, not 1001"),
        ("run.workers = true", "run.workers expects a whole number from 1 to 1000, not true"),
        ("run.deadline_s = 0", "run.deadline_s expects a number above 0, at most 86400, not 0"),
        ("run.deadline_s = nan", "run.deadline_s expects a number above 0, at most 86400, not nan"),
        ("ssh.agent = 1", "ssh.agent expects true or false, not 1"),
        ("ssh.config = 3", "ssh.config expects a path, or `none`, not 3"),
        ("ssh.user = '-oProxyCommand=x'", 'ssh.user expects a login name, not "-oProxyCommand=x"'),
        ("boot.unknown = 'ignore'", 'boot.unknown expects one of drift, accept, not "ignore"'),
    ],
)
def test_a_value_of_the_wrong_kind_says_what_is_expected(line: str, what: str) -> None:
    (problem,) = problems_of("\n" + line)
    assert (problem.line, problem.what) == (2, what)


@pytest.mark.parametrize(
    "path",
    [
        "/etc/sysctl.d/../passwd.conf",
        "/etc/sysctl.d/x",
        "etc/sysctl.d/x.conf",
        "/etc/sysctl.d/.conf",
        "/etc/sysctl.d/a b.conf",
        "/etc/sysctl.d/a\\n.conf",
        "/etc/sysctl.d/x.conf\\n",
        "/etc/sysctl.d/$(id).conf",
        "/usr/lib/sysctl.d/x.conf",
        "/etc/sysctl.d/",
    ],
)
def test_the_file_stays_below_etc_and_ends_in_conf(path: str) -> None:
    (problem,) = problems_of(f'[file]\npath = "{path}"')
    assert problem.line == 2
    assert "an absolute path under /etc that ends in .conf" in problem.what


def test_the_file_may_have_another_name_or_folder() -> None:
    assert parse('[file]\npath = "/etc/sysctl.d/990-own.conf"').file.path == "/etc/sysctl.d/990-own.conf"
    assert parse('[file]\npath = "/etc/sysctl.conf"').file.path == "/etc/sysctl.conf"


def test_a_text_where_a_list_belongs_is_shown_as_a_list() -> None:
    (problem,) = problems_of('[file]\ninterfaces = "eth*"')
    assert (problem.line, problem.hint) == (2, 'write ["eth*"]')


def test_a_choice_that_is_nearly_right_is_completed() -> None:
    (problem,) = problems_of('[ssh]\nconnection = "paramico"')
    assert (problem.line, problem.hint) == (2, "did you mean paramiko?")


def test_a_password_in_place_of_its_variables_name_is_not_repeated() -> None:
    (problem,) = problems_of('[ssh]\npassword_env = "hunter2!"')
    assert problem.line == 2
    assert "the name of an environment variable" in problem.what
    assert "hunter2" not in str(problem)


def test_all_problems_come_at_once_in_the_order_of_lines() -> None:
    found = problems_of("[rum]\n[run]\nworkers = 0\n[ssh]\nagent = 3\nusr = 'x'\n")
    assert [problem.line for problem in found] == [1, 3, 5, 6]


def test_the_same_name_in_two_sections_is_found_in_the_right_one() -> None:
    found = problems_of("[ssh]\npassword_env = 'ok'\n[privilege]\npassword_env = 3\n")
    assert [problem.line for problem in found] == [4]


@pytest.mark.parametrize(("text", "line"), [("[run]\nworkers = many\n", 2), ("[run\n", 1), ("a = 'x", 1)])
def test_text_that_is_not_toml_has_its_line(text: str, line: int) -> None:
    (problem,) = problems_of(text)
    assert problem.line == line
    assert problem.what.startswith("is not TOML: ")


def test_a_nested_monster_is_a_problem_and_no_crash() -> None:
    assert problems_of("x = " + "[" * 100_000)


@given(st.text())
def test_any_text_is_settings_or_problems(text: str) -> None:
    with contextlib.suppress(UsageError):
        assert isinstance(parse(text), Settings)


def test_assignments_are_converted_by_the_type_of_their_setting() -> None:
    given_on_the_line = [
        "run.workers=5",
        "run.deadline_s=2.5",
        "ssh.agent=off",
        "ssh.user=42",
        "store.url=a=b",
    ]
    settings = override(Settings(), given_on_the_line)
    assert (settings.run.workers, settings.run.deadline_s, settings.ssh.agent) == (5, 2.5, False)
    assert (settings.ssh.user, settings.store.url) == ("42", "a=b")


@pytest.mark.parametrize("text", ["a, b", '["a", "b"]', "a,b,"])
def test_a_list_is_assigned_as_toml_or_with_commas(text: str) -> None:
    assert override(Settings(), [f"ssh.identity_files={text}"]).ssh.identity_files == ("a", "b")


def test_assigning_nothing_takes_an_optional_setting_back() -> None:
    assert override(parse('[ssh]\nuser = "ops"'), ["ssh.user="]).ssh.user is None


def test_a_later_assignment_wins() -> None:
    assert override(Settings(), ["run.workers=5", "run.workers=6"]).run.workers == 6


@pytest.mark.parametrize(
    ("assignment", "shown"),
    [
        ("run.workrs=5", "--set run.workrs: unknown setting run.workrs (did you mean workers?)"),
        ("rum.workers=5", "--set rum.workers: unknown section [rum] (did you mean [run]?)"),
        ("workers", "--set workers: is not of the form section.key=value (for example run.workers=20)"),
        ("run.workers=x", '--set run.workers: run.workers expects a whole number from 1 to 1000, not "x"'),
    ],
)
def test_a_bad_assignment_says_what_was_meant(assignment: str, shown: str) -> None:
    (problem,) = refusals_of("run.deadline_s=3", assignment)
    assert str(problem) == shown


def test_every_default_can_be_assigned_as_it_is_described() -> None:
    assignments = [f"{row.name}={row.default}" for row in describe()]
    assert override(Settings(), assignments) == Settings()
