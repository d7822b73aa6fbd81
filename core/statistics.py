"""The few formulas behind the figures: intervals of a proportion."""

from __future__ import annotations

import math

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
