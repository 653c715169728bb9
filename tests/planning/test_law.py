"""The law of planning: planning again on the reading that a plan predicts gives a plan that writes nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from sysfleet.planning.plan import make_plan
from sysfleet.planning.prediction import predicted
from sysfleet.planning.records import Options
from sysfleet.policy.rule import Wanted
from sysfleet.sysctl.loaders import Loader
from tests.planning.cases import OURS, policy, reading, wanted

NAMES = ("all", "default", "lo", "eth0", "eth1", "veth0")
LEAVES = ("accept_redirects", "forwarding", "rp_filter", "disable_ipv6")
PLAIN = ("net.ipv4.ip_forward", "net.core.somaxconn", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_rmem")
NUMBERS = st.sampled_from(["0", "1", "2"])
EXISTING = [f"net.ipv4.conf.{n}.{leaf}" for n in NAMES for leaf in LEAVES[:3]] + [
    f"net.ipv6.conf.{n}.{leaf}" for n in NAMES for leaf in ("accept_redirects", "forwarding")
]
PATTERNS = [
    *EXISTING,
    *[f"net.ipv4.conf.{glob}.{leaf}" for glob in ("*", "eth*", "e*") for leaf in LEAVES[:3]],
    *[f"net.ipv6.conf.{glob}.accept_redirects" for glob in ("*", "eth*")],
]
RULES = st.one_of(
    st.builds(wanted, st.sampled_from(PATTERNS), NUMBERS),
    st.builds(wanted, st.just("net.ipv4.ip_forward"), NUMBERS),
    st.builds(
        lambda kind, value: wanted("net.core.somaxconn", **{kind: value}),
        st.sampled_from(["at_least", "at_most", "one_of"]),
        st.sampled_from(["128", "4096", "010000"]),
    ),
    st.builds(lambda v: wanted("net.ipv4.tcp_rmem", at_least=v), st.sampled_from(["4096 131072 6291456", "1 2 3"])),
)
FILES = st.dictionaries(
    st.sampled_from(
        ["/etc/sysctl.d/10-a.conf", "/usr/lib/sysctl.d/50-b.conf", "/etc/sysctl.d/99-zzz.conf", "/etc/sysctl.conf"]
    ),
    st.lists(st.tuples(st.sampled_from([*PATTERNS, "net.core.somaxconn"]), NUMBERS), max_size=4).map(
        lambda pairs: "".join(f"{key} = {value}\n" for key, value in pairs)
    ),
    max_size=3,
)
HOSTS = st.builds(
    lambda values, plain, files, loader: reading(
        dict(zip(EXISTING, values, strict=True)) | plain, files, loader=loader, interfaces=NAMES[2:]
    ),
    st.lists(NUMBERS, min_size=len(EXISTING), max_size=len(EXISTING)),
    st.fixed_dictionaries(
        {
            "net.ipv4.ip_forward": NUMBERS,
            "net.core.somaxconn": st.sampled_from(["128", "4096", "65535"]),
            "net.ipv4.tcp_rmem": st.just("4096 131072 6291456"),
        }
    ),
    FILES,
    st.sampled_from(list(Loader)),
)


def _one_rule_a_pattern(rules: list[Wanted]) -> list[Wanted]:
    return list({rule.pattern: rule for rule in rules}.values())


@settings(max_examples=300, deadline=None)
@given(rules=st.lists(RULES, max_size=8).map(_one_rule_a_pattern), host=HOSTS)
def test_planning_again_on_the_predicted_reading_writes_nothing(rules: list[Wanted], host: object) -> None:
    options = Options(path=OURS, foreign=("veth*",))
    plan = make_plan(policy(*rules), host, options)  # type: ignore[arg-type]
    if plan.conflicts:
        return  # a policy that cannot hold; shown in test_plan
    again = make_plan(policy(*rules), predicted(host, plan), options)  # type: ignore[arg-type]
    assert again.writes == ()
    assert not again.file.changes


@settings(max_examples=50, deadline=None)
@given(rules=st.lists(RULES, max_size=8).map(_one_rule_a_pattern), host=HOSTS)
def test_a_plan_is_a_function_of_policy_and_reading(rules: list[Wanted], host: object) -> None:
    options = Options(path=OURS)
    assert make_plan(policy(*rules), host, options) == make_plan(policy(*rules), host, options)  # type: ignore[arg-type]
