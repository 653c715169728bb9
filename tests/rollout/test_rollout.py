"""The rollout: batches, budgets and what must not be at once, whatever the hosts' rows are."""

from __future__ import annotations

from typing import NamedTuple

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sysfleet.errors import UsageError
from sysfleet.outcome import ErrorRecord, HostOutcome, Status
from sysfleet.rollout import Pace, Rollout, Share, Site, batched, failed, lost

ALL = Share(100, percent=True)


def row(host: str, status: Status = Status.CHANGED, phase: str | None = None) -> HostOutcome:
    return HostOutcome(host, (), status, error=None if phase is None else ErrorRecord("Error", phase, "said"))


def web(number: int) -> list[str]:
    return [f"web{each}" for each in range(1, number + 1)]


def begun(rollout: Rollout, now: float = 0.0) -> list[str]:
    """Everything that may begin now."""
    found = []
    while (host := rollout.next(now)) is not None:
        found.append(host)
    return found


def sizes(*texts: str) -> tuple[Share, ...]:
    return tuple(Share.parse(text, "batch") for text in texts)


# ---- how it is written ----


def pace(batches: str = "100%", failures: str = "0", lost: str = "0", *groups: str) -> Pace:
    return Pace.parse(batches.split(","), max_failures=failures, max_lost=lost, max_parallel_per=groups)


def test_the_default_is_one_host_a_tenth_and_all() -> None:
    assert pace("1,10%,100%", "10%") == Pace()


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({"batches": "x,100%"}, "run.batch: x is neither a number of hosts nor a percentage"),
        ({"batches": "101%"}, "run.batch: 101% is neither a number of hosts nor a percentage"),
        ({"batches": "1,10%"}, "run.batch: the last batch is 100%"),
        ({"batches": "0,100%"}, "run.batch: a batch has at least one host"),
        ({"batches": "5,5,100%"}, "run.batch: 5 comes after 5 and is not more"),
        ({"batches": "1,50%,10%,100%"}, "run.batch: 10% comes after 50%"),
        ({"failures": "-1"}, "run.max_failures: -1 is neither"),
        ({"lost": "1.5"}, "run.max_lost: 1.5 is neither"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(written: dict[str, str], said: str) -> None:
    with pytest.raises(UsageError) as caught:
        pace(**written)
    assert caught.value.message.startswith(said)


@pytest.mark.parametrize("text", ["rack1", "rack1=", "=2", "rack1=0", "rack1=-1", "rack1=two"])
def test_a_limit_of_a_group_is_a_name_and_a_number(text: str) -> None:
    with pytest.raises(UsageError, match=r"run\.max_parallel_per: .* is not GROUP=N"):
        pace("100%", "0", "0", text)


@pytest.mark.parametrize(("text", "hosts", "number"), [("3", 2, 3), ("10%", 20, 2), ("10%", 1, 1), ("0%", 9, 0)])
def test_a_part_of_a_host_counts_as_a_whole_one(text: str, hosts: int, number: int) -> None:
    assert Share.parse(text, "batch").of(hosts) == number


# ---- what a row is to the budgets ----


@pytest.mark.parametrize(
    ("status", "phase", "is_lost", "is_failed"),
    [
        (Status.REVERTED, "confirm", True, False),
        (Status.UNVERIFIED, "confirm", True, False),
        (Status.UNREACHABLE, "confirm", True, False),
        (Status.UNREACHABLE, "change", True, False),
        (Status.FAILED, "put back", True, False),
        (Status.UNREACHABLE, "connect", False, True),
        (Status.DENIED, "read", False, True),
        (Status.DENIED, "change", False, True),
        (Status.DENIED, "confirm", True, False),
        (Status.REJECTED, "connect", False, True),
        (Status.FAILED, "plan", False, True),
        (Status.BLOCKED, "change", False, False),
        (Status.CHANGED, None, False, False),
        (Status.OK, None, False, False),
        (Status.DRIFTED, None, False, False),
    ],
)
def test_a_host_is_lost_from_its_first_write_on(
    status: Status, phase: str | None, is_lost: bool, is_failed: bool
) -> None:
    assert (lost(row("web1", status, phase)), failed(row("web1", status, phase))) == (is_lost, is_failed)


# ---- batches ----


def test_sizes_count_from_the_beginning() -> None:
    names = web(20)
    assert batched(names, sizes("1", "10%", "100%")) == [names[:1], names[1:2], names[2:]]


def test_sizes_that_add_nothing_are_no_batch() -> None:
    assert batched(web(3), sizes("1", "10%", "100%")) == [["web1"], ["web2", "web3"]]


def test_a_bastion_comes_after_the_hosts_behind_it_and_in_another_batch() -> None:
    chain = {"web1": ("outer", "inner"), "web2": ("outer", "inner"), "inner": ("outer",)}
    hosts = ["inner", "outer", "web1", "web2", "web3"]
    assert batched(hosts, sizes("100%"), Site(bastions=chain)) == [["web1", "web2", "web3"], ["inner"], ["outer"]]


def test_a_batch_waits_for_all_of_the_one_before_it() -> None:
    rollout = Rollout(web(20), Pace())
    assert begun(rollout) == ["web1"]
    rollout.done(row("web1"), 1.0)
    assert begun(rollout, 1.0) == ["web2"]
    rollout.done(row("web2"), 2.0)
    assert begun(rollout, 2.0) == web(20)[2:]
    assert rollout.over


def test_a_pause_is_between_batches_and_not_before_the_first() -> None:
    rollout = Rollout(web(3), Pace(sizes("1", "100%"), pause_s=30.0))
    assert begun(rollout, 100.0) == ["web1"]
    rollout.done(row("web1"), 110.0)
    assert begun(rollout, 139.9) == []
    assert not rollout.over
    assert begun(rollout, 140.0) == ["web2", "web3"]


def test_no_more_hosts_of_a_group_are_under_way_than_it_allows_and_others_pass_them() -> None:
    groups = {"web1": ("rack1",), "web2": ("rack1", "big"), "web3": ("rack2",)}
    limits = Pace((ALL,), max_parallel_per={"rack1": 1})
    rollout = Rollout(web(3), limits, Site(groups))
    assert begun(rollout) == ["web1", "web3"]
    rollout.done(row("web3"), 1.0)
    assert begun(rollout) == []
    rollout.done(row("web1"), 2.0)
    assert begun(rollout) == ["web2"]


# ---- budgets ----


def test_one_lost_host_stops_all_that_has_not_begun() -> None:
    rollout = Rollout(web(20), Pace(sizes("1", "100%")))
    begun(rollout)
    rollout.done(row("web1"), 0.0)
    assert [rollout.next(0.0), rollout.next(0.0)] == ["web2", "web3"]
    rollout.done(row("web2", Status.REVERTED), 0.0)
    assert rollout.over
    assert rollout.next(0.0) is None
    assert rollout.reason == "budget used up: 1 lost: web2"
    rollout.done(row("web3", Status.UNREACHABLE, "confirm"), 0.0)
    assert rollout.reason == "budget used up: 2 lost: web2, web3"
    assert rollout.left == tuple(web(20)[3:])


def test_a_host_that_failed_once_its_change_had_begun_is_lost() -> None:
    rollout = Rollout(web(20), Pace((ALL,)))
    begun(rollout)
    rollout.done(row("web1", Status.BLOCKED, "change"), 0.0, phase="change")
    assert rollout.reason is None
    rollout.done(row("web2", Status.FAILED, "connect"), 0.0, phase="put back")
    assert rollout.reason == "budget used up: 1 lost: web2"


def test_failures_stop_when_they_are_more_than_their_budget() -> None:
    rollout = Rollout(web(20), Pace((ALL,)))
    begun_hosts = [rollout.next(0.0) for _ in range(9)]
    for host in ("web2", "web9"):
        rollout.done(row(host, Status.UNREACHABLE, "connect"), 0.0)
    assert not rollout.over
    rollout.done(row("web1", Status.REJECTED, "connect"), 0.0)
    assert rollout.reason == "budget used up: 3 failed: web1, web2, web9"
    assert begun_hosts == web(9)
    assert rollout.left == tuple(web(20)[9:])


def test_a_reason_names_a_few_of_many() -> None:
    before = [row(f"db{number}", Status.UNREACHABLE, "connect") for number in range(1, 13)]
    rollout = Rollout(web(5), Pace(), selected=17, before=before)
    assert rollout.reason == "budget used up: 12 failed: db1, db2, db3, db4, db5 and 7 more"
    assert begun(rollout) == []


# ---- a first batch that shows nothing ----


@pytest.mark.parametrize("status", [Status.OK, Status.BLOCKED, Status.UNREACHABLE])
def test_a_first_batch_that_changed_nothing_ends_a_proving_rollout(status: Status) -> None:
    rollout = Rollout(web(10), Pace(), proving=True)
    begun(rollout)
    assert rollout.unproven == ()
    rollout.done(row("web1", status, "connect"), 0.0)
    assert rollout.over
    assert rollout.reason is None
    assert rollout.unproven == tuple(web(10)[1:])


def test_a_first_batch_that_changed_something_is_followed_by_the_next() -> None:
    rollout = Rollout(web(10), Pace(sizes("1", "100%")), proving=True)
    begun(rollout)
    rollout.done(row("web1"), 0.0)
    assert begun(rollout) == web(10)[1:]


def test_a_first_batch_that_lost_its_host_is_a_stop_and_not_unproven() -> None:
    rollout = Rollout(web(10), Pace(), proving=True)
    begun(rollout)
    rollout.done(row("web1", Status.REVERTED), 0.0)
    assert (rollout.reason, rollout.unproven) == ("budget used up: 1 lost: web1", ())


# ---- laws ----

SHARES = st.builds(Share, st.integers(0, 12)) | st.builds(Share, st.integers(0, 100), st.just(True))
BATCHES = st.lists(SHARES, max_size=3).map(lambda found: (*found, ALL))
GROUPS = ("rack1", "rack2")
ENDS = st.tuples(
    st.sampled_from([Status.CHANGED, Status.OK, Status.REVERTED, Status.UNREACHABLE, Status.FAILED, Status.BLOCKED]),
    st.sampled_from(["connect", "read", "confirm"]),
)


class Fleet(NamedTuple):
    """A whole rollout to go through: who there is, how it goes, how each host ends and in which order."""

    hosts: list[str]
    pace: Pace
    site: Site
    ends: dict[str, tuple[Status, str]]
    picks: list[int]


@st.composite
def fleets(draw: st.DrawFn) -> Fleet:
    hosts = web(draw(st.integers(1, 12)))
    some = st.lists(st.sampled_from(hosts), max_size=2, unique=True)
    site = Site(
        {host: draw(st.lists(st.sampled_from(GROUPS), unique=True)) for host in hosts},
        {host: [each for each in draw(some) if each > host] for host in hosts},
    )
    limits = draw(st.dictionaries(st.sampled_from(GROUPS), st.integers(1, 3)))
    chosen = Pace(draw(BATCHES), draw(SHARES), draw(SHARES), limits, draw(st.sampled_from([0.0, 5.0])))
    ends = {host: draw(ENDS) for host in hosts}
    return Fleet(hosts, chosen, site, ends, draw(st.lists(st.integers(0, 11), min_size=30, max_size=30)))


class Step(NamedTuple):
    """What was so when a host began."""

    host: str
    under_way: tuple[str, ...]
    rows: tuple[HostOutcome, ...]


def gone_through(fleet: Fleet, *, proving: bool = False) -> tuple[Rollout, list[Step]]:
    """Begin whatever may begin, and end hosts in the order of the picks, until the rollout is over and all are done."""
    rollout = Rollout(fleet.hosts, fleet.pace, fleet.site, proving=proving)
    under_way: list[str] = []
    rows: list[HostOutcome] = []
    steps: list[Step] = []
    now = 0.0
    picks = iter(fleet.picks)
    while under_way or not rollout.over:
        now += 1.0
        pick = next(picks, 0)
        host = rollout.next(now) if pick % 3 or not under_way else None
        if host is not None:
            steps.append(Step(host, tuple(under_way), tuple(rows)))
            under_way.append(host)
        elif under_way:
            name = under_way.pop(pick % len(under_way))
            rows.append(row(name, *fleet.ends[name]))
            rollout.done(rows[-1], now)
        else:
            assert now < 1000.0, "nobody is under way, nobody begins, and it is not over"
    return rollout, steps


@given(fleets(), st.booleans())
def test_every_host_begins_at_most_once_and_none_is_forgotten(fleet: Fleet, proving: bool) -> None:
    rollout, steps = gone_through(fleet, proving=proving)
    started = [step.host for step in steps]
    assert sorted([*started, *rollout.left]) == sorted(fleet.hosts)
    assert not rollout.left or rollout.reason is not None or rollout.left == rollout.unproven


@given(fleets())
def test_a_host_begins_only_when_every_batch_before_its_own_is_done(fleet: Fleet) -> None:
    batches = batched(fleet.hosts, fleet.pace.batches, fleet.site)
    number_of = {host: number for number, batch in enumerate(batches) for host in batch}
    assert sorted(number_of) == sorted(fleet.hosts)
    _, steps = gone_through(fleet)
    for step in steps:
        done = {each.host for each in step.rows}
        earlier = {host for host, number in number_of.items() if number < number_of[step.host]}
        assert earlier <= done


@given(fleets())
def test_no_batch_is_larger_than_its_size_leaves_room_for(fleet: Fleet) -> None:
    batches = batched(fleet.hosts, fleet.pace.batches, fleet.site)
    limits = [size.of(len(fleet.hosts)) for size in fleet.pace.batches]
    begun_by_then = 0
    for batch in batches:
        before = begun_by_then
        begun_by_then += len(batch)
        assert any(before < limit >= begun_by_then for limit in limits)


@given(fleets())
def test_a_bastion_is_never_in_one_batch_with_a_host_behind_it(fleet: Fleet) -> None:
    for batch in batched(fleet.hosts, fleet.pace.batches, fleet.site):
        assert not {bastion for host in batch for bastion in fleet.site.bastions[host]} & set(batch)


@given(fleets())
def test_nothing_begins_once_a_budget_is_used_up(fleet: Fleet) -> None:
    _, steps = gone_through(fleet)
    for step in steps:
        assert sum(map(lost, step.rows)) <= fleet.pace.max_lost.of(len(fleet.hosts))
        assert sum(map(failed, step.rows)) <= fleet.pace.max_failures.of(len(fleet.hosts))


@given(fleets())
def test_a_group_never_has_more_hosts_under_way_than_it_allows(fleet: Fleet) -> None:
    _, steps = gone_through(fleet)
    for step in steps:
        for group, number in fleet.pace.max_parallel_per.items():
            busy = [host for host in (*step.under_way, step.host) if group in fleet.site.groups[host]]
            assert len(busy) <= number or step.host not in busy


@given(fleets())
def test_the_same_rows_in_the_same_order_give_the_same_rollout(fleet: Fleet) -> None:
    assert gone_through(fleet)[1] == gone_through(fleet)[1]
