"""Outages as intervals: the truth lies inside, whatever the period, the round trip and single losses."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from core.outage import Tracker, interval, merge
from core.records import Clock, Heartbeats, OutageEnded

MS = 1_000_000


def tracker(period_ns: int = 10 * MS) -> Tracker:
    return Tracker("c1", 3, Clock.DATA_PLANE, period_ns)


def play(period_ns: int, rtt_ns: int, down: tuple[int, int], lost: set[int], count: int) -> list[OutageEnded]:
    """Send `count` heartbeats over a path that is down in [down): all that touch the path then are lost."""
    found = tracker(period_ns)
    events = []
    for number in range(count):
        s_ns = number * period_ns
        events.append((s_ns, 0, number))
        on_path = (s_ns, s_ns + rtt_ns)
        if number not in lost and not any(down[0] <= instant < down[1] for instant in on_path):
            events.append((s_ns + rtt_ns, 1, number))
    outages: list[OutageEnded] = []
    for t_ns, kind, number in sorted(events):
        if kind == 0:
            found.sent(number, t_ns)
        else:
            outages += [record for record in found.answered(number, t_ns) if isinstance(record, OutageEnded)]
    return outages


@settings(max_examples=300)
@given(
    period_ms=st.integers(1, 50),
    rtt_us=st.integers(50, 40_000),
    begin_ms=st.integers(600, 900),  # after the last single loss, and an answer
    length_ms=st.integers(200, 3_000),
    lost=st.sets(st.integers(0, 9), max_size=2),
)
def test_the_true_outage_lies_inside(
    period_ms: int, rtt_us: int, begin_ms: int, length_ms: int, lost: set[int]
) -> None:
    period_ns, rtt_ns = period_ms * MS, rtt_us * 1_000
    down = (begin_ms * MS, (begin_ms + length_ms) * MS)
    count = (begin_ms + length_ms + 1_000) // period_ms
    outages = [o for o in play(period_ns, rtt_ns, down, lost, count) if o.s_a_ns >= 200 * MS]
    assert len(outages) == 1
    bounds = interval(outages[0])
    # What crosses the path for `rtt` is lost when any moment of it is: the gap is longer than the truth by that much.
    assert bounds.lower_ns <= length_ms * MS + rtt_ns
    assert bounds.upper_ns >= length_ms * MS
    assert bounds.upper_ns - bounds.lower_ns <= 2 * period_ns + 2 * bounds.error_ns
    assert bounds.lower_ns <= outages[0].r_b_ns - outages[0].r_a_ns <= bounds.upper_ns


def test_two_losses_are_loss_and_three_are_an_outage() -> None:
    assert play(10 * MS, MS, (0, 0), {50, 51}, 100) == []
    (outage,) = play(10 * MS, MS, (0, 0), {50, 51, 52}, 100)
    assert (outage.lost, outage.slot, outage.same_session, outage.self_inflicted) == (3, 3, True, False)
    assert (interval(outage).lower_ns, interval(outage).upper_ns) == (20 * MS, 40 * MS)


def test_losses_late_answers_and_duplicates_are_told_apart() -> None:
    found = tracker()
    for number in range(4):
        found.sent(number, number * 10 * MS)
    assert found.answered(0, MS) == ()
    assert found.answered(2, 21 * MS) == ()
    assert (found.losses, found.late) == (1, 0)
    assert found.answered(1, 22 * MS) == ()
    assert found.answered(2, 23 * MS) == ()
    assert (found.losses, found.late) == (1, 1)
    assert found.answered(99, 24 * MS) == ()


def test_skipped_sends_are_self_inflicted_and_no_outage() -> None:
    found = tracker()
    found.sent(1, 0)
    found.answered(1, MS)
    found.skipped(20, 200 * MS)
    found.sent(2, 210 * MS, 200 * MS)
    (outage, _) = found.answered(2, 211 * MS)
    assert isinstance(outage, OutageEnded)
    assert outage.self_inflicted
    assert outage.lost == 0
    assert merge([outage]) is None


def test_a_long_outage_stays_one_though_the_timer_slipped_in_it() -> None:
    found = tracker()
    found.sent(0, 0)
    found.answered(0, MS)
    for number in range(1, 200):
        found.sent(number, number * 10 * MS, 15 * MS if number == 100 else 0)
    found.sent(200, 2_000 * MS)
    (outage, beats) = found.answered(200, 2_001 * MS)
    assert isinstance(outage, OutageEnded)
    assert not outage.self_inflicted
    assert outage.slip_ns == 15 * MS
    assert interval(outage).error_ns == 0, "instants are as they were, however late"
    assert isinstance(beats, Heartbeats)
    assert beats.attempts[0] == (0, MS)
    assert beats.attempts[-1] == (2_000 * MS, 2_001 * MS)


def test_begin_is_told_once_and_a_restart_is_not_survived() -> None:
    found = tracker()
    found.sent(0, 0)
    found.answered(0, MS)
    for number in range(1, 5):
        found.sent(number, number * 10 * MS)
    assert found.check(60 * MS) is None
    began = found.check(90 * MS)
    assert began is not None
    assert began.last_sent_ns == 0
    assert found.check(100 * MS) is None
    found.session_changed()
    found.sent(5, 100 * MS)
    (outage, _) = found.answered(5, 101 * MS)
    assert isinstance(outage, OutageEnded)
    assert not outage.same_session


def test_merge_takes_the_worst_and_both_ends() -> None:
    short, long = (
        OutageEnded(1, "c1", slot, Clock.DATA_PLANE, 0, 1, 10, end - 10, end, end + 1, 5, 0, 0, False, True)
        for slot, end in ((0, 100), (1, 300))
    )
    merged = merge([short, long, long])
    assert merged is not None
    assert (merged.worst.upper_ns, merged.first_recovery_ns, merged.last_recovery_ns, merged.slots) == (
        300,
        100,
        300,
        2,
    )


def test_what_has_begun_ends_also_when_all_was_answered_late() -> None:
    """Three attempts overdue, then answered in order: nothing was lost, and nothing is left open."""
    found = tracker()
    for attempt in range(1, 5):
        found.sent(attempt, attempt * 10 * MS)
    assert found.answered(1, 11 * MS) == ()
    assert found.check(400 * MS) is not None
    (ended, _) = found.answered(2, 401 * MS)
    assert isinstance(ended, OutageEnded)
    assert (ended.lost, ended.self_inflicted) == (0, True), "no outage, though it looked like one"
    assert found.answered(3, 402 * MS) == found.answered(4, 402 * MS) == ()
    assert found.check(900 * MS) is None
