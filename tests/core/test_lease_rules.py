"""The guard rails as one decision: each refuses for its own reason, and what is not known counts against the fault."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.inventory import Host
from core.lease import Lease, LeasedFault, LeasedSite
from core.lease_rules import DAY_NS, HOUR_NS, Caps, Given, flaps_of, refusal, unsafe

NOW_NS, WALL_NS = 10**12, 10**18
SITES = (LeasedSite("dc1", ("ace1", "ace2")), LeasedSite("dc2", ("ace3", "ace4")))
BOTH = {"dc1": "", "dc2": ""}


def lease(name: str, *takes: str, run: str = "", target: str = "r1", **others: object) -> Lease:
    fault = LeasedFault(f"{name}-fault", "link", Host(target, "netns", target), {}, {}, takes)
    run = run or f"run of {name}"
    made = Lease(name, run, "exp", NOW_NS + 30 * 10**9, "boot", "", (fault,), vip="vip", sites=SITES)
    return replace(made, **others)  # type: ignore[arg-type]


def reason(asked: Lease, *out: Lease, caps: Caps = Caps(), given: tuple[Given, ...] = ()) -> str:  # noqa: B008
    found = refusal(asked, out, caps, given, NOW_NS, WALL_NS)
    return found.reason if found else ""


def test_nothing_speaks_against_a_first_fault() -> None:
    assert reason(lease("a", "dc1")) == ""
    assert unsafe(lease("a", "dc1"), [], BOTH) is None


@pytest.mark.parametrize(
    ("caps", "expected"),
    [
        (Caps(lease_s=29.9), "lease_too_long"),
        (Caps(lease_s=30), ""),
        (Caps(concurrent_faults=0), "too_many_faults"),
        (Caps(faults_a_day=0), "faults_a_day"),
        (Caps(flaps_an_hour=0), "flap_budget"),
        (Caps(allowed_targets=frozenset()), "target_not_allowed"),
        (Caps(allowed_targets=frozenset({"r1"})), ""),
    ],
)
def test_caps(caps: Caps, expected: str) -> None:
    assert reason(lease("a", "dc1"), caps=caps) == expected


def test_a_budget_is_of_its_time_and_of_its_vip() -> None:
    caps = Caps(faults_a_day=2, flaps_an_hour=1)
    hour_ago = Given(WALL_NS - HOUR_NS, 1, "vip", 1)
    assert reason(lease("a", "dc1"), caps=caps, given=(hour_ago,)) == "", "an hour is over"
    assert (
        reason(lease("a", "dc1"), caps=caps, given=(replace(hour_ago, wall_ns=WALL_NS - HOUR_NS + 1),)) == "flap_budget"
    )
    other = Given(WALL_NS - 1, 1, "another", 1)
    assert reason(lease("a", "dc1"), caps=caps, given=(other,)) == "", "another VIP's route"
    assert reason(lease("a", "ace1"), caps=caps, given=(replace(other, vip="vip"),)) == "", "takes no route"
    assert reason(lease("a", "ace1"), caps=caps, given=(other, other)) == "faults_a_day"
    yesterday = replace(other, wall_ns=WALL_NS - DAY_NS)
    assert reason(lease("a", "ace1"), caps=caps, given=(yesterday, yesterday)) == ""


def test_two_runs_at_one_vip_go_together_only_when_both_say_so() -> None:
    first, second = lease("a", "ace1", target="sw1"), lease("b", "ace2")
    assert reason(second, first) == "other_run"
    assert reason(replace(second, together=True), first) == "other_run"
    together = replace(second, together=True), replace(first, together=True)
    assert reason(*together) == ""
    assert reason(replace(second, run=first.run), first) == "", "one run's own experiments"
    assert reason(replace(second, vip="another"), first) == ""


def test_two_runs_at_one_target_never() -> None:
    first = lease("a", together=True)
    assert reason(lease("b", together=True), first) == "same_target"
    assert reason(lease("b", together=True, target="r2"), first) == ""


def test_the_last_announcer_stays() -> None:
    found = unsafe(lease("a", "dc1"), [], {"dc1": "", "dc2": "its route is not there"})
    assert found is not None
    assert found.reason == "last_announcer"
    assert found.words == "no site would announce vip (dc1: taken by a fault; dc2: its route is not there)"


def test_what_is_not_known_of_a_site_counts_against_it() -> None:
    found = unsafe(lease("a", "ace1"), [], {})
    assert found is not None
    assert found.reason == "last_announcer"


def test_survivors() -> None:
    found = unsafe(lease("a", "dc1", survivors=2), [], BOTH)
    assert found is not None
    assert found.reason == "survivors"
    assert unsafe(lease("a", "ace1", survivors=2), [], BOTH) is None


def test_what_several_leases_take_is_added_up() -> None:
    first = lease("a", "ace3")
    assert unsafe(lease("b", "dc1"), [first], BOTH) is None
    found = unsafe(lease("b", "dc1", "ace4"), [first], BOTH)
    assert found is not None
    assert found.reason == "last_announcer"
    assert unsafe(lease("b", "dc1", "ace4"), [replace(first, vip="another")], BOTH) is None


def test_flaps_are_sites_taken() -> None:
    assert [flaps_of(lease("a", *takes)) for takes in ([], ["ace1"], ["ace1", "ace2"], ["dc1", "dc2"])] == [0, 0, 1, 2]


def test_a_route_that_is_withdrawn_again_and_again_flaps_each_time() -> None:
    one = LeasedFault("a", "bird", Host("r1", "netns", "r1"), {}, {}, ("dc1",))
    node = replace(one, takes=("ace1",))
    assert flaps_of(replace(lease("a"), faults=(one,) * 20)) == 20
    assert flaps_of(replace(lease("a"), faults=(node, node, replace(node, takes=("ace2",))))) == 1


names = st.sampled_from(["dc1", "dc2", "ace1", "ace2", "ace3", "ace4"])


@given(st.lists(names), st.lists(st.lists(names), max_size=3), st.sets(st.sampled_from(["dc1", "dc2"])))
def test_two_that_race_never_take_the_last_site(asked: list[str], out: list[list[str]], announcing: set[str]) -> None:
    """Whatever is out and asked: what is allowed leaves a site that announces and has a node."""
    leases = [lease(f"l{number}", *takes) for number, takes in enumerate(out)]
    known = {site.name: "" if site.name in announcing else "no route" for site in SITES}
    if unsafe(lease("a", *asked), leases, known) is None:
        taken = {name for takes in (asked, *out) for name in takes}
        assert any(
            site.name in announcing and site.name not in taken and not set(site.nodes) <= taken for site in SITES
        )
