"""Stalls of a slot, turns and the probe's own lateness: pure, with time handed in."""

from __future__ import annotations

from core.outage import interval
from core.records import Clock
from probe.kernel.held import PROBES_NS, Held, rhythm
from probe.kernel.lateness import Lateness
from probe.kernel.turns import Openings, Turns

MS = 1_000_000
S = 1_000_000_000
PERIOD_NS = 20 * MS


def held(own_ns: int = 0, *, asks: bool = True) -> Held:
    return Held("v1", 3, rhythm(PERIOD_NS, asks=asks), lambda _from, _to: own_ns)


def test_a_gap_between_answers_is_a_stall_of_the_held_kernel_clock() -> None:
    slot = held()
    slot.asked(1 * S)
    assert slot.answered(1 * S + MS, MS) is None
    slot.asked(1 * S + 20 * MS)
    assert slot.check(1 * S + 160 * MS) is None
    began = slot.check(1 * S + 180 * MS)
    assert began is not None
    assert (began.slot, began.clock, began.last_sent_ns) == (3, Clock.HELD_KERNEL, 1 * S + MS)
    assert slot.check(1 * S + 300 * MS) is None, "once each"
    ended = slot.answered(3 * S, 1980 * MS)
    assert ended is not None
    assert ended.clock is Clock.HELD_KERNEL
    assert (interval(ended).lower_ns, interval(ended).upper_ns) == (1980 * MS, 1999 * MS)
    assert ended.same_session
    assert not ended.self_inflicted


def test_a_long_way_is_no_stall() -> None:
    slot = held()
    for number in range(20):
        slot.asked(number * 320 * MS + S)
        assert slot.answered(number * 320 * MS + S + 300 * MS, 300 * MS) is None
        assert slot.check(number * 320 * MS + S + 301 * MS) is None


def test_a_new_session_goes_on_waiting_for_what_the_dead_one_was_asked() -> None:
    slot = held()
    slot.asked(1 * S)
    slot.answered(1 * S + MS, MS)
    slot.asked(1 * S + 20 * MS)
    slot.session_ended()
    slot.asked(2 * S)
    ended = slot.answered(2 * S + MS, MS)
    assert ended is not None
    assert not ended.same_session
    assert ended.s_a1_ns == 1 * S + 20 * MS


def test_what_the_probe_did_not_look_at_is_self_inflicted() -> None:
    slot = held(own_ns=450 * MS)
    slot.asked(1 * S)
    slot.answered(1 * S, 0)
    ended = slot.answered(1 * S + 500 * MS, 0)
    assert ended is not None
    assert ended.self_inflicted
    assert ended.slip_ns == 450 * MS


def test_lost_keepalives_bound_the_outage_by_their_rhythm() -> None:
    slot = held(asks=False)
    assert slot.answered(10 * S) is None
    assert slot.answered(13 * S) is None, "two lost ones are loss"
    assert slot.check(16 * S) is None
    assert slot.check(16 * S + PROBES_NS * 6 // 10) is not None
    ended = slot.answered(18 * S)
    assert ended is not None
    assert (ended.s_a1_ns, ended.s_b1_ns, ended.lost) == (14 * S, 17 * S, 4)


def test_lateness_is_what_lies_between_two_looks_beyond_their_rhythm() -> None:
    late = Lateness(5 * MS)
    for at_ns in (0, 5, 12, 20, 320, 325):
        late.look(S + at_ns * MS)
    assert late.own_ns(S, 2 * S) == 295 * MS
    assert late.own_ns(S + 100 * MS, S + 200 * MS) == 100 * MS
    assert late.own_ns(S + 320 * MS, 2 * S) == 0


def test_turns_are_spread_evenly_and_what_is_a_period_late_is_skipped() -> None:
    turns = Turns(S, 100 * MS, 4)
    assert list(turns.due(S + 60 * MS)) == [(0, S), (1, S + 25 * MS), (2, S + 50 * MS)]
    assert turns.next_ns() == S + 75 * MS
    assert [slot for slot, _ in turns.due(S + 1000 * MS)] == [1, 2, 3, 0]
    assert turns.skipped == 41 - 3 - 4


def test_openings_are_bounded_and_in_order() -> None:
    openings = Openings(S, 1000, 2_000)
    assert openings.due(S) == []
    assert openings.due(S + MS) == [0, 1]
    assert len(openings.due(9 * S)) == 40
    openings.again(7, 3 * S)
    assert 7 not in openings.due(9 * S + 10 * MS)
