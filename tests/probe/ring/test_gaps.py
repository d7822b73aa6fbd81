"""Many slots at once see the same outages as one tracker a slot: the arrays are held against core.outage.Tracker."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from core.outage import Tracker
from core.records import Clock, Heartbeats, OutageBegan, OutageEnded
from probe.ring.gaps import Gaps
from probe.ring.turns import Turns

PERIOD_NS = 10_000_000
RTT_NS = 3_000_000
SLOTS = 3
# What becomes of a turn: answered, lost, not sent (no session), skipped (own lateness), answered 2 or 7 periods late.
fates = st.sampled_from("aaaallllllusrR")
histories = st.lists(st.tuples(fates, fates, fates), min_size=4, max_size=60)


@given(histories, st.integers(0, 60))
def test_the_arrays_see_what_trackers_see(history: list[tuple[str, str, str]], changed_at: int) -> None:
    turns = Turns(0, PERIOD_NS, SLOTS)
    gaps = Gaps("v1", turns)
    trackers = [Tracker("v1", slot, Clock.DATA_PLANE, PERIOD_NS) for slot in range(SLOTS)]
    expected: list[OutageEnded | OutageBegan] = []
    found: list[OutageEnded | OutageBegan] = []
    late: list[tuple[int, int, int]] = []
    for number, fate in enumerate(history, 1):
        for slot in range(SLOTS):
            now_ns = ((number - 1) * SLOTS + slot) * PERIOD_NS // SLOTS + 1_000
            step = fate[slot]
            _, due = turns.take(now_ns)
            assert [(piece.low, piece.high, piece.revolution) for piece in due] == [(slot, slot + 1, number)]
            at = slice(slot, slot + 1) if number % 2 else np.array([slot])
            turns.sent(now_ns)
            if step == "s":
                gaps.skipped(at, number, PERIOD_NS)
                trackers[slot].skipped(1, PERIOD_NS)
            elif step == "u":
                gaps.unsent(at, number)
            else:
                gaps.sent(at, number, now_ns, np.array([1_000]))
                trackers[slot].sent(number, now_ns, 1_000)
            if number == changed_at:
                gaps.session_changed(slot)
                trackers[slot].session_changed()
            answers = [(slot, number)] if step == "a" else []
            if step in "rR":
                late.append((slot, number, now_ns + (2 if step == "r" else 7) * PERIOD_NS))
            for answered_slot, attempt in answers:
                answer(gaps, turns, answered_slot, attempt, now_ns + RTT_NS)
                expected += ended(trackers[answered_slot].answered(attempt, now_ns + RTT_NS))
            for entry in [entry for entry in late if entry[2] <= now_ns and entry[0] == slot]:
                late.remove(entry)
                answer(gaps, turns, slot, entry[1], now_ns + RTT_NS)
                expected += ended(trackers[slot].answered(entry[1], now_ns + RTT_NS))
            found += drained(gaps)
        now_ns = number * PERIOD_NS
        found += gaps.check(now_ns)
        expected += [began for tracker in trackers if (began := tracker.check(now_ns))]
    assert [r for r in found if isinstance(r, OutageEnded)] == [r for r in expected if isinstance(r, OutageEnded)]
    if not {step for fate in history for step in fate} & {"u", "s"}:
        assert found == expected  # of turns that were left out the begin of an outage may be told later


def answer(gaps: Gaps, turns: Turns, slot: int, attempt: int, r_ns: int) -> None:
    slots, attempts = np.array([slot]), np.array([attempt])
    gaps.answered(slots, attempts, turns.instants(slots, attempts), np.array([r_ns]))


def ended(records: tuple[OutageEnded | Heartbeats, ...]) -> list[OutageEnded]:
    return [record for record in records if isinstance(record, OutageEnded)]


def drained(gaps: Gaps) -> list[OutageEnded]:
    """The outages that ended, with the bounds of their stamps taken off: one tracker does not keep them."""
    records = [record for _, entries in gaps.ended(10) for record in entries]
    return [replace(record, stamp_error_ns=0) for record in records if isinstance(record, OutageEnded)]


def test_what_was_never_sent_is_no_answer() -> None:
    turns = Turns(0, PERIOD_NS, 1)
    gaps = Gaps("v1", turns)
    turns.take(0)
    turns.sent(0)
    gaps.sent(slice(0, 1), 1, 0, np.array([0]))
    news = gaps.answered(np.array([0]), np.array([2]), np.array([5]), np.array([9]))
    assert not news.any()
    assert gaps.answered_revolution[0] == 0


def test_the_heartbeats_around_an_outage_are_kept() -> None:
    turns = Turns(0, PERIOD_NS, 1)
    gaps = Gaps("v1", turns)
    for number in range(1, 401):
        now_ns = (number - 1) * PERIOD_NS
        turns.take(now_ns)
        turns.sent(now_ns)
        gaps.sent(slice(0, 1), number, now_ns, np.array([0]))
        if number in (1, 400):
            gaps.answered(np.array([0]), np.array([number]), np.array([now_ns]), np.array([now_ns + RTT_NS]))
    ((slot, records),) = gaps.ended(10)
    outage, beats = records
    assert slot == 0
    assert isinstance(outage, OutageEnded)
    assert isinstance(beats, Heartbeats)
    assert (outage.lost, outage.s_a1_ns, outage.s_b1_ns) == (398, PERIOD_NS, 398 * PERIOD_NS)
    assert beats.attempts[0] == (0, RTT_NS)
    assert beats.attempts[-1] == (399 * PERIOD_NS, 399 * PERIOD_NS + RTT_NS)
    assert len(beats.attempts) == 202
    assert [s_ns for s_ns, _ in beats.attempts[1:101]] == [n * PERIOD_NS for n in range(1, 101)]


def test_turns_left_out_twice_while_an_answer_is_under_way_are_no_losses() -> None:
    """A probe that stumbles twice within a round trip: nothing was lost, and no instant is made up."""
    turns = Turns(0, PERIOD_NS, 1)
    gaps = Gaps("v1", turns)
    for number in range(1, 17):
        now_ns = (number - 1) * PERIOD_NS
        turns.take(now_ns)
        turns.sent(now_ns)
        if number in (4, 5, 6, 8, 9, 10):
            gaps.skipped(slice(0, 1), number, PERIOD_NS)
        else:
            gaps.sent(slice(0, 1), number, now_ns, np.array([0]))
        for attempt in {2: [1], 12: [2, 3], 15: [7, 11]}.get(number, []):
            answer(gaps, turns, 0, attempt, now_ns + RTT_NS)
    assert gaps.losses == 0
    ((_, records),) = gaps.ended(10)[-1:]
    outage = records[0]
    assert isinstance(outage, OutageEnded)
    assert (outage.lost, outage.skipped, outage.self_inflicted) == (0, 3, True)
    assert outage.s_a1_ns == outage.s_b1_ns == 10 * PERIOD_NS


def test_the_first_lost_attempt_is_one_that_was_sent_whatever_was_skipped_before_it() -> None:
    """Late twice before an answer came: turns 3 and 5 never left, 2 is answered after both, 4 and on are lost."""
    turns = Turns(0, PERIOD_NS, 1)
    gaps = Gaps("v1", turns)
    sent_ns: dict[int, int] = {}
    for number in range(1, 21):
        if number in (3, 5):
            continue
        sent_ns[number] = now_ns = (number - 1) * PERIOD_NS + number
        skipped, _ = turns.take(now_ns)
        for piece in skipped:
            gaps.skipped(slice(0, 1), piece.revolution, PERIOD_NS)
        turns.sent(now_ns)
        gaps.sent(slice(0, 1), number, now_ns, np.array([number]))
        for answered in {1: [1], 6: [2], 20: [20]}.get(number, []):
            answer(gaps, turns, 0, answered, now_ns + RTT_NS)
    (outage,) = drained(gaps)
    assert (outage.s_a_ns, outage.s_a1_ns) == (sent_ns[2], sent_ns[4])
    assert (outage.s_b1_ns, outage.s_b_ns) == (sent_ns[19], sent_ns[20])


def test_what_has_begun_ends_also_when_all_was_answered_late() -> None:
    turns = Turns(0, PERIOD_NS, 1)
    gaps = Gaps("v1", turns)
    for number in range(1, 5):
        now_ns = (number - 1) * PERIOD_NS
        turns.take(now_ns)
        turns.sent(now_ns)
        gaps.sent(slice(0, 1), number, now_ns, np.array([0]))
    answer(gaps, turns, 0, 1, RTT_NS)
    assert [record.slot for record in gaps.check(50 * PERIOD_NS)] == [0]
    for attempt in (2, 3, 4):
        answer(gaps, turns, 0, attempt, 51 * PERIOD_NS + attempt)
    (ended_here,) = drained(gaps)
    assert (ended_here.lost, ended_here.self_inflicted) == (0, True)
    assert gaps.check(99 * PERIOD_NS) == []
