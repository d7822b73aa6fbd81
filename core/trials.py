"""What the same experiments gave in several runs: minimum, median, percentile, maximum of each figure. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from core.events import Event, VantageOutcome
from core.judge import RunVerdict
from core.outage import Interval
from core.records import Outcome
from core.statistics import median, median_interval, nearest_rank

CONFIDENCE = 0.95
STOPPING = frozenset({Outcome.BLOCKED, Outcome.ABORTED, Outcome.REVERT_FAILED})
"""Outcomes after which trying again would be wrong."""
WORST_FIRST = (
    Outcome.REVERT_FAILED,
    Outcome.ABORTED,
    Outcome.BLOCKED,
    Outcome.MISSED,
    Outcome.FAILED,
    Outcome.INCONCLUSIVE,
    Outcome.PASSED,
)


@dataclass(frozen=True, slots=True)
class Summary:
    """One figure of one event over the trials.

    `values` has one entry a trial, None where it is not known; the others are None where there is no value at all.
    `low` and `high` hold the median with `CONFIDENCE`, None where there are too few values.
    """

    experiment: str
    kind: str
    figure: str
    values: tuple[float | None, ...]
    minimum: float | None
    median: float | None
    p95: float | None
    maximum: float | None
    low: float | None
    high: float | None

    @property
    def known(self) -> int:
        """How many trials gave a value."""
        return sum(value is not None for value in self.values)


def worst(outcomes: Sequence[Outcome]) -> Outcome:
    """Return the outcome that the trials as a whole have; at least one is there."""
    return min(outcomes, key=WORST_FIRST.index)


def summaries(verdicts: Sequence[RunVerdict]) -> tuple[Summary, ...]:
    """Return each figure of each event (an experiment's failover or failback), in the order in which they happened."""
    events = dict.fromkeys((event.experiment, event.kind) for verdict in verdicts for event in verdict.events)
    found = []
    for experiment, kind in events:
        trials = [_event(verdict, experiment, kind) for verdict in verdicts]
        for figure, of in FIGURES.items():
            found.append(_summary(experiment, kind, figure, [of(event) if event else None for event in trials]))
    return tuple(found)


def _event(verdict: RunVerdict, experiment: str, kind: str) -> Event | None:
    """Return the event of a trial if what it shows can be relied on: it was proven, and not cut short."""
    if verdict.outcome in STOPPING:
        return None
    for event in verdict.events:
        if (event.experiment, event.kind) == (experiment, kind) and event.proven:
            return event
    return None


def _summary(experiment: str, kind: str, figure: str, values: Sequence[float | None]) -> Summary:
    known = [value for value in values if value is not None]
    if not known:
        return Summary(experiment, kind, figure, tuple(values), None, None, None, None, None, None)
    low, high = median_interval(known, CONFIDENCE) or (None, None)
    return Summary(
        experiment,
        kind,
        figure,
        tuple(values),
        min(known),
        median(known),
        nearest_rank(known, 95),
        max(known),
        low,
        high,
    )


def _worst_s(
    event: Event,
    measured: Callable[[VantageOutcome], bool],
    of: Callable[[VantageOutcome], Interval | None],
    upper: bool,
) -> float | None:
    """Return a bound, in seconds, of the worst interval of all vantages; 0 where there was none, None if not known."""
    vantages = [outcome for outcome in event.vantages if measured(outcome)]
    if not vantages or any(outcome.unknown for outcome in vantages):
        return None
    found = [bounds for bounds in map(of, vantages) if bounds is not None]
    if not found:
        return 0.0
    bounds = max(found, key=lambda each: each.upper_ns)
    return (bounds.upper_ns if upper else bounds.lower_ns) / 1e9


def _data_plane(event: Event, upper: bool) -> float | None:
    if any(outcome.open_ns for outcome in event.vantages if outcome.measures_data_plane):
        return None  # it is not over
    return _worst_s(event, _has_data_plane, lambda o: o.data_plane.worst if o.data_plane else None, upper)


def _has_data_plane(outcome: VantageOutcome) -> bool:
    return outcome.measures_data_plane


def _new_connections(event: Event) -> float | None:
    if any(outcome.open_new_ns for outcome in event.vantages):
        return None
    return _worst_s(event, lambda _: True, lambda outcome: outcome.new_connections, upper=True)


def _dropped(event: Event) -> float | None:
    alive = sum(outcome.alive for outcome in event.vantages)
    if not alive or any(outcome.unknown for outcome in event.vantages):
        return None
    return sum(outcome.drops for outcome in event.vantages) / alive


FIGURES: dict[str, Callable[[Event], float | None]] = {
    "data_plane_lower_s": lambda event: _data_plane(event, upper=False),
    "data_plane_upper_s": lambda event: _data_plane(event, upper=True),
    "new_connections_upper_s": _new_connections,
    "held_kernel_upper_s": lambda event: _worst_s(event, lambda _: True, lambda o: o.held_kernel, upper=True),
    "stall_upper_s": lambda event: _worst_s(event, _has_data_plane, lambda o: o.stall, upper=True),
    "dropped_share": _dropped,
}
"""Each figure of an event: of the vantage that was hit worst; the share is of all sessions."""
