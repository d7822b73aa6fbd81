"""Outages of many slots at once: the same facts as core.outage.Tracker's, kept in arrays and updated by batches."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from core.outage import LOSSES_IN_A_ROW, OVERDUE_NS, SHOWN_EACH_END, outage_ended
from core.records import Clock, Heartbeats, OutageBegan, Record
from probe.ring.ended import Closed, Ended, Pending
from probe.ring.turns import Turns

Slots = NDArray[np.int64]
Bits = NDArray[np.uint64]
_BITS = 64
_ONE = np.uint64(1)
_LAST = np.uint64(63)
HEARTBEATS_A_SECOND = 200
"""Of so many outages a second the heartbeats are kept one by one; of the others their bounds."""


@dataclass(frozen=True, slots=True)
class _Counts:
    """Up to an answered attempt, by slot: all attempts ever, and turns skipped since the one answered before."""

    attempts: Slots
    skipped: NDArray[np.uint32]


class Gaps:
    """Follows the attempts of `turns.slots` slots of one vantage.

    An attempt's number is its revolution. Of each turn of a slot exactly one of `sent`, `unsent` and `skipped` is
    told, in order; `answered` of any slots, each once a call. `losses` counts attempts that went unanswered outside
    outages too, `late` answers that came after a later attempt's; `pending` holds what ended until it is told.

    Of the last 64 turns of a slot it is kept which were sent, so an answer that comes by so many turns late still
    finds its place among them; of turns still older all count as sent.
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
        self._turned = np.zeros(count, np.uint32)
        self._turns_sent = np.zeros(count, np.uint64)  # bit k: whether turn `_turned - k` was an attempt
        self._turns_skipped = np.zeros(count, np.uint64)
        self._attempts = np.zeros(count, np.uint32)
        self._attempts_answered = np.zeros(count, np.uint32)  # how many were sent up to the last answered
        self._skipped = np.zeros(count, np.uint32)
        self._slip_ns = np.zeros(count, np.int64)
        self._other_session = np.zeros(count, np.bool_)
        self.pending = Pending(count)
        self._shown_second = 0
        self._shown = 0
        self.losses = 0
        self.late = 0

    def sent(self, slots: slice | Slots, revolution: int, s_ns: int, late_ns: NDArray[np.int64]) -> None:
        """Note that attempt `revolution` of `slots` was sent at `s_ns`, each `late_ns` after it was due (or before)."""
        self._turn(slots, revolution)
        self._turns_sent[slots] |= _ONE
        self._attempts[slots] += 1
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
        self._turn(slots, revolution)

    def skipped(self, slots: slice | Slots, revolution: int, slip_ns: int) -> None:
        """Note that the turn of `slots` was left out because the probe itself was late by `slip_ns`."""
        self._turn(slots, revolution)
        self._turns_skipped[slots] |= _ONE
        self._skipped[slots] += 1
        self._slip_ns[slots] = np.maximum(self._slip_ns[slots], slip_ns)

    def _turn(self, slots: slice | Slots, revolution: int) -> None:
        self._turned[slots] = revolution
        self._turns_sent[slots] <<= _ONE
        self._turns_skipped[slots] <<= _ONE

    def session_changed(self, slot: int) -> None:
        """Note that the session in this slot ended: a gap over this instant was not survived."""
        self._other_session[slot] = True

    def answered(self, slots: Slots, revolutions: Slots, s_ns: Slots, r_ns: Slots) -> NDArray[np.bool_]:
        """Note the answers to attempts of `slots`, each slot at most once; outages that end come out of `ended`.

        Return which were news: the first answer to an attempt that was sent, and to none before the last answered.
        """
        before = self.answered_revolution[slots]
        behind = self._turned[slots].astype(np.int64) - revolutions
        turns_sent = self._turns_sent[slots]
        was_sent = (turns_sent >> np.minimum(np.maximum(behind, 0), _BITS - 1).astype(np.uint64) & _ONE).astype(
            np.bool_
        )
        fresh: NDArray[np.bool_] = (revolutions > before) & (s_ns >= 0) & (behind >= 0) & (was_sent | (behind >= _BITS))
        if not fresh.all():
            self.late += int(np.count_nonzero(revolutions < before))
            slots, revolutions, s_ns, r_ns = slots[fresh], revolutions[fresh], s_ns[fresh], r_ns[fresh]
            before, behind, turns_sent = before[fresh], behind[fresh], turns_sent[fresh]
        if behind.any():
            later = _later(turns_sent, behind)
            after = np.bitwise_count(later) + np.maximum(behind - _BITS, 0)
            skipped_later = np.bitwise_count(_later(self._turns_skipped[slots], behind))
        else:
            later = np.zeros(0, np.uint64)
            after = skipped_later = np.zeros(len(slots), np.uint8)
        attempts = self._attempts[slots] - after
        # What was told to have begun is told to have ended, also where its attempts were answered after all.
        gaps = np.flatnonzero((before > 0) & ((revolutions - before > 1) | self.began[slots]))
        if len(gaps):
            counts = _Counts(attempts[gaps], (self._skipped[slots] - skipped_later)[gaps])
            self._close_gaps(slots[gaps], revolutions[gaps], s_ns[gaps], r_ns[gaps], counts)
        self.answered_revolution[slots] = revolutions
        self._attempts_answered[slots] = attempts
        self._s_a_ns[slots] = s_ns
        self.received_ns[slots] = r_ns
        self._skipped[slots] = skipped_later
        self._slip_ns[slots] = 0
        self.began[slots] = False
        self._other_session[slots] = False
        self._first_lost[slots] = 0
        waiting = after > 0
        if waiting.any():
            self._next_pending(slots[waiting], later[waiting], behind[waiting])
        return fresh

    def _next_pending(self, slots: Slots, later: Bits, behind: Slots) -> None:
        """Find the oldest attempt that is under way yet: the one after the answered one."""
        turns_ago = np.where(behind > _BITS, behind - 1, _highest(later))
        first = self._turned[slots].astype(np.int64) - turns_ago
        s_ns = self._turns.instants(slots, first)
        # Too old to be known: a later instant only makes what is reported for sure shorter.
        known = np.where(s_ns >= 0, s_ns, self._turns.instants(slots, self.last_sent[slots]))
        self._first_lost[slots] = first
        self._s_first_ns[slots] = known

    def _close_gaps(self, slots: Slots, b: Slots, s_ns: Slots, r_ns: Slots, counts: _Counts) -> None:
        """Count the losses of the gaps that end, and keep what makes an outage of those that are long enough."""
        lost = np.maximum(counts.attempts - self._attempts_answered[slots] - 1, 0)
        skipped = counts.skipped
        self.losses += int(lost.sum())
        rows = (np.maximum(lost, skipped) >= LOSSES_IN_A_ROW) | self.began[slots]
        if rows.any():
            slots, b, s_ns, r_ns = slots[rows], b[rows], s_ns[rows], r_ns[rows]
            self.pending.add(self._closed(slots, b, s_ns, r_ns, lost[rows], skipped[rows].astype(np.int64)))

    def _closed(self, slots: Slots, b: Slots, s_ns: Slots, r_ns: Slots, lost: Slots, skipped: Slots) -> Closed:
        """Return the facts of gaps that are outages, or were not the path's."""
        before = self._before(slots, b)
        previous = self._turns.instants(slots, before)
        first = self._first_lost[slots]
        s_a1_ns = np.where(first > 0, self._s_first_ns[slots], s_ns)
        errors = np.maximum(self._turns.uncertainty(slots, first), self._turns.uncertainty(slots, before))
        return Closed(
            slots=slots,
            a=self.answered_revolution[slots],
            b=b,
            s_a_ns=self._s_a_ns[slots],
            r_a_ns=self.received_ns[slots],
            s_a1_ns=s_a1_ns,
            s_b1_ns=np.where(previous >= 0, previous, s_a1_ns),
            s_b_ns=s_ns,
            r_b_ns=r_ns,
            lost=lost,
            skipped=skipped,
            slip_ns=self._slip_ns[slots],
            stamp_error_ns=errors,
            same_session=~self._other_session[slots],
            began=self.began[slots],
        )

    def _before(self, slots: Slots, revolutions: Slots) -> Slots:
        """Return the attempts that were sent before `revolutions`; 0 where it is too long ago to be known."""
        turns_ago = self._turned[slots].astype(np.int64) - revolutions + 1
        earlier = np.where(turns_ago < _BITS, self._turns_sent[slots] >> np.minimum(turns_ago, 63).view(np.uint64), 0)
        lowest = np.bitwise_count((earlier & (~earlier + _ONE)) - _ONE).astype(np.int64)
        return np.where(earlier > 0, revolutions - lowest - 1, 0)

    def ended(self, most: int) -> list[tuple[int, list[Record]]]:
        """Return up to `most` ended outages as (slot, records)."""
        return [self._records(ended) for ended in self.pending.take(most)]

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
        sent = self._attempts - self._attempts_answered.astype(np.int64)
        overdue = (self._first_lost > 0) & ~self.began & (self.answered_revolution > 0)
        overdue &= (now_ns - self._s_first_ns >= self._overdue_ns) & (sent >= LOSSES_IN_A_ROW)
        found = np.flatnonzero(overdue)
        if len(found):
            found = found[now_ns - self._third_ns(found) >= self._overdue_ns]
        self.began[found] = True
        return [
            OutageBegan(now_ns, self._vantage, int(slot), Clock.DATA_PLANE, int(self._s_a_ns[slot])) for slot in found
        ]

    def _third_ns(self, slots: Slots) -> Slots:
        """Return when the third unanswered attempt of each was sent: of the last 64 turns it is known which were."""
        turned, first = self._turned[slots].astype(np.int64), self._first_lost[slots]
        pending = _later(self._turns_sent[slots], turned - first + 1)
        for _ in range(LOSSES_IN_A_ROW - 1):
            pending &= ~(_ONE << _highest(pending).view(np.uint64))
        third_ns = self._turns.instants(slots, turned - _highest(pending))
        # Where the first is older than that the third is so as well.
        return np.where((turned - first < _BITS) & (third_ns >= 0), third_ns, self._s_first_ns[slots])


def _later(bits: Bits, behind: Slots) -> Bits:
    """Return of each 64 turns those that came after the one that lies `behind` the last."""
    kept = np.minimum(behind, _BITS - 1).view(np.uint64)
    return np.where(behind < _BITS, bits & ((_ONE << kept) - _ONE), bits)


def _highest(bits: Bits) -> Slots:
    """Return the number of the highest bit that is set."""
    for width in (1, 2, 4, 8, 16, 32):
        bits = bits | bits >> np.uint64(width)
    return np.bitwise_count(bits).astype(np.int64) - 1
