"""Outages of many slots at once: the same facts as core.outage.Tracker's, kept in arrays and updated by batches."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.outage import LOSSES_IN_A_ROW, OVERDUE_NS, SHOWN_EACH_END, Gap, outage_ended
from core.records import Clock, Heartbeats, OutageBegan, Record
from probe.ring.turns import Turns

Slots = NDArray[np.int64]
HEARTBEATS_A_SECOND = 200
"""Of so many outages a second the heartbeats are kept one by one; of the others their bounds."""


@dataclass(frozen=True, slots=True)
class Ended:
    """A gap that has just ended at one slot, not yet a record: what the arrays held of it."""

    slot: int
    a: int
    b: int
    gap: Gap


class Gaps:
    """Follows the attempts of `turns.slots` slots of one vantage.

    An attempt's number is its revolution. `sent` and `unsent` are told of slices of slots, `answered` of any slots,
    each once a call. `losses` counts attempts that went unanswered outside outages too, `late` answers that came
    after a later attempt's.
    """

    def __init__(self, vantage: str, turns: Turns) -> None:
        self._vantage = vantage
        self._turns = turns
        self._overdue_ns = max(OVERDUE_NS, 3 * turns.period_ns)
        count = turns.slots
        self.answered_revolution = np.zeros(count, np.int64)
        self.received_ns = np.zeros(count, np.int64)
        self.last_sent = np.zeros(count, np.int64)
        self.began = np.zeros(count, np.bool_)
        self._s_a_ns = np.zeros(count, np.int64)
        self._s_first_ns = np.zeros(count, np.int64)
        self._first_lost = np.zeros(count, np.int64)
        self._hole_low = np.zeros(count, np.uint32)
        self._hole_high = np.zeros(count, np.uint32)
        self._unsent = np.zeros(count, np.uint32)
        self._skipped = np.zeros(count, np.uint32)
        self._slip_ns = np.zeros(count, np.int64)
        self._other_session = np.zeros(count, np.bool_)
        self._ended: deque[Ended] = deque()
        self._shown_second = 0
        self._shown = 0
        self.losses = 0
        self.late = 0

    def sent(self, slots: slice | Slots, revolution: int, s_ns: int, late_ns: NDArray[np.int64]) -> None:
        """Note that attempt `revolution` of `slots` was sent at `s_ns`, each `late_ns` after it was due (or before)."""
        self.last_sent[slots] = revolution
        self._slip_ns[slots] = np.maximum(self._slip_ns[slots], np.abs(late_ns))
        first = self._first_lost[slots]
        begins = first == 0
        first[begins] = revolution
        instants = self._s_first_ns[slots]
        instants[begins] = s_ns
        if not isinstance(slots, slice):
            self._first_lost[slots] = first
            self._s_first_ns[slots] = instants

    def unsent(self, slots: slice | Slots, revolution: int) -> None:
        """Note that `slots` had nothing to send at their turn: no session is open, and none may be opened yet."""
        self._hole(slots, revolution)
        self._unsent[slots] += 1

    def skipped(self, slots: slice | Slots, revolution: int, slip_ns: int) -> None:
        """Note that the turn of `slots` was left out because the probe itself was late by `slip_ns`."""
        self._hole(slots, revolution)
        self._skipped[slots] += 1
        self._slip_ns[slots] = np.maximum(self._slip_ns[slots], slip_ns)

    def _hole(self, slots: slice | Slots, revolution: int) -> None:
        goes_on = self._hole_high[slots] == revolution - 1
        self._hole_low[slots] = np.where(goes_on, self._hole_low[slots], revolution)
        self._hole_high[slots] = revolution

    def session_changed(self, slot: int) -> None:
        """Note that the session in this slot ended: a gap over this instant was not survived."""
        self._other_session[slot] = True

    def answered(self, slots: Slots, revolutions: Slots, s_ns: Slots, r_ns: Slots) -> NDArray[np.bool_]:
        """Note the answers to attempts of `slots`, each slot at most once; outages that end come out of `ended`.

        Return which were news: the first answer to an attempt that was sent, and to none before the last answered.
        """
        before = self.answered_revolution[slots]
        fresh = (revolutions > before) & (s_ns >= 0) & (revolutions <= self.last_sent[slots])
        if not fresh.all():
            self.late += int(np.count_nonzero(revolutions < before))
            slots, revolutions, s_ns, r_ns = slots[fresh], revolutions[fresh], s_ns[fresh], r_ns[fresh]
            before = before[fresh]
        between = revolutions - before - 1
        known = before > 0
        if (between[known] > 0).any():
            self._close_gaps(slots, revolutions, s_ns, r_ns, np.flatnonzero(known & (between > 0)))
        if self._skipped[slots].any() or self._unsent[slots].any():
            self._forget_holes(slots, revolutions)
        pending = self.last_sent[slots] > revolutions
        self.answered_revolution[slots] = revolutions
        self._s_a_ns[slots] = s_ns
        self.received_ns[slots] = r_ns
        self._first_lost[slots] = np.where(pending, revolutions + 1, 0)
        if pending.any():
            self._next_pending(slots[pending], revolutions[pending] + 1)
        self._slip_ns[slots] = 0
        self.began[slots] = False
        self._other_session[slots] = False
        return fresh

    def _next_pending(self, slots: Slots, revolutions: Slots) -> None:
        """Find the first attempt that is under way yet: the one after `b`, or after the hole that follows it."""
        in_hole = (self._hole_low[slots] <= revolutions) & (revolutions <= self._hole_high[slots])
        revolutions = np.where(in_hole, self._hole_high[slots].astype(np.int64) + 1, revolutions)
        s_ns = self._turns.instants(slots, revolutions)
        # Only the last hole is kept; what an earlier one left out has no instant either.
        while (left_out := (s_ns < 0) & (revolutions < self.last_sent[slots])).any():
            revolutions = revolutions + left_out
            s_ns = self._turns.instants(slots, revolutions)
        self._first_lost[slots] = revolutions
        self._s_first_ns[slots] = s_ns

    def _after(self, slots: Slots, revolutions: Slots) -> tuple[Slots, Slots]:
        """Return how many of (unsent, skipped) turns lie after `revolutions`: those of the last hole."""
        beyond = self._hole_low[slots] > revolutions
        width = np.where(beyond, self._hole_high[slots].astype(np.int64) - self._hole_low[slots] + 1, 0)
        skipped = np.minimum(width, self._skipped[slots])
        return width - skipped, skipped

    def _forget_holes(self, slots: Slots, revolutions: Slots) -> None:
        unsent, skipped = self._after(slots, revolutions)
        self._unsent[slots] = unsent
        self._skipped[slots] = skipped

    def _close_gaps(self, slots: Slots, revolutions: Slots, s_ns: Slots, r_ns: Slots, which: Slots) -> None:
        """Count the losses of the gaps that end, and keep what makes an outage of those that are long enough."""
        mine, b = slots[which], revolutions[which]
        unsent_after, skipped_after = self._after(mine, b)
        skipped = self._skipped[mine] - skipped_after
        lost = b - self.answered_revolution[mine] - 1 - (self._unsent[mine] - unsent_after) - skipped
        np.maximum(lost, 0, out=lost)
        self.losses += int(lost.sum())
        for at in np.flatnonzero(np.maximum(lost, skipped) >= LOSSES_IN_A_ROW):
            slot, row = int(mine[at]), which[at]
            before = self._before(slot, int(b[at]))
            previous = self._turns.instant(slot, before)
            first = int(self._first_lost[slot])
            s_a1_ns = int(self._s_first_ns[slot]) if first else int(s_ns[row])
            gap = Gap(
                s_a_ns=int(self._s_a_ns[slot]),
                r_a_ns=int(self.received_ns[slot]),
                s_a1_ns=s_a1_ns,
                s_b1_ns=previous if previous >= 0 else s_a1_ns,
                s_b_ns=int(s_ns[row]),
                r_b_ns=int(r_ns[row]),
                lost=int(lost[at]),
                skipped=int(skipped[at]),
                slip_ns=int(self._slip_ns[slot]),
                same_session=not self._other_session[slot],
                stamp_error_ns=max(self._turns.uncertainty(slot, first), self._turns.uncertainty(slot, before)),
            )
            self._ended.append(Ended(slot, int(self.answered_revolution[slot]), int(b[at]), gap))

    def _before(self, slot: int, revolution: int) -> int:
        """Return the attempt that was sent before."""
        before = revolution - 1
        if int(self._hole_low[slot]) <= before <= int(self._hole_high[slot]):
            before = int(self._hole_low[slot]) - 1
        return before

    @property
    def waiting(self) -> int:
        """How many ended outages are not yet records."""
        return len(self._ended)

    def ended(self, most: int) -> list[tuple[int, list[Record]]]:
        """Return up to `most` ended outages as (slot, records)."""
        return [self._records(self._ended.popleft()) for _ in range(min(most, len(self._ended)))]

    def _records(self, ended: Ended) -> tuple[int, list[Record]]:
        gap = ended.gap
        record = outage_ended(gap, self._vantage, ended.slot, Clock.DATA_PLANE, self._turns.period_ns)
        second = gap.r_b_ns // 1_000_000_000
        if second != self._shown_second:
            self._shown_second, self._shown = second, 0
        self._shown += 1
        if self._shown > HEARTBEATS_A_SECOND:
            return ended.slot, [record]
        first = range(ended.a + 1, min(ended.a + 1 + SHOWN_EACH_END, ended.b))
        last = range(max(first.stop, ended.b - SHOWN_EACH_END), ended.b)
        revolutions = np.array([*first, *last], np.int64)
        instants = self._turns.instants(np.full(len(revolutions), ended.slot), revolutions)
        around = {s_ns: 0 for s_ns in instants.tolist() if s_ns >= 0}
        around |= {gap.s_a_ns: gap.r_a_ns, gap.s_b_ns: gap.r_b_ns}
        shown = Heartbeats(gap.r_b_ns, self._vantage, ended.slot, tuple(sorted(around.items())))
        return ended.slot, [record, shown]

    def check(self, now_ns: int) -> list[OutageBegan]:
        """Return the outages that have begun: three attempts overdue; each gap once."""
        holes = self._unsent.astype(np.int64) + self._skipped
        third_ns = self._s_first_ns + (LOSSES_IN_A_ROW - 1 + holes) * self._turns.period_ns
        sent = self.last_sent - self._first_lost + 1 - holes
        overdue = (self._first_lost > 0) & ~self.began & (self.answered_revolution > 0)
        overdue &= (now_ns - third_ns >= self._overdue_ns) & (sent >= LOSSES_IN_A_ROW)
        found = np.flatnonzero(overdue)
        self.began[found] = True
        return [
            OutageBegan(now_ns, self._vantage, int(slot), Clock.DATA_PLANE, int(self._s_a_ns[slot])) for slot in found
        ]
