"""Gaps that have ended and are not yet records: arrays, of which a few become records at a tick. Bounded.

When ten thousand sessions lose the path together, their gaps end together, and to make records of them at once would
be the next gap. And when the probe itself was late for all of them, nothing is learnt from the ten thousandth.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from core.outage import LOSSES_IN_A_ROW, Gap

Numbers = NDArray[np.int64]
OWN_A_SECOND = 200
"""So many gaps of the probe's own making are told one by one in a second; of the others there is a count."""
LEAST_ROOM = 1 << 16


@dataclass(frozen=True, slots=True)
class Closed:
    """Gaps that ended, a column for each fact: see `Gap`. `a` and `b` are the answered attempts at either end.

    `began`: it was told that an outage had begun.
    """

    slots: Numbers
    a: Numbers
    b: Numbers
    s_a_ns: Numbers
    r_a_ns: Numbers
    s_a1_ns: Numbers
    s_b1_ns: Numbers
    s_b_ns: Numbers
    r_b_ns: Numbers
    lost: Numbers
    skipped: Numbers
    slip_ns: Numbers
    stamp_error_ns: Numbers
    same_session: NDArray[np.bool_]
    began: NDArray[np.bool_]

    def only(self, rows: NDArray[np.bool_]) -> Closed:
        """Return some of them."""
        return Closed(*(getattr(self, field.name)[rows] for field in fields(self)))

    def one(self, row: int) -> Ended:
        """Return one of them."""
        gap = Gap(
            s_a_ns=int(self.s_a_ns[row]),
            r_a_ns=int(self.r_a_ns[row]),
            s_a1_ns=int(self.s_a1_ns[row]),
            s_b1_ns=int(self.s_b1_ns[row]),
            s_b_ns=int(self.s_b_ns[row]),
            r_b_ns=int(self.r_b_ns[row]),
            lost=int(self.lost[row]),
            skipped=int(self.skipped[row]),
            slip_ns=int(self.slip_ns[row]),
            same_session=bool(self.same_session[row]),
            stamp_error_ns=int(self.stamp_error_ns[row]),
        )
        return Ended(int(self.slots[row]), int(self.a[row]), int(self.b[row]), gap)


@dataclass(frozen=True, slots=True)
class Ended:
    """A gap that has ended at one slot, not yet a record."""

    slot: int
    a: int
    b: int
    gap: Gap


class Pending:
    """What waits to be told, first come first told. What finds no room is counted: `untold`, and `untold_own`."""

    def __init__(self, slots: int) -> None:
        self._most = max(LEAST_ROOM, 4 * slots)
        self._batches: deque[tuple[Closed, int]] = deque()
        self._second = 0
        self._own = 0
        self.waiting = 0
        self.untold = 0
        self.untold_own = 0

    def add(self, closed: Closed) -> None:
        """Keep gaps of at least one slot; of those that the probe itself made, as many as are told in a second."""
        own = (closed.lost < LOSSES_IN_A_ROW) & ~closed.began
        second = int(closed.r_b_ns[0]) // 1_000_000_000
        if second > self._second:
            self._second, self._own = second, 0
        told = own & (np.cumsum(own) <= OWN_A_SECOND - self._own)
        self._own += int(told.sum())
        self.untold_own += int((own & ~told).sum())
        kept = closed.only(told | ~own)
        room = self._most - self.waiting
        if len(kept.slots) > room:
            self.untold += len(kept.slots) - room
            kept = kept.only(np.arange(len(kept.slots)) < room)
        if len(kept.slots):
            self._batches.append((kept, 0))
            self.waiting += len(kept.slots)

    def take(self, most: int) -> list[Ended]:
        """Return up to `most` of them."""
        found: list[Ended] = []
        while self._batches and len(found) < most:
            closed, first = self._batches.popleft()
            end = min(first + most - len(found), len(closed.slots))
            found += [closed.one(row) for row in range(first, end)]
            if end < len(closed.slots):
                self._batches.appendleft((closed, end))
        self.waiting -= len(found)
        return found
