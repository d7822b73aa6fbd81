"""Packets that found the probe's receive ring full, and which gaps in answers they may be. Pure.

A gap over such a loss may be an outage or answers that came and were thrown away: nobody can tell, so it is unknown.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from core.records import Clock, OutageEnded, ProbeHealth


@dataclass(frozen=True, slots=True)
class Loss:
    """`packets` were lost somewhere in (from_ns, until_ns]."""

    from_ns: int
    until_ns: int
    packets: int


def losses(health: Sequence[ProbeHealth]) -> tuple[Loss, ...]:
    """Return when packets were lost; `health`: the records of one vantage in order, each of the time since the last."""
    since_ns = [0, *(record.t_ns for record in health)]
    return tuple(
        Loss(from_ns, until_ns, record.ring_dropped)
        for record, (from_ns, until_ns) in zip(health, pairwise(since_ns), strict=True)
        if record.ring_dropped
    )


def gaps(outages: Iterable[OutageEnded], silent_since_ns: Iterable[int], until_ns: int) -> list[tuple[int, int]]:
    """Return the gaps between answers that the ring had to bring: of outages that count, and of slots silent yet."""
    ended = [
        (outage.r_a_ns, outage.r_b_ns)
        for outage in outages
        if outage.clock is not Clock.HELD_KERNEL and not outage.self_inflicted
    ]
    return ended + [(since_ns, until_ns) for since_ns in silent_since_ns]


def doubtful(found: Sequence[Loss], spans: Sequence[tuple[int, int]]) -> int:
    """Return how many packets were lost in seconds that share time with one of the spans."""
    return sum(
        loss.packets for loss in found if any(begin < loss.until_ns and loss.from_ns < end for begin, end in spans)
    )
