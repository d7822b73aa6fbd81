"""Slower, same, faster, not enough trials: the interval against enumeration, a worked example and simulation."""

from __future__ import annotations

import random
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.comparison import CONFIDENCE, EXACT_TRIALS, Shift, Speed, _counts, _rank, beyond, shift, speed

VALUES = st.lists(st.floats(0, 100, allow_nan=False), min_size=1, max_size=9)


@pytest.mark.parametrize(("older", "newer"), [(1, 1), (2, 3), (4, 4), (5, 3), (6, 6)])
def test_the_distribution_is_that_of_all_orders(older: int, newer: int) -> None:
    """Of every way to deal the ranks to two samples: how often a newer value is above an older one."""
    seen: Counter[int] = Counter()
    for mine in combinations(range(older + newer), newer):
        seen[sum(other < rank for rank in mine for other in range(older + newer) if other not in mine)] += 1
    assert _counts(older, newer) == tuple(seen[value] for value in range(older * newer + 1))


@pytest.mark.parametrize(
    ("older", "newer", "rank"), [(3, 3, 0), (3, 5, 1), (4, 4, 1), (5, 5, 3), (8, 8, 14), (10, 10, 24), (20, 20, 128)]
)
def test_the_ranks_are_those_of_the_tables(older: int, newer: int, rank: int) -> None:
    """Critical values of the Mann-Whitney U test, two-sided 5 %: 2 for 5 and 5, 13 for 8 and 8, 23, 127; plus one."""
    assert _rank(older, newer, CONFIDENCE)[0] == rank


def test_a_worked_example() -> None:
    """Permeability of the human chorioamnion, after Hollander and Wolfe, Nonparametric Statistical Methods, 4.1."""
    at_term = [0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46]
    earlier = [1.15, 0.88, 0.90, 0.74, 1.21]
    found = shift(earlier, at_term)
    assert found.estimate == pytest.approx(0.305)
    assert found.low == pytest.approx(-0.15)
    assert found.high == pytest.approx(0.76)
    assert (found.older, found.newer, found.median_older) == (5, 10, 0.90)


@pytest.mark.parametrize("count", [4, 5, 9, EXACT_TRIALS + 10])
def test_the_interval_holds_the_true_shift_as_often_as_it_says(count: int) -> None:
    dice = random.Random(count)
    times = 400
    held = 0
    for _ in range(times):
        older = [dice.lognormvariate(0, 0.6) for _ in range(count)]
        newer = [dice.lognormvariate(0, 0.6) + 0.7 for _ in range(count)]
        found = shift(older, newer)
        assert found.low is not None
        assert found.high is not None
        held += found.low <= 0.7 <= found.high
    assert held / times > CONFIDENCE - 0.035  # three standard deviations of 400 tries


@given(VALUES, VALUES)
def test_it_does_not_matter_who_is_called_older(older: list[float], newer: list[float]) -> None:
    there, back = shift(older, newer), shift(newer, older)
    assert there.estimate == pytest.approx(-back.estimate)
    if there.low is None or there.high is None or back.low is None or back.high is None:
        assert there.low is back.low is None
        return
    assert there.low == pytest.approx(-back.high)
    assert there.low <= there.estimate <= there.high
    assert there.confidence >= CONFIDENCE


@given(VALUES)
def test_the_same_trials_are_never_slower(values: list[float]) -> None:
    assert speed(shift(values, values), None) in (Speed.SAME, Speed.NOT_ENOUGH)


def found(low: float | None, high: float | None) -> Shift:
    return Shift(6, 6, 1.0, 1.0, 0.0, low, high, 0.96)


@pytest.mark.parametrize(
    ("low", "high", "limit", "said", "over"),
    [
        (None, None, None, Speed.NOT_ENOUGH, False),
        (None, None, 0.1, Speed.NOT_ENOUGH, False),
        (0.1, 0.2, None, Speed.SLOWER, False),
        (0.1, 0.2, 0.5, Speed.SLOWER, False),
        (0.6, 0.7, 0.5, Speed.SLOWER, True),
        (0.4, 0.7, 0.5, Speed.NOT_ENOUGH, False),
        (-0.1, 0.7, 0.5, Speed.NOT_ENOUGH, False),
        (-0.1, 0.2, 0.5, Speed.SAME, False),
        (-0.1, 0.2, None, Speed.SAME, False),
        (0.0, 0.0, None, Speed.SAME, False),
        (-0.3, -0.1, 0.5, Speed.FASTER, False),
    ],
)
def test_what_is_said(low: float | None, high: float | None, limit: float | None, said: Speed, over: bool) -> None:
    assert speed(found(low, high), limit) is said
    assert beyond(found(low, high), limit) is over


def test_a_side_without_trials_is_refused() -> None:
    with pytest.raises(ValueError, match="both sides"):
        shift([], [1.0])
