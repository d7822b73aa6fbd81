"""The truth of a packet capture against the intervals that the probe reported. Pure: packets as values come in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.outage import Interval, interval
from core.records import Clock, OutageEnded


@dataclass(frozen=True, slots=True)
class Comparison:
    """One reported outage and the gap between answers that the capture shows there (None: the capture shows none)."""

    vantage: str
    slot: int
    clock: Clock
    bounds: Interval
    captured_ns: int | None

    @property
    def inside(self) -> bool:
        """Whether the capture's gap lies inside the interval."""
        return self.captured_ns is not None and self.bounds.lower_ns <= self.captured_ns <= self.bounds.upper_ns


def compare(
    outages: Sequence[OutageEnded], answers: Mapping[int, Sequence[int]], ports: Mapping[int, Sequence[int]]
) -> tuple[Comparison, ...]:
    """Compare data-plane outages of one vantage with its capture.

    `answers` are the instants (monotonic ns, sorted) of captured answers by local port, a reset being none;
    `ports` the local ports that each slot used. The gap is the longest between two neighbouring answers around
    the outage, taken from the capture's own stamps.
    """
    found = []
    for outage in outages:
        if outage.clock is not Clock.DATA_PLANE or outage.self_inflicted:
            continue
        instants = sorted(t_ns for port in ports.get(outage.slot, ()) for t_ns in answers.get(port, ()))
        found.append(Comparison(outage.vantage, outage.slot, outage.clock, interval(outage), _gap(instants, outage)))
    return tuple(found)


def _gap(instants: Sequence[int], outage: OutageEnded) -> int | None:
    """Return the longest gap of `instants` that overlaps the outage."""
    first = max(0, bisect_right(instants, outage.s_a_ns) - 1)
    last = min(len(instants), bisect_left(instants, outage.r_b_ns) + 2)
    around = instants[first:last]
    gaps = [later - earlier for earlier, later in pairwise(around) if earlier < outage.s_b_ns and later > outage.s_a_ns]
    return max(gaps, default=None)
