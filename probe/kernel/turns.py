"""When each slot's turn is, and when a closed one may be opened. Pure; time is handed in."""

from __future__ import annotations

import heapq
from collections.abc import Iterator

OPENS_A_SECOND = 2_000
SECURE_OPENS_A_SECOND = 200
"""A handshake of TLS costs a thousand times what a heartbeat does; others wait meanwhile."""
AT_ONCE_S = 0.02


class Turns:
    """The turns of `count` slots, each once a period, spread evenly over it, from `start_ns` on."""

    def __init__(self, start_ns: int, period_ns: int, count: int) -> None:
        self._start_ns = start_ns
        self._period_ns = period_ns
        self._count = count
        self._turn = 0
        self.skipped = 0

    def next_ns(self) -> int:
        """Return when the next turn is due."""
        return self._start_ns + self._turn * self._period_ns // self._count

    def due(self, now_ns: int) -> Iterator[tuple[int, int]]:
        """Yield slot and instant of each turn that is due; those more than a period back are left out, and counted."""
        last = (now_ns - self._start_ns) * self._count // self._period_ns
        missed = last - self._turn + 1 - self._count
        if missed > 0:
            self.skipped += missed
            self._turn += missed
        while self._turn <= last:
            found = self._turn % self._count, self.next_ns()
            self._turn += 1
            yield found


class Openings:
    """Slots that wait for a session, given out at most `rate` a second."""

    def __init__(self, now_ns: int, count: int, rate: int) -> None:
        self._waiting = [(now_ns, slot) for slot in range(count)]
        self._rate = rate
        self._allowed = 0.0
        self._last_ns = now_ns

    def again(self, slot: int, from_ns: int) -> None:
        """Let a slot wait until `from_ns` at least."""
        heapq.heappush(self._waiting, (from_ns, slot))

    def due(self, now_ns: int) -> list[int]:
        """Return the slots that may be opened now."""
        earned = (now_ns - self._last_ns) * self._rate / 1e9
        self._allowed = min(self._allowed + earned, self._rate * AT_ONCE_S)
        self._last_ns = now_ns
        found = []
        while self._waiting and self._waiting[0][0] <= now_ns and self._allowed >= 1:
            self._allowed -= 1
            found.append(heapq.heappop(self._waiting)[1])
        return found
