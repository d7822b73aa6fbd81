"""The few formulas behind the figures: intervals of a proportion, quantiles, the interval of a median."""

from __future__ import annotations

import math
from collections.abc import Sequence

Z_95 = 1.959963984540054


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion (Wilson 1927); (0, 1) when nothing was tried."""
    if not trials:
        return 0.0, 1.0
    share = successes / trials
    spread = Z_95 * math.sqrt(share * (1 - share) / trials + Z_95**2 / (4 * trials**2))
    middle = share + Z_95**2 / (2 * trials)
    scale = 1 + Z_95**2 / trials
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def none_of(trials: int) -> float:
    """Return the upper 95 % bound of a rate of which none was seen in `trials` (rule of three)."""
    return min(1.0, 3 / trials) if trials else 1.0


def median(values: Sequence[float]) -> float:
    """Return the middle of at least one value, or the mean of the two in the middle."""
    ordered = sorted(values)
    half = len(ordered) // 2
    return ordered[half] if len(ordered) % 2 else (ordered[half - 1] + ordered[half]) / 2


def nearest_rank(values: Sequence[float], percent: int) -> float:
    """Return the percentile of at least one value by the nearest rank: not above it are `percent` in 100.

    It is always one of the values: below 20 of them the 95th percentile is the largest.
    """
    ordered = sorted(values)
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def median_interval(values: Sequence[float], confidence: float = 0.95) -> tuple[float, float] | None:
    """Return an interval that holds the median of the distribution with `confidence`, or None with too few values.

    By order statistics, whatever the distribution: with n independent values the k-th smallest and the k-th largest
    hold the median between them with probability 1 - 2 P(B <= k - 1), B binomial of n and 1/2 (H. A. David, H. N.
    Nagaraja, Order Statistics, 3rd edition, section 7.1). The largest k that suffices is taken. 95 % need 6 values.
    """
    ordered = sorted(values)
    count = len(ordered)
    k, below = 0, 0
    while k < count // 2:
        below += math.comb(count, k)
        if 1 - 2 * below / 2**count < confidence:
            break
        k += 1
    return (ordered[k - 1], ordered[count - k]) if k else None
