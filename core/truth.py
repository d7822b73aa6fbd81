"""The truth of a packet capture against the intervals that the probe reported. Pure: packets as values come in."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.capture_records import CaptureGap
from core.outage import Interval, interval
from core.records import Clock, OutageEnded, Record


@dataclass(frozen=True, slots=True)
class Comparison:
    """One reported outage and the gap between answers that the capture shows there (None: the capture shows none)."""

    vantage: str
    slot: int
    bounds: Interval
    captured_ns: int | None

    @property
    def inside(self) -> bool:
        """Whether the capture's gap lies inside the interval."""
        return self.captured_ns is not None and self.bounds.lower_ns <= self.captured_ns <= self.bounds.upper_ns


def captured(
    outages: Sequence[OutageEnded], answers: Mapping[int, Sequence[int]], ports: Mapping[int, Sequence[int]]
) -> list[CaptureGap]:
    """Return what the capture of one vantage shows at each of its data-plane outages, self-inflicted ones left out.

    `answers` are the instants (monotonic ns) of captured answers by local port, a reset being none;
    `ports` the local ports that each slot used. The gap is that between two neighbouring answers which shares
    most time with the outage, taken from the capture's own stamps.
    """
    found = []
    for outage in outages:
        if _counts(outage):
            instants = sorted(t_ns for port in ports.get(outage.slot, ()) for t_ns in answers.get(port, ()))
            gap_ns = _gap(instants, outage)
            found.append(
                CaptureGap(outage.t_ns, outage.vantage, outage.slot, outage.s_a_ns, -1 if gap_ns is None else gap_ns)
            )
    return found


def compare(records: Sequence[Record]) -> tuple[Comparison, ...]:
    """Return each outage that a capture was read for beside what the capture shows."""
    gaps = {(gap.vantage, gap.slot, gap.s_a_ns): gap.captured_ns for gap in records if isinstance(gap, CaptureGap)}
    return tuple(
        Comparison(outage.vantage, outage.slot, interval(outage), None if gap_ns < 0 else gap_ns)
        for outage in records
        if isinstance(outage, OutageEnded) and _counts(outage)
        for gap_ns in [gaps.get((outage.vantage, outage.slot, outage.s_a_ns))]
        if gap_ns is not None
    )


def _counts(outage: OutageEnded) -> bool:
    return outage.clock is Clock.DATA_PLANE and not outage.self_inflicted


def _gap(instants: Sequence[int], outage: OutageEnded) -> int | None:
    """Return the gap of `instants` that shares most time with the outage.

    Not the longest nearby: the answer that ends one outage may be the last before the next.
    """
    first = max(0, bisect_right(instants, outage.s_a_ns) - 1)
    last = min(len(instants), bisect_left(instants, outage.r_b_ns) + 2)
    # Answers that were held back on the way come together with later ones: the gap is then the one before them.
    begin_ns, end_ns = (outage.r_a_ns, outage.s_b_ns)
    if end_ns <= begin_ns:
        begin_ns, end_ns = outage.s_a_ns, outage.r_b_ns
    shared = [
        (min(later, end_ns) - max(earlier, begin_ns), later - earlier)
        for earlier, later in pairwise(instants[first:last])
    ]
    common_ns, gap_ns = max(shared, default=(0, 0))
    return gap_ns if common_ns > 0 else None
