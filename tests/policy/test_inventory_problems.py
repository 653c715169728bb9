"""Every mistake in an inventory: its file, its line, what it is and what was probably meant."""

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.errors import ExitCode, InventoryError, Problem
from sysfleet.policy import yaml_text
from sysfleet.policy.inventory import parse_inventory

GROUPS = "web: {data: {roles: [web]}}\ndb: {data: {roles: [db]}}\n"


def problems_of(hosts: str, groups: str = GROUPS, defaults: str = "") -> list[Problem]:
    with pytest.raises(InventoryError) as caught:
        parse_inventory(hosts, groups, defaults, known_roles={"base", "web", "db", "router"})
    assert caught.value.exit_code is ExitCode.USAGE
    return list(caught.value.problems)


def problem_of(hosts: str, groups: str = GROUPS, defaults: str = "") -> str:
    (problem,) = problems_of(hosts, groups, defaults)
    return str(problem)


def in_sysctl(lines: str) -> str:
    indented = "".join(f"      {line}\n" for line in lines.splitlines())
    return f"web1:\n  data:\n    sysctl:\n{indented}"


def test_an_unknown_group() -> None:
    shown = problem_of("web1:\n  groups:\n    - db\n    - wbe\n")
    assert shown == "inventory/hosts.yaml:4: web1: there is no group 'wbe' (did you mean web?)"


def test_two_letters_the_wrong_way_round() -> None:
    assert problem_of("a: {groups: [bd]}").endswith("(did you mean db?)")


def test_an_unknown_parent_group() -> None:
    shown = problem_of("", "web: {}\nedge:\n  groups: [wb]\n")
    assert shown == "inventory/groups.yaml:3: edge: there is no group 'wb' (did you mean web?)"


def test_a_misspelt_field() -> None:
    shown = problem_of("web1:\n  port: 22\n  hostnme: x\n")
    assert shown == "inventory/hosts.yaml:3: host web1 has no field 'hostnme' (did you mean hostname?)"


@pytest.mark.parametrize(
    ("field", "hint"),
    [
        ("sysctl", "sysctl stands below data"),
        ("role", "roles stands below data"),
        ("ansible_host", "did you mean hostname?"),
        ("user", "did you mean username?"),
    ],
)
def test_a_field_of_another_place_or_program(field: str, hint: str) -> None:
    (problem,) = problems_of(f"web1:\n  {field}: x\n")
    assert (problem.line, problem.hint) == (2, hint)


@pytest.mark.parametrize("port", ["abc", "0", "65536", "-1", "022", "2.2", "true", "[22]", "'22x'", "2_2"])
def test_a_port_that_is_none(port: str) -> None:
    (problem,) = problems_of(f"web1:\n\n  port: {port}\n")
    assert problem.line == 3
    assert problem.what.startswith("port of host web1 is ")
    assert problem.hint == "write a number from 1 to 65535"


def test_a_duplicate_host() -> None:
    shown = problem_of("web1: {}\nweb2: {}\nweb1:\n  port: 22\n")
    assert shown == "inventory/hosts.yaml:3: 'web1' stands twice in the file (it stands on line 1 already)"


def test_a_duplicate_group() -> None:
    shown = problem_of("", "web: {}\nweb: {}\n")
    assert shown == "inventory/groups.yaml:2: 'web' stands twice in the file (it stands on line 1 already)"


def test_a_duplicate_field() -> None:
    shown = problem_of("web1:\n  port: 22\n  port: 23\n")
    assert shown == "inventory/hosts.yaml:3: 'port' stands twice in host web1 (it stands on line 2 already)"


def test_duplicates_deep_in_data() -> None:
    shown = problem_of("web1:\n  data:\n    a:\n      - b: 1\n        b: 2\n")
    assert shown == "inventory/hosts.yaml:5: 'b' stands twice in a (it stands on line 4 already)"


def test_an_unknown_role() -> None:
    shown = problem_of("", "edge:\n  data:\n    roles: [web, ruoter]\n")
    assert shown == "inventory/groups.yaml:3: edge: there is no role 'ruoter' (did you mean router?)"


def test_an_unknown_role_where_there_are_none() -> None:
    with pytest.raises(InventoryError) as caught:
        parse_inventory("a: {data: {roles: [web]}}", known_roles=())
    (problem,) = caught.value.problems
    assert (problem.line, problem.hint) == (1, "write templates/web.conf.j2")


def test_the_base_is_no_role() -> None:
    (problem,) = problems_of("a: {data: {roles: [base]}}")
    assert (problem.line, problem.what) == (1, "a: base is no role")


def test_roles_in_the_defaults() -> None:
    (problem,) = problems_of("", GROUPS, "\ndata:\n  roles: [web]\n")
    assert (problem.file, problem.line, problem.what) == (
        "inventory/defaults.yaml",
        3,
        "roles stand in the defaults",
    )


@pytest.mark.parametrize(
    ("field", "what", "hint"),
    [
        ("groups: web", "groups of host web1 is the text 'web', not a list", "write [web]"),
        ("groups: [web, web]", "web stands twice in groups of host web1", "leave one out"),
        ("data: {roles: web}", "roles of host web1 is the text 'web', not a list", "write [web]"),
        ("data: {role: web}", "data of host web1 has role", "write roles: [name]"),
        (
            "data: {interfaces: eth0}",
            "interfaces of host web1 is the text 'eth0', not a list",
            "write [eth0]",
        ),
        ("data: [a]", "data of host web1 is a list, not names with values", "write 'name: value'"),
        ("hostname: [a]", "hostname of host web1 is a list, not a text", None),
        (
            "hostname: ops@web1",
            "hostname of host web1 is 'ops@web1'",
            "write the login as username, by itself",
        ),
        (
            "hostname: 'web1:22'",
            "hostname of host web1 is 'web1:22'",
            "write the port as port, by itself, and no brackets",
        ),
        (
            "hostname: -oProxyCommand=x",
            "hostname of host web1 is '-oProxyCommand=x'",
            "write a name or an address",
        ),
        ("username: -x", "username of host web1 is '-x'", "a login has no white space"),
    ],
)
def test_a_field_of_the_wrong_kind(field: str, what: str, hint: str | None) -> None:
    (problem,) = problems_of(f"web1:\n  {field}\n")
    assert (problem.file, problem.line, problem.what, problem.hint) == ("inventory/hosts.yaml", 2, what, hint)


def test_a_password_of_the_wrong_kind_is_not_repeated() -> None:
    shown = problem_of('web1:\n  password: "hunter2\\nhunter2"\n')
    assert shown.startswith("inventory/hosts.yaml:2: password of host web1 holds a line break")
    assert "hunter2" not in shown


@pytest.mark.parametrize("name", ["-oProxy", "a b", "a/b", "a&b", "w*", '"a\\eb"', '"a\\u202eb"', '""'])
def test_a_name_that_cannot_be_one(name: str) -> None:
    (problem,) = problems_of(f"web1: {{}}\n{name}: {{}}\n")
    assert problem.line == 2
    assert problem.what.endswith("cannot be the name of a host")


def test_a_name_that_is_no_text() -> None:
    assert (
        problem_of("? [a]\n: {}\n") == "inventory/hosts.yaml:1: the file has a name that is a list (a name is a text)"
    )
    assert problem_of("~: {}\n") == "inventory/hosts.yaml:1: the file has a name that is empty (a name is a text)"


def test_groups_in_each_other() -> None:
    (problem,) = problems_of("", "a:\n  groups: [b]\nb:\n  groups: [c]\nc:\n  groups: [a]\n")
    assert (problem.file, problem.line) == ("inventory/groups.yaml", 6)
    assert problem.what == "groups are in each other: a in b in c in a"
    assert problem.hint == "take one of them out of the other"


def test_a_group_in_itself() -> None:
    (problem,) = problems_of("", "a:\n  groups: [a]\n")
    assert (problem.line, problem.what) == (2, "groups are in each other: a in a")


@pytest.mark.parametrize(
    ("written", "what", "hint"),
    [
        ("true", "the value is the boolean true", "write 1 or 0, or the text in quotes"),
        ("False", "the value is the boolean False", "write 1 or 0, or the text in quotes"),
        ("~", "the value is empty", "write a value, or {absent: true}"),
        ("null", "the value is empty", "write a value, or {absent: true}"),
        ("", "the value is empty", "write a value, or {absent: true}"),
        ("1.5", "the value is the float 1.5", "write an integer, or the text in quotes"),
        ("1e3", "the value is the float 1e3", "write an integer, or the text in quotes"),
        (".inf", "the value is the float .inf", "write an integer, or the text in quotes"),
        ("[1, 2]", "the value is a list, not a value", "several numbers are one text: '4096 87380 6291456'"),
        (
            "{at_least: true}",
            "the value of at_least is the boolean true",
            "write 1 or 0, or the text in quotes",
        ),
        (
            "{one_of: [1, 2.0]}",
            "the value of one_of is the float 2.0",
            "write an integer, or the text in quotes",
        ),
        ("{one_of: 1}", "one_of is the integer 1, not a list of values", "write [1]"),
        ("{one_of: []}", "one_of is an empty list", "write [1, 2]"),
        ("{absent: false}", "absent is the boolean false, not true", "write {absent: true}"),
        (
            "{value: 1, reason: true}",
            "the reason is the boolean true",
            "write a text; in quotes if it must be this one",
        ),
        (
            "{value: 1, expires: 31.3.2027}",
            "expires is the text '31.3.2027', not a date",
            "write YYYY-MM-DD, as 2027-03-31",
        ),
        (
            "{value: 1, expires: 2027-02-30}",
            "expires is the text '2027-02-30', a day that there is not",
            "write YYYY-MM-DD, as 2027-03-31",
        ),
        (
            "{value: 1, expires: 20270331}",
            "expires is the integer 20270331, not a date",
            "write YYYY-MM-DD, as 2027-03-31",
        ),
        ('"a\\nb"', "the value has a control character inside", None),
    ],
)
def test_a_bad_value_of_an_override(written: str, what: str, hint: str | None) -> None:
    (problem,) = problems_of(in_sysctl(f"\nx.unknown: {written}"))
    assert (problem.line, problem.what, problem.hint) == (5, f"x.unknown: {what}", hint)


@pytest.mark.parametrize(
    ("written", "what", "hint"),
    [
        ("{valeu: 1}", "x.unknown has no field 'valeu'", "did you mean value?"),
        ("{min: 1}", "x.unknown has no field 'min'", "did you mean at_least?"),
        ("{}", "x.unknown has no constraint", "give exactly one of value, at_least, at_most, one_of, absent"),
        (
            "{reason: why}",
            "x.unknown has no constraint",
            "give exactly one of value, at_least, at_most, one_of, absent",
        ),
        (
            "{value: 1, at_least: 2}",
            "x.unknown has value and at_least",
            "give exactly one of value, at_least, at_most, one_of, absent",
        ),
    ],
)
def test_a_bad_field_of_an_override(written: str, what: str, hint: str) -> None:
    (problem,) = problems_of(in_sysctl(f"x.unknown: {written}"))
    assert (problem.line, problem.what, problem.hint) == (4, what, hint)


def test_a_floor_that_is_no_number() -> None:
    (problem,) = problems_of(in_sysctl("x.unknown: {at_least: many}"))
    assert (problem.line, problem.what) == (4, "x.unknown: at_least compares integers, and 'many' is none")


def test_a_value_that_the_kernel_refuses() -> None:
    (problem,) = problems_of(in_sysctl("net.ipv4.ip_forward: maybe"))
    assert (problem.line, problem.what) == (4, "net.ipv4.ip_forward: 'maybe' is no integer")


@pytest.mark.parametrize(
    ("key", "what"),
    [
        ("kernel..x", "the key 'kernel..x' has an empty component"),
        ("'net.ipv4.*'", "the key 'net.ipv4.*' has a glob where no interface stands"),
        ("net.ipv4.conf.eth0.rp_*", "the key 'net.ipv4.conf.eth0.rp_*' has a glob where no interface stands"),
        ("ip_forward", "the key 'ip_forward' has no section"),
        ("'net.ipv4.ip forward'", "the key 'net.ipv4.ip forward' has white space inside"),
    ],
)
def test_a_bad_key_of_an_override(key: str, what: str) -> None:
    (problem,) = problems_of(in_sysctl(f"{key}: 1"))
    assert (problem.line, problem.what) == (4, what)


def test_a_key_in_two_spellings_stands_twice() -> None:
    (problem,) = problems_of(in_sysctl("net.ipv4.ip_forward: 1\nnet/ipv4/ip_forward: 0"))
    assert (problem.line, problem.hint) == (5, "it stands on line 4 already")


@pytest.mark.parametrize("loader", ["CSafeLoader", "SafeLoader"])
@pytest.mark.parametrize(
    ("text", "line", "what", "hint"),
    [
        ("web1:\n\thostname: x", 2, "is not YAML: ", "indent with spaces, not with tabs"),
        (
            "web1: a: b",
            1,
            "is not YAML: ",
            "a text with ': ' inside needs quotes; else look at the indentation",
        ),
        ("a: {}\nb: [1, 2", 2, "is not YAML: ", "a bracket or a brace is not closed"),
        ("a: 'x", 1, "is not YAML: ", "a quote is not closed"),
        ("é: {}\na: \x01", 2, "holds a control character (U+0001)", "remove it"),
        ("a: {}\n---\nb: {}", 2, "a second document begins", "one file is one document"),
        ("a: {}\nb: *c", 2, "the alias *c has no anchor before it", None),
        ("a: &a\n  data: [*a]", 2, "the alias *a has no anchor before it", None),
        (
            "a: {}\nb: !!python/name:os.system x",
            2,
            "the tag tag:yaml.org,2002:python/name:os.system ",
            "leave it out",
        ),
        ("a: {}\nb: " + "[" * 100_000, 2, "is nested deeper than 64 levels", None),
        ("- a\n- b", 1, "the file is a list, not names with values", "write 'name: value'"),
        ("web1", 1, "the file is the text 'web1', not names with values", "write 'name: value'"),
    ],
)
def test_text_that_is_not_taken(
    loader: str, text: str, line: int, what: str, hint: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not hasattr(yaml, loader):
        pytest.skip("PyYAML is built without libyaml here")
    monkeypatch.setattr(yaml_text, "_LOADER", getattr(yaml, loader))
    (problem,) = problems_of(text)
    assert (problem.file, problem.line, problem.hint) == ("inventory/hosts.yaml", line, hint)
    assert problem.what.startswith(what)


def test_aliases_that_stand_for_millions_are_refused() -> None:
    steps = [f"b{step}: &a{step + 1} [{', '.join([f'*a{step}'] * 10)}]" for step in range(9)]
    (problem,) = problems_of("\n".join(["a: &a0 [x, x, x, x, x, x, x, x, x, x]", *steps]))
    assert problem.what == "aliases stand for more than 500000 values"
    assert problem.line == 6


def test_merges_that_stand_for_millions_are_refused() -> None:
    steps = [f"a{step + 1}: &a{step + 1} {{<<: [*a{step}, *a{step}]}}" for step in range(30)]
    (problem,) = problems_of("\n".join(["a0: &a0 {port: 1}", *steps]))
    assert problem.what == "aliases stand for more than 500000 values"


def test_a_groups_file_that_cannot_be_read_blames_no_host() -> None:
    (problem,) = problems_of("web1: {groups: [web]}", "web: [")
    assert problem.file == "inventory/groups.yaml"


def test_all_problems_come_at_once_by_file_and_line() -> None:
    found = problems_of(
        "web1:\n  groups: [nosuch]\n  port: x\nweb2: {hostnme: x}\n",
        "web: {prot: 22}\n",
        "data: {roles: [web]}\n",
    )
    assert [(problem.file.removeprefix("inventory/"), problem.line) for problem in found] == [
        ("hosts.yaml", 2),
        ("hosts.yaml", 3),
        ("hosts.yaml", 4),
        ("groups.yaml", 1),
        ("defaults.yaml", 1),
    ]


def test_the_message_counts() -> None:
    with pytest.raises(InventoryError, match="the inventory has 2 problems"):
        parse_inventory("a: {x: 1, y: 2}", known_roles=())


def test_a_mistake_that_aliases_share_is_told_once() -> None:
    assert len(problems_of("a:\n  data: &d {sysctl: {x.y: true}}\nb: {data: *d}\nc: {data: *d}\n")) == 1


@given(st.text(alphabet="ab:{}[],&*!'\"#|>-~ \n\t<é\x00", max_size=60))
def test_any_text_is_an_inventory_or_problems_with_lines(text: str) -> None:
    try:
        parse_inventory(text, text, text, known_roles={"a"})
    except InventoryError as error:
        unplaced = [problem for problem in error.problems if not problem.line]
    else:
        unplaced = []
    assert not unplaced
