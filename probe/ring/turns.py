"""Whose turn it is and when it was: every slot once a period, evenly spread, and the send instants of what was sent.

Slot k of n has turn r * n + k of revolution r at start + (r * n + k) * period / n. The revolution is the number of
the attempt, so an answer that echoes it names its send instant without a word of state for each session.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Instants = NDArray[np.int64]
KEPT_TICKS = 1 << 16
LONGEST_TICK_NS = 5_000_000
SHORTEST_TICK_NS = 1_000_000
LARGEST_BATCH = 2_000


def ticks(sessions: int, period_ns: int) -> int:
    """Return how many ticks a period has: at least two, batches of at most 2000, each 1 to 5 ms as far as may be."""
    by_batch = LARGEST_BATCH * period_ns // sessions
    wanted_ns = max(SHORTEST_TICK_NS, min(LONGEST_TICK_NS, period_ns // 2, by_batch))
    return -(-period_ns // wanted_ns)


@dataclass(frozen=True, slots=True)
class Due:
    """Slots [low, high) whose turn of revolution `revolution` came; slot `low` was due at `due_ns`."""

    low: int
    high: int
    revolution: int
    due_ns: int


class Turns:
    """The round of `slots` slots. Revolutions count from 1; instants are CLOCK_MONOTONIC in ns.

    `take` gives what is due, `sent` notes when it went; `instants` finds it again for the last 65536 ticks at least.
    With `ticks` a period, turns are taken by whole shares: a share goes at the tick that is nearest to it, so that a
    heartbeat is early as often as it is late, and a tick has one batch. Without, each turn is taken when it is due.
    """

    def __init__(self, start_ns: int, period_ns: int, slots: int, ticks: int = 0) -> None:
        self._ticks = ticks
        self.start_ns = start_ns
        self.period_ns = period_ns
        self.slots = slots
        self._next = 0
        self._firsts = np.zeros(2 * KEPT_TICKS, np.int64)
        self._ends = np.zeros(2 * KEPT_TICKS, np.int64)
        self._sent_ns = np.zeros(2 * KEPT_TICKS, np.int64)
        self._took_ns = np.zeros(2 * KEPT_TICKS, np.int64)
        self._low = self._high = 0

    def take(self, now_ns: int) -> tuple[list[Due], list[Due]]:
        """Return (skipped, due) turns up to `now_ns`: what is late by more than a period is skipped, not made up."""
        end = self._end(now_ns - self.start_ns)
        first, self._next = self._next, max(end, self._next)
        begin = max(first, end - self.slots)
        skipped = list(self._pieces(first, begin))
        self._first = begin
        return skipped, list(self._pieces(begin, end))

    def _end(self, passed_ns: int) -> int:
        if not self._ticks:
            return passed_ns * self.slots // self.period_ns + 1
        # Half a tick before a share is over it is nearest.
        shares = (2 * passed_ns * self._ticks + self.period_ns) // (2 * self.period_ns)
        revolution, share = divmod(shares, self._ticks)
        return revolution * self.slots + self.slots * share // self._ticks

    def _pieces(self, first: int, end: int) -> Iterator[Due]:
        while first < end:
            revolution, low = divmod(first, self.slots)
            count = min(self.slots - low, end - first)
            due_ns = self.start_ns + first * self.period_ns // self.slots
            yield Due(low, low + count, revolution + 1, due_ns)
            first += count

    def sent(self, s_ns: int) -> None:
        """Note that the turns taken last were sent at `s_ns`."""
        if self._high == len(self._firsts):
            kept = slice(self._high - KEPT_TICKS, self._high)
            for column in (self._firsts, self._ends, self._sent_ns, self._took_ns):
                column[:KEPT_TICKS] = column[kept]
            self._low, self._high = 0, KEPT_TICKS
        self._firsts[self._high] = self._first
        self._ends[self._high] = self._next
        self._sent_ns[self._high] = s_ns
        self._took_ns[self._high] = 0
        self._high += 1

    def took(self, took_ns: int) -> None:
        """Note how long the kernel took to send what was sent last: by so much the instant may be early."""
        self._took_ns[self._high - 1] = took_ns

    def instants(self, slots: NDArray[np.int64], revolutions: NDArray[np.int64]) -> Instants:
        """Return the send instants of the slots' turns; -1 for a turn that was skipped, is to come, or is too old."""
        at, unknown = self._find(slots, revolutions)
        found = self._sent_ns[at]
        found[unknown] = -1
        return found

    def _find(self, slots: NDArray[np.int64], revolutions: NDArray[np.int64]) -> tuple[Instants, NDArray[np.bool_]]:
        turns = (revolutions - 1) * self.slots + slots
        at = np.searchsorted(self._firsts[self._low : self._high], turns, "right") - 1 + self._low
        return at, (at < self._low) | (turns >= self._ends[at])

    def uncertainty(self, slots: NDArray[np.int64], revolutions: NDArray[np.int64]) -> Instants:
        """Return how much later than their instants the turns may have been sent, in ns; 0 where it is not known."""
        at, unknown = self._find(slots, revolutions)
        found = self._took_ns[at]
        found[unknown] = 0
        return found
