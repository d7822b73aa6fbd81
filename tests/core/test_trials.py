"""Figures over trials: order statistics against a binomial table and by experiment, and what counts as known."""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaos.drivers import DECLARED
from core.experiment import Experiment
from core.inventory import Inventory
from core.judge import RunVerdict, judge
from core.loader import load_experiments, load_inventory
from core.records import Clock, Drop, DropCause, OutageBegan, OutageEnded, Outcome, Record
from core.statistics import median, median_interval, nearest_rank
from core.trials import FIGURES, Summary, summaries, worst
from tests.core.test_judge import FAULT_S, S, history, outage

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
LAB = load_inventory(EXPERIMENTS / "lab.yaml")


def test_median_and_nearest_rank() -> None:
    assert median([3, 1, 2]) == 2
    assert median([4, 1, 2, 3]) == 2.5
    values = list(range(1, 101))
    random.Random(7).shuffle(values)
    assert nearest_rank(values, 95) == 95
    assert nearest_rank(range(1, 20), 95) == 19, "below 20 the 95th percentile is the largest"
    assert nearest_rank(range(1, 21), 95) == 19
    assert nearest_rank([5.0], 95) == 5.0


@pytest.mark.parametrize(
    ("count", "k"),
    # The two-sided sign test's critical values at 5 %, plus one: a table that many books print.
    [(6, 1), (8, 1), (9, 2), (12, 3), (15, 4), (20, 6), (25, 8), (30, 10), (50, 18)],
)
def test_the_ranks_of_the_interval_are_those_of_the_sign_test(count: int, k: int) -> None:
    assert median_interval(range(1, count + 1)) == (k, count + 1 - k)


@pytest.mark.parametrize("count", range(6))
def test_below_six_there_is_no_interval_at_95_percent(count: int) -> None:
    assert median_interval(range(count)) is None


def test_the_interval_holds_the_median_as_often_as_it_says() -> None:
    rng = random.Random(20261125)
    true = math.log(2)  # of the exponential distribution
    for count, at_least in ((6, 0.96), (20, 0.95), (37, 0.95)):
        rounds = 4000
        inside = 0
        for _ in range(rounds):
            low, high = median_interval([rng.expovariate(1.0) for _ in range(count)]) or (1.0, 0.0)
            inside += low <= true <= high
        assert inside / rounds > at_least - 0.01


@given(st.lists(st.floats(0, 100), min_size=6, max_size=60))
def test_the_interval_is_around_the_median(values: list[float]) -> None:
    low, high = median_interval(values) or (1.0, 0.0)
    assert min(values) <= low <= median(values) <= high <= max(values)
    assert low <= high


@pytest.fixture(scope="module")
def inventory() -> Inventory:
    return replace(LAB, vantages={"c1": replace(LAB.vantages["c1"], sessions=2)})


@pytest.fixture(scope="module")
def experiment() -> Experiment:
    (found,) = load_experiments([EXPERIMENTS / "node-failover.yaml"], LAB, DECLARED)
    return found


def trial(inventory: Inventory, experiment: Experiment, length_s: float, *more: Record) -> RunVerdict:
    """One run whose sessions were silent for `length_s`."""
    records: list[Record] = [record for record in history(*more) if not isinstance(record, OutageEnded)]
    records += [outage(slot, round(length_s * S)) for slot in (0, 1)] if length_s else []
    return judge(sorted(records, key=lambda record: record.t_ns), inventory, [experiment])


def of(found: tuple[Summary, ...], figure: str) -> Summary:
    (summary,) = (each for each in found if each.figure == figure)
    return summary


def test_figures_of_trials(inventory: Inventory, experiment: Experiment) -> None:
    lengths = [0.3, 0.5, 0.4, 0.2, 0.6, 0.7, 0.1]
    found = summaries([trial(inventory, experiment, length_s) for length_s in lengths])
    assert {(each.experiment, each.kind) for each in found} == {("node-failover", "failover")}
    assert [each.figure for each in found] == list(FIGURES)
    upper, lower = of(found, "data_plane_upper_s"), of(found, "data_plane_lower_s")
    assert upper.values == pytest.approx(tuple(lengths), abs=1e-6)
    assert (upper.minimum, upper.median, upper.maximum) == pytest.approx((0.1, 0.4, 0.7), abs=1e-6)
    assert (upper.low, upper.high) == pytest.approx((0.1, 0.7), abs=1e-6)
    assert upper.p95 == upper.maximum
    assert lower.median == pytest.approx(0.38, abs=1e-6)
    assert of(found, "stall_upper_s").values == upper.values, "every session survived"
    assert of(found, "dropped_share").maximum == 0.0
    assert of(found, "new_connections_upper_s").values == (0.0,) * 7


def test_too_few_trials_have_no_interval(inventory: Inventory, experiment: Experiment) -> None:
    upper = of(summaries([trial(inventory, experiment, 0.3)] * 5), "data_plane_upper_s")
    assert (upper.low, upper.high, upper.known) == (None, None, 5)


def test_what_is_not_known_is_not_counted(inventory: Inventory, experiment: Experiment) -> None:
    good = trial(inventory, experiment, 0.3)
    unproven = judge(history(injected=False), inventory, [experiment])
    still_out = trial(
        inventory, experiment, 0.0, OutageBegan((FAULT_S + 1) * S, "c1", 0, Clock.DATA_PLANE, FAULT_S * S)
    )
    never = judge([], inventory, [experiment])
    cut_short = replace(good, outcome=Outcome.ABORTED)
    found = summaries([good, unproven, still_out, never, cut_short])
    first, *others = of(found, "data_plane_upper_s").values
    assert first == pytest.approx(0.3, abs=1e-6)
    assert others == [None, None, None, None]
    assert of(found, "data_plane_upper_s").known == 1
    assert summaries([never]) == ()


def test_the_share_that_was_dropped(inventory: Inventory, experiment: Experiment) -> None:
    drop = Drop((FAULT_S + 1) * S, "c1", 0, "c1-0-0", DropCause.RESET, "", 1)
    share = of(summaries([trial(inventory, experiment, 0.3, drop), trial(inventory, experiment, 0.3)]), "dropped_share")
    assert share.values == (0.5, 0.0)


def test_no_outage_is_none_at_all(inventory: Inventory, experiment: Experiment) -> None:
    assert of(summaries([trial(inventory, experiment, 0.0)]), "data_plane_upper_s").values == (0.0,)


def test_the_worst_outcome() -> None:
    assert worst([Outcome.PASSED, Outcome.FAILED, Outcome.PASSED]) is Outcome.FAILED
    assert worst([Outcome.INCONCLUSIVE, Outcome.PASSED]) is Outcome.INCONCLUSIVE
    assert worst([Outcome.ABORTED, Outcome.REVERT_FAILED]) is Outcome.REVERT_FAILED
    for outcome in Outcome:
        assert worst([outcome]) is outcome
