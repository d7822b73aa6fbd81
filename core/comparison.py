"""Whether failovers have become slower: two sets of trials, the shift between them and its interval. Pure."""

from __future__ import annotations

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from statistics import median

CONFIDENCE = 0.95
EXACT_TRIALS = 60
"""Up to so many on both sides the exact distribution is counted; its table grows with the product of the two."""
Z_95 = 1.959963984540054


class Speed(enum.StrEnum):
    """What is said of the newer trials."""

    SLOWER = "slower"
    SAME = "same"
    FASTER = "faster"
    NOT_ENOUGH = "not enough trials"


@dataclass(frozen=True, slots=True)
class Shift:
    """By how much the newer values lie above the older ones, with its confidence interval, in the values' unit.

    `median_*`: of each side; `estimate`: the median of all differences between a newer and an older value (J. L.
    Hodges, E. L. Lehmann, Estimates of Location Based on Rank Tests, Annals of Mathematical Statistics 34, 1963);
    `low`, `high`: its interval, None where so few trials allow none; `confidence`: what the interval really has.
    """

    older: int
    newer: int
    median_older: float
    median_newer: float
    estimate: float
    low: float | None
    high: float | None
    confidence: float


@cache
def _counts(older: int, newer: int) -> tuple[int, ...]:
    """Return in how many of all orders of two samples the Mann-Whitney statistic is 0, 1, 2, ...

    These are the coefficients of the Gaussian binomial: multiplied out one factor after another (H. B. Mann, D. R.
    Whitney, On a Test of Whether one of Two Random Variables is Stochastically Larger, 1947).
    """
    size = older * newer + 1
    counts = [1] + [0] * (size - 1)
    for each in range(1, older + 1):
        for at in range(size - 1, newer + each - 1, -1):
            counts[at] -= counts[at - newer - each]
        for at in range(each, size):
            counts[at] += counts[at - each]
    return tuple(counts)


def _rank(older: int, newer: int, confidence: float) -> tuple[int, float]:
    """Return which of the ordered differences, from either end, bound the shift, and with what confidence; 0: none."""
    if max(older, newer) > EXACT_TRIALS:
        spread = (older * newer * (older + newer + 1) / 12) ** 0.5
        return max(0, int(older * newer / 2 - Z_95 * spread)), CONFIDENCE
    counts = _counts(older, newer)
    total, below, rank = sum(counts), 0, 0
    while 1 - 2 * (below + counts[rank]) / total >= confidence:
        below += counts[rank]
        rank += 1
    return rank, 1 - 2 * below / total if rank else 0.0


def shift(older: Sequence[float], newer: Sequence[float]) -> Shift:
    """Return the shift between two sets of at least one trial each.

    The interval is distribution-free: it rests on the ranks alone, and holds the shift of two distributions of the
    same shape, whatever that is, with at least `CONFIDENCE` (D. F. Bauer, Constructing Confidence Sets Using Rank
    Statistics, Journal of the American Statistical Association 67, 1972). It takes 4 trials on both sides, or 3 and 5.
    Raises ValueError without any trial on one side.
    """
    if not older or not newer:
        raise ValueError("a shift needs trials on both sides")
    differences = sorted(new - old for new in newer for old in older)
    rank, confidence = _rank(len(older), len(newer), CONFIDENCE)
    return Shift(
        older=len(older),
        newer=len(newer),
        median_older=median(older),
        median_newer=median(newer),
        estimate=median(differences),
        low=differences[rank - 1] if rank else None,
        high=differences[-rank] if rank else None,
        confidence=confidence,
    )


def speed(found: Shift, limit: float | None) -> Speed:
    """Return what a shift says; `limit`: how much slower is still accepted, or None where nobody has said.

    Slower and faster: the whole interval lies on that side of 0. Where the limit lies inside the interval, more trials
    are needed to tell whether it is kept.
    """
    if found.low is None or found.high is None:
        return Speed.NOT_ENOUGH
    if limit is not None and found.low <= limit < found.high:
        return Speed.NOT_ENOUGH
    if found.low > 0:
        return Speed.SLOWER
    return Speed.FASTER if found.high < 0 else Speed.SAME


def beyond(found: Shift, limit: float | None) -> bool:
    """Whether the newer trials are slower by more than the limit that was stated."""
    return limit is not None and found.low is not None and found.low > limit
