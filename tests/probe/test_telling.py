"""What is done to a network of two sites, beside what the agent's journal is recognised as: that, and nothing else."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from core.changes import changes
from core.loader import parse_inventory
from core.names import Change, Name
from core.path_records import NodesSeen, PathTraced
from core.records import Answer, Drop, Opened, OutageBegan, OutageEnded, Record
from tests.probe.conftest import Agent, start_agent
from tests.probe.sites import INVENTORY, Sites, sites
from tests.waiting import wait_for

__all__ = ["sites"]
SLOTS = set(range(25))


@pytest.fixture
def agent(sites: Sites, tmp_path: Path) -> Agent:
    found = start_agent(sites, tmp_path, inventory_text=INVENTORY)
    found.wait_answered()
    return found


def recognised(records: list[Record]) -> tuple[Change, ...]:
    return changes(records, parse_inventory(INVENTORY, "x"))


def names(records: list[Record]) -> set[tuple[Name, ...]]:
    return {change.names for change in recognised(records)}


def answered(agent: Agent) -> dict[int, Answer]:
    """Who answers each slot now, by the last record of it."""
    return {record.slot: record for record in agent.of(Answer) if isinstance(record, Answer)}


def at_nodes(agent: Agent) -> set[str]:
    return {record.node for record in answered(agent).values()}


def traced_since(agent: Agent, t_ns: int, times: int = 30) -> bool:
    """Whether so many traces have been made of answered sessions since: about one of every slot."""
    seen = [r for r in agent.of(NodesSeen) if isinstance(r, NodesSeen) and r.t_ns > t_ns + 1_000_000_000]
    return sum(count for record in seen for _, count in record.nodes) >= times


def restarts(records: list[Record]) -> set[int]:
    return {r.slot for r in records if isinstance(r, Opened) and r.restart and not r.held_kernel}


def test_a_quiet_network_changes_nothing(agent: Agent) -> None:
    wait_for(lambda: traced_since(agent, 0))
    assert {(r.site, r.node, r.nat_pool) for r in answered(agent).values()} == {("dc1", "ace1", "N1")}
    assert recognised(agent.stop()) == ()


def test_flows_are_hashed_anew_inside_a_site(sites: Sites, agent: Agent) -> None:
    sites.route("ace1", "ace2")
    wait_for(lambda: at_nodes(agent) == {"ace1", "ace2"})
    wait_for(lambda: traced_since(agent, time_of_last_move(agent)))
    records = agent.stop()
    (change,) = recognised(records)
    assert change.names == (Name.REHASHED,)
    moved = {record.slot for record in answered(agent).values() if record.node == "ace2"}
    assert (change.site, change.before, change.after) == ("dc1", "ace1", "ace2")
    assert (change.sessions, change.of, change.survived) == (len(moved), 25, len(moved))
    assert not restarts(records)
    paths = {(r.slot, r.hops) for r in records if isinstance(r, PathTraced)}
    before = {(slot, ("10.78.0.1", "10.78.1.2")) for slot in SLOTS}
    assert paths == before | {(slot, ("10.78.0.1", "10.78.2.2")) for slot in moved}, "each session's path is kept"


def time_of_last_move(agent: Agent) -> int:
    return max((record.t_ns for record in answered(agent).values()), default=0)


def test_a_node_fails_over_and_back(sites: Sites, agent: Agent) -> None:
    for down, up in (("ace1", "ace2"), ("ace2", "ace1")):
        sites.run(sites.name(down), "ip", "link", "set", "front", "down")
        since_ns = time.monotonic_ns()
        wait_for(lambda since=since_ns: len(began(agent, since)) == 25)  # type: ignore[misc]
        sites.run(sites.name(up), "ip", "link", "set", "front", "up")
        sites.run(sites.name(up), "ip", "route", "replace", "10.78.0.0/24", "via", f"10.78.{up[-1]}.1")
        sites.back("dc1", up)
        sites.route(up)
        wait_for(lambda node=up: at_nodes(agent) == {node})  # type: ignore[misc]
        wait_for(lambda: traced_since(agent, time_of_last_move(agent)))
    records = agent.stop()
    first, second = recognised(records)
    assert (first.names, first.before, first.after) == ((Name.NODE_FAILOVER,), "ace1", "ace2")
    assert (second.names, second.before, second.after) == ((Name.NODE_FAILBACK,), "ace2", "ace1")
    assert first.survived == second.survived == 25
    outage_ns = {r.slot: r.r_b_ns for r in records if isinstance(r, OutageEnded) and r.slot >= 0}
    traced_ns = {r.slot: r.t_ns for r in records if isinstance(r, PathTraced) and not r.silent and r.slot >= 0}
    # 25 sessions are within what may be traced at once; two seconds later each would have been traced anyway.
    assert max(traced_ns[slot] - outage_ns[slot] for slot in SLOTS) < 1_500_000_000


def began(agent: Agent, since_ns: int) -> set[int]:
    return {r.slot for r in agent.of(OutageBegan) if isinstance(r, OutageBegan) and r.t_ns > since_ns and r.slot >= 0}


def test_the_route_leads_to_the_other_site(sites: Sites, agent: Agent) -> None:
    sites.route("ace3")
    wait_for(lambda: at_nodes(agent) == {"ace3"})
    wait_for(lambda: traced_since(agent, time_of_last_move(agent)))
    sites.route("ace1")
    wait_for(lambda: at_nodes(agent) == {"ace1"})
    records = agent.stop()
    first, second = recognised(records)
    stalled = any(isinstance(r, OutageEnded) and r.slot >= 0 and not r.self_inflicted for r in records)
    either = (Name.SITE_FAILOVER, Name.WITHDRAWAL)
    assert first.names in ([(Name.WITHDRAWAL,), either] if stalled else [(Name.WITHDRAWAL,)])
    assert (first.before, first.after, first.sessions, first.survived) == ("dc1", "dc2", 25, 0)
    assert (second.names, second.before, second.after) == ((Name.SITE_FAILBACK,), "dc2", "dc1")
    assert {r.nat_pool for r in answered(agent).values()} == {"N1"}


def test_the_nat_pool_changes_and_the_site_does_not(sites: Sites, agent: Agent) -> None:
    sites.run(sites.server, "ip", "route", "replace", "10.2.100.9", "via", "10.79.1.1")
    sites.translate("ace1", "10.2.100.9")
    wait_for(lambda: {(r.node, r.nat_pool) for r in answered(agent).values()} == {("ace1", "N2")})
    # It must stay so for longer than two questions take.
    wait_for(lambda: (Name.ASYMMETRIC,) in names(agent.records()))
    records = agent.stop()
    assert names(records) == {(Name.NAT_POOL_CHANGED,), (Name.ASYMMETRIC,)}
    changed = next(change for change in recognised(records) if change.names == (Name.NAT_POOL_CHANGED,))
    assert (changed.site, changed.before, changed.after, changed.sessions) == ("dc1", "N1", "N2", 25)
    odd = next(change for change in recognised(records) if change.names == (Name.ASYMMETRIC,))
    assert (odd.before, odd.sessions) == ("dc1's ace1 with N2", 25)
    assert {record.site for record in answered(agent).values()} == {"dc1"}


def test_packets_of_one_flow_go_to_two_sites(sites: Sites, agent: Agent) -> None:
    sites.balance("ace1", "ace3")
    wait_for(lambda: len([r for r in agent.of(PathTraced) if isinstance(r, PathTraced) and r.also]) >= 3)
    records = agent.stop()
    (change,) = recognised(records)
    assert (change.names, change.before) == ((Name.BALANCED_SITES,), "dc1, dc2")
    drops = [r for r in records if isinstance(r, Drop) and not r.held_kernel]
    assert len(drops) > 25, "no session lives"


def test_packets_of_one_flow_go_to_two_nodes_of_a_site(sites: Sites, agent: Agent) -> None:
    sites.balance("ace1", "ace2")
    wait_for(lambda: len([r for r in agent.of(PathTraced) if isinstance(r, PathTraced) and r.also]) >= 3)
    records = agent.stop()
    (change,) = recognised(records)
    assert (change.names, change.before) == ((Name.BALANCED_INSIDE,), "ace1, ace2")
    assert not restarts(records)


def test_a_node_that_forwards_nothing_and_keeps_its_route(sites: Sites, agent: Agent) -> None:
    sites.rules("ace1", "10.1.100.1", "ip daddr 203.0.113.10 drop;")
    wait_for(lambda: [r for r in agent.of(OutageBegan) if isinstance(r, OutageBegan) and r.slot >= 0])
    since_ns = time.monotonic_ns()
    wait_for(lambda: time.monotonic_ns() - since_ns > 1_000_000_000)  # it is to be seen lasting
    sites.translate("ace1", "10.1.100.1")
    wait_for(lambda: {r.slot for r in agent.of(OutageEnded) if isinstance(r, OutageEnded)} >= SLOTS)
    records = agent.stop()
    stall, gray = recognised(records)
    assert (stall.names, stall.sessions) == ((Name.STALLED,), len(SLOTS)), "whom it hit"
    assert (gray.names, gray.before) == ((Name.GRAY,), "ace1"), "and where"
    assert {r.hops for r in records if isinstance(r, PathTraced) and r.silent} == {("10.78.0.1", "10.78.1.2")}
    assert not restarts(records)
