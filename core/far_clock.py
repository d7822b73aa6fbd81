"""How the monotonic clock of another machine stands to ours, from questions and answers; an offset with its bound.

The sample with the shortest way there and back tells best (RFC 5905, section 10: the clock filter); clocks drift, so
the bound of a sample grows with its age.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

DRIFT_PPM = 100
"""So far apart two oscillators may run, in millionths: twice what RFC 5905 takes for one (15 ppm), with a margin."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One question: sent and answered on our clock, received and answered on the far one; ns."""

    sent_ns: int
    far_received_ns: int
    far_answered_ns: int
    got_ns: int

    @property
    def offset_ns(self) -> int:
        """The far clock minus ours, if both ways took equally long."""
        return ((self.far_received_ns - self.sent_ns) + (self.far_answered_ns - self.got_ns)) // 2

    def bound_ns(self, now_ns: int) -> int:
        """How wrong `offset_ns` can be at `now_ns`, however the time was shared out between the two ways."""
        both_ns = (self.got_ns - self.sent_ns) - (self.far_answered_ns - self.far_received_ns)
        return max(0, both_ns) // 2 + 1 + abs(now_ns - self.got_ns) * DRIFT_PPM // 1_000_000


def best(samples: Iterable[Sample], now_ns: int) -> Sample | None:
    """Return the sample with the smallest bound at `now_ns`; None of none."""
    return min(samples, key=lambda sample: sample.bound_ns(now_ns), default=None)
