"""Traces and answers of a few slots: what a trace sends, what it makes known, and what puts an answer in doubt."""

from __future__ import annotations

from ipaddress import ip_address
from pathlib import Path

from core.inventory import Address
from core.loader import load_inventory
from core.path_records import NodesSeen, PathTraced
from core.records import Answer, KnownBy, Record
from core.tcp.segments import Segment
from probe.ring.answers import Answers
from probe.ring.held import Held, Layout
from probe.ring.traces import HOPS, TAKES_NS, Traces
from probe.service import Seen

LAB = load_inventory(Path(__file__).resolve().parents[3] / "experiments" / "lab.yaml")
A1, R1, R2, ACE1, ACE3 = map(ip_address, ("10.10.1.1", "10.255.0.2", "10.255.0.10", "10.1.1.11", "10.2.1.11"))


class Bench:
    """Four slots, and what was sent for them as (slot, TTL, mark)."""

    def __init__(self) -> None:
        self.held = Held(4, 1, Layout(20))
        self.answers = Answers(LAB, "c1", self.held)
        self.sent: list[tuple[int, int, int]] = []
        self.traces = Traces(LAB, "c1", self.held, self.answers, self._transmit)

    def _transmit(self, slot: int, _: Segment, ttl: int, mark: int) -> None:
        self.sent.append((slot, ttl, mark))

    def trace(self, slot: int, now_ns: int, *routers: Address | None, silent: bool = False) -> list[Record]:
        """Trace a slot, let each TTL be answered, and let the time pass; return the records."""
        self.sent.clear()
        self.traces.begin(slot, 7, now_ns, silent=silent)
        marks = {ttl: mark for _, ttl, mark in self.sent}
        found: list[Record] = []
        for ttl, router in enumerate(routers, 1):
            if router is not None:
                found += self.traces.time_exceeded(slot, router, marks[ttl], now_ns + 1)
        return found + self.traces.step(now_ns + TAKES_NS)


def paths(records: list[Record]) -> list[tuple[str, ...]]:
    return [record.hops for record in records if isinstance(record, PathTraced)]


def test_a_path_is_told_when_a_router_is_news() -> None:
    bench = Bench()
    assert paths(bench.trace(0, 10, A1, R1, ACE1)) == [(str(A1), str(R1), str(ACE1))]
    assert bench.trace(0, 20, A1, R1, ACE1) == []
    assert bench.trace(0, 30, A1, None, ACE1) == [], "a router that keeps silent changes nothing"
    assert bench.trace(0, 40, A1) == []
    assert paths(bench.trace(0, 50, A1, R2, ACE3)) == [(str(A1), str(R2), str(ACE3))]
    assert paths(bench.trace(1, 60, A1, R2, ACE3)) == [(str(A1), str(R2), str(ACE3))], "each session's own"
    assert bench.traces.end(0, 70) == []
    assert paths(bench.trace(0, 80, A1, R2, ACE3)) == [(str(A1), str(R2), str(ACE3))], "a new session, a path anew"


def test_a_changed_path_is_looked_at_closer_and_at_once() -> None:
    bench = Bench()
    bench.trace(0, 10, A1, R1, ACE1)
    assert len(bench.sent) == HOPS
    bench.trace(0, 20, A1, R2, ACE3)
    assert bench.held.traced_ns[0] == 0, "due at once"
    bench.traces.begin(0, 7, 30)
    assert len(bench.sent) == HOPS * 3, "each copy twice"
    marks = {ttl: mark for _, ttl, mark in bench.sent}
    for ttl, router in ((1, A1), (1, A1), (2, R1), (2, R2), (3, ACE1), (3, ACE3)):
        assert bench.traces.time_exceeded(0, router, marks[ttl], 31) == [], "it waits for both"
    (record,) = bench.traces.step(30 + TAKES_NS)
    assert isinstance(record, PathTraced)
    assert record.hops == (str(A1), str(R1), str(ACE1))
    assert record.also == ((2, str(R2)), (3, str(ACE3)))
    assert bench.answers.known[bench.held.answer[0]].node == "ace3", "two nodes name none: as it was before"


def test_a_trace_of_a_silent_session_is_told_and_names_nobody() -> None:
    bench = Bench()
    bench.trace(0, 10, A1, R1, ACE1)
    (record,) = bench.trace(0, 2_000, A1, R1, ACE1, silent=True)
    assert isinstance(record, PathTraced)
    assert (record.silent, record.t_ns, record.hops) == (True, 2_000, (str(A1), str(R1), str(ACE1)))
    bench.traces.begin(0, 7, 3_000, silent=True)
    bench.traces.begin(0, 7, 4_000)
    (cut,) = bench.traces.step(4_001)
    assert isinstance(cut, PathTraced)
    assert (cut.silent, cut.t_ns, cut.hops) == (True, 3_000, ())
    assert bench.traces.seen(5_000) == [NodesSeen(5_000, "c1", (("ace1", 1),))]
    assert bench.traces.seen(6_000) == []


def test_a_trace_under_way_never_delays_the_next() -> None:
    bench = Bench()
    bench.traces.begin(0, 7, 10)
    old = bench.sent[2][2]
    bench.traces.begin(0, 7, 20)
    assert len(bench.sent) == HOPS * 2, "an outage has ended: it is traced at once"
    assert bench.traces.time_exceeded(0, ACE1, old, 30) == []
    assert bench.traces.step(20 + TAKES_NS) == []


def test_the_last_trace_of_a_dropped_session_is_kept() -> None:
    bench = Bench()
    bench.traces.begin(0, 7, 10, closer=True)
    marks = {ttl: mark for _, ttl, mark in bench.sent}
    for router in (ACE1, ACE3):
        assert bench.traces.time_exceeded(0, router, marks[2], 11) == []
    (record,) = bench.traces.end(0, 12)
    assert isinstance(record, PathTraced)
    assert (record.hops, record.also) == (("", str(ACE1)), ((2, str(ACE3)),))
    assert bench.held.answer[0] == 0


def answers(records: list[Record]) -> list[tuple[str, str, str, KnownBy]]:
    return [(r.site, r.node, r.nat_pool, r.node_known_by) for r in records if isinstance(r, Answer)]


def test_the_site_is_the_nodes_and_the_pool_the_addresss() -> None:
    bench = Bench()
    first, other = Seen(ip_address("10.1.100.3"), "s1"), Seen(ip_address("10.2.100.3"), "s1")
    assert answers(bench.answers.seen(0, first, 1)) == [("dc1", "", "N1", KnownBy.UNKNOWN)]
    assert answers(bench.answers.through(0, "ace1", 2)) == [("dc1", "ace1", "N1", KnownBy.FLOW)]
    assert bench.answers.seen(0, first, 3) == []
    bench.held.traced_ns[0] = 3
    assert answers(bench.answers.seen(0, other, 4)) == [("dc2", "", "N2", KnownBy.UNKNOWN)], "the node is in doubt"
    assert bench.held.traced_ns[0] == 0, "and traced at once"
    assert answers(bench.answers.through(0, "ace1", 5)) == [("dc1", "ace1", "N2", KnownBy.FLOW)], "it is the same"
    assert bench.answers.seen(0, other, 6) == []
    assert answers(bench.answers.through(0, "ace3", 7)) == [("dc2", "ace3", "N2", KnownBy.FLOW)]
    outside = Seen(ip_address("192.0.2.1"), "s1")
    assert answers(bench.answers.seen(1, outside, 8)) == [("", "", "", KnownBy.UNKNOWN)], "an address is a fact"
