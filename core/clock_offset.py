"""How far another clock is from one's own, by exchanges of a question and an answer. Pure.

RFC 5905 (NTP) section 8: with t1 the question's sending, t2 its receipt, t3 the answer's sending and t4 its receipt,
the offset is within half the round trip (less the time at the far end) of ((t2 - t1) + (t3 - t4)) / 2, however the
round trip is parted between there and back. Its clock filter (section 10) takes the sample of the least delay; so does
this.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field

DRIFT = 100e-6
"""Two clocks differ in rate by no more: twice the 50 ppm that a plain quartz is sold by."""
KEPT = 64
WIDE_NS = 50_000_000
"""An offset whose bound is wider is shown as such."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its answer: t1 and t4 by the own clock, t2 and t3 by the other, in ns."""

    t1_ns: int
    t2_ns: int
    t3_ns: int
    t4_ns: int


@dataclass(frozen=True, slots=True)
class Offset:
    """The other clock minus the own one is within `bound_ns` of `offset_ns`, at the own instant `at_ns`."""

    offset_ns: int
    bound_ns: int
    at_ns: int

    def bound_at(self, t_ns: int) -> int:
        """Return the bound for another instant of the own clock: wider, the farther away."""
        return self.bound_ns + round(abs(t_ns - self.at_ns) * DRIFT)


def measured(exchange: Exchange) -> Offset | None:
    """Return what one exchange tells; None where its instants are in no possible order."""
    delay_ns = (exchange.t4_ns - exchange.t1_ns) - (exchange.t3_ns - exchange.t2_ns)
    if exchange.t4_ns < exchange.t1_ns or exchange.t3_ns < exchange.t2_ns or delay_ns < 0:
        return None
    twice_ns = (exchange.t2_ns - exchange.t1_ns) + (exchange.t3_ns - exchange.t4_ns)
    return Offset(twice_ns // 2, -(-delay_ns // 2) + 1, (exchange.t1_ns + exchange.t4_ns) // 2)


def best(offsets: Iterable[Offset], now_ns: int) -> Offset | None:
    """Return the offset that is bounded most narrowly at `now_ns`, with its bound there; None where there is none."""
    found = min(offsets, key=lambda offset: offset.bound_at(now_ns), default=None)
    return None if found is None else Offset(found.offset_ns, found.bound_at(now_ns), now_ns)


@dataclass
class ClockFilter:
    """The last exchanges with one other clock; another clock (`clock`) begins anew."""

    clock: str = ""
    _kept: deque[Offset] = field(default_factory=lambda: deque(maxlen=KEPT))

    def take(self, clock: str, exchange: Exchange) -> None:
        """Take in one exchange."""
        if clock != self.clock:
            self.clock = clock
            self._kept.clear()
        found = measured(exchange)
        if found is not None:
            self._kept.append(found)

    def best(self, now_ns: int) -> Offset | None:
        """See `best`."""
        return best(self._kept, now_ns)
