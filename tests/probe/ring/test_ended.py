"""Ended gaps wait as arrays: told in order, those of the probe's own making by a few, and never without bound."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from probe.ring.ended import OWN_A_SECOND, Closed, Pending
from probe.ring.gaps import Gaps
from probe.ring.turns import Turns

S = 1_000_000_000


def closed(slots: list[int], lost: list[int], r_b_ns: int = S) -> Closed:
    each = np.array(slots, np.int64)
    instants, losses = np.full(len(slots), r_b_ns), np.array(lost, np.int64)
    same = np.ones(len(slots), np.bool_)
    return Closed(each, each, each, each, each, each, each, each, instants, losses, each, each, each, same, ~same)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=8), max_size=8), st.integers(1, 5))
def test_outages_are_told_in_the_order_in_which_they_ended(batches: list[list[int]], most: int) -> None:
    pending = Pending(1)
    for batch in batches:
        pending.add(closed(batch, [3] * len(batch)))
    expected = [slot for batch in batches for slot in batch]
    assert pending.waiting == len(expected)
    found: list[int] = []
    while pending.waiting:
        taken = pending.take(most)
        assert 0 < len(taken) <= most
        found += [ended.slot for ended in taken]
    assert found == expected
    assert pending.take(most) == []


def test_of_own_gaps_so_many_a_second_are_told_and_all_are_counted() -> None:
    pending = Pending(1)
    for second in (1, 1, 2):
        pending.add(closed([*range(150), 999], [0] * 150 + [3], second * S))
    told = [ended.slot for ended in pending.take(1000)]
    assert told.count(999) == 3, "what was lost on the path is told, whatever else there is"
    assert len(told) - 3 == OWN_A_SECOND + 150
    assert pending.untold_own == 300 - OWN_A_SECOND


def test_what_finds_no_room_is_counted() -> None:
    pending = Pending(1)
    pending._most = 10
    for _ in range(3):
        pending.add(closed(list(range(4)), [3] * 4))
    assert (pending.waiting, pending.untold) == (10, 2)
    assert len(pending.take(99)) == 10


def test_ten_thousand_sessions_that_were_all_left_out_leave_little_to_tell() -> None:
    """One moment in which the probe did not get the processor must not be the cause of the next."""
    slots, period_ns = 10_000, 100_000_000
    turns = Turns(0, period_ns, slots)
    gaps = Gaps("v1", turns)
    everyone = np.arange(slots)
    for revolution in range(1, 8):
        now_ns = revolution * period_ns - 1
        turns.take(now_ns)
        if revolution in (2, 3, 4):
            gaps.skipped(everyone, revolution, 3 * period_ns)
            continue
        turns.sent(now_ns)
        gaps.sent(everyone, revolution, now_ns, np.zeros(slots, np.int64))
        gaps.answered(everyone, np.full(slots, revolution), np.full(slots, now_ns), np.full(slots, now_ns + 1_000))
    assert gaps.pending.waiting == OWN_A_SECOND
    assert gaps.pending.untold_own == slots - OWN_A_SECOND


def test_what_was_told_to_have_begun_is_told_to_have_ended_whosever_it_was() -> None:
    pending = Pending(1)
    many = closed(list(range(1000)), [0] * 1000)
    pending.add(replace(many, began=np.ones(1000, np.bool_)))
    assert (pending.waiting, pending.untold_own) == (1000, 0)


def test_the_budget_is_of_a_second_in_whatever_order_its_gaps_end() -> None:
    pending = Pending(1)
    for second in (2, 1, 2, 1, 2):
        pending.add(closed(list(range(OWN_A_SECOND)), [0] * OWN_A_SECOND, second * S))
    assert pending.waiting == OWN_A_SECOND
