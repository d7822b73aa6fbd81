"""How fast something grows: a line by least squares through what was sampled. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import linear_regression, median

HOUR_S = 3_600.0
SHARE = 0.02
A_HOUR = 4_000_000


@dataclass(frozen=True)
class Sample:
    """Bytes at an instant."""

    at_s: float
    size: int


@dataclass(frozen=True)
class Growth:
    """What samples show: the line goes through their second half; before, things are still being filled."""

    first: int
    middle: int
    last: int
    a_second: float
    over_s: float

    @property
    def an_hour(self) -> float:
        """Bytes an hour, along the line."""
        return self.a_second * HOUR_S

    @property
    def allowed(self) -> float:
        """How many bytes the second half may grow: 2 % of all, or 4 MB an hour where that is more."""
        return max(SHARE * self.middle, A_HOUR * self.over_s / HOUR_S)

    @property
    def flat(self) -> bool:
        """Whether it grew by no more."""
        return self.a_second * self.over_s <= self.allowed


def growth(samples: Sequence[Sample]) -> Growth:
    """Return what at least four samples show."""
    later = samples[len(samples) // 2 :]
    slope, _ = linear_regression([sample.at_s for sample in later], [float(sample.size) for sample in later])
    sizes = [sample.size for sample in samples]
    return Growth(sizes[0], round(median(sizes)), sizes[-1], slope, later[-1].at_s - later[0].at_s)
