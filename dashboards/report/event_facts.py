"""The facts of one event for the report: clocks beside their limits, survival, drops, paths and round trips."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Mapping, Sequence
from ipaddress import ip_address

from core.events import Event, VantageOutcome
from core.experiment import Expectation, Experiment
from core.inventory import Inventory
from core.outage import Interval
from core.path_records import PathTraced
from core.records import Summary
from core.survival import Lifetime, Step, kaplan_meier
from dashboards.report.view import Bound, Curve, Drops, Path, Paths, RoundTrip

BESIDE_NS = 10_000_000_000
"""How long before and after an event round trips are compared."""
SHOWN_PATHS = 3


def clocks(event: Event, experiment: Experiment | None) -> tuple[Bound, ...]:
    """Return every clock's interval at every vantage that had one, with what is allowed."""
    found = []
    for outcome in event.vantages:
        expected = _expected(experiment, outcome.vantage)
        kernel = outcome.held_kernel
        silent_s = outcome.open_ns / 1e9
        open_kernel = silent_s if silent_s and not outcome.measures_data_plane else 0.0
        open_plane = 0.0 if open_kernel else silent_s
        plane = outcome.data_plane.worst if outcome.data_plane else None
        found += [
            _bound(outcome, "data plane", plane, expected.outage_upper_s if expected else None, open_plane),
            _bound(
                outcome,
                "new connections",
                outcome.new_connections,
                expected.new_connections_upper_s if expected else None,
                outcome.open_new_ns / 1e9,
            ),
            _bound(outcome, "held kernel session", kernel, None, open_kernel),
        ]
    return tuple(bound for bound in found if bound is not None)


def _expected(experiment: Experiment | None, vantage: str) -> Expectation | None:
    expectations = experiment.expectations if experiment else ()
    return next((each for each in expectations if vantage in each.vantages), None)


def _bound(
    outcome: VantageOutcome, clock: str, found: Interval | None, limit_s: float | None, open_s: float
) -> Bound | None:
    if open_s:
        return Bound(outcome.vantage, clock, open_s, open_s, limit_s, open_end=True)
    if found is None:
        return None
    return Bound(outcome.vantage, clock, found.lower_ns / 1e9, found.upper_ns / 1e9, limit_s)


def curves(event: Event, lives: Mapping[str, Sequence[Lifetime]]) -> tuple[Curve, ...]:
    """Return the survival of the sessions of each vantage that were alive at the event; `lives`: by vantage."""
    found = []
    for outcome in event.vantages:
        alive = [life for life in lives.get(outcome.vantage, ()) if life.alive_at(event.at_ns)]
        steps = kaplan_meier(alive, event.at_ns, event.until_ns)
        if steps:
            points = [((step.t_ns - event.at_ns) / 1e9, step.share) for step in thinned(steps)]
            points.append(((event.until_ns - event.at_ns) / 1e9, steps[-1].share))
            found.append(Curve(outcome.vantage, tuple(points), outcome.alive, outcome.survived))
    return tuple(found)


def thinned(steps: Sequence[Step], most: int = 200) -> list[Step]:
    """Return at most about `most` of the steps, the first and the last among them."""
    every = max(1, len(steps) // most)
    return [step for at, step in enumerate(steps) if at % every == 0 or at == len(steps) - 1]


def drops(event: Event) -> tuple[Drops, ...]:
    """Return what was dropped at each vantage that had sessions."""
    return tuple(
        Drops(
            outcome.vantage,
            outcome.alive,
            outcome.survived,
            tuple(outcome.dropped.items()),
            outcome.restarted,
            outcome.kernel_dropped,
        )
        for outcome in event.vantages
        if outcome.alive
    )


def paths(event: Event, traced: Mapping[str, Sequence[PathTraced]], inventory: Inventory) -> tuple[Paths, ...]:
    """Return the paths of the sessions before and after an event; `traced`: of answered ones, by vantage, in order."""
    found = []
    for outcome in event.vantages:
        mine = traced.get(outcome.vantage, ())
        at = bisect_left(mine, event.at_ns, key=lambda path: path.t_ns)
        end = bisect_right(mine, event.until_ns, key=lambda path: path.t_ns)
        before = {path.slot: path.hops for path in mine[:at]}
        after = before | {path.slot: path.hops for path in mine[at:end]}
        if before or after:
            shown = (_paths(before, inventory), _paths(after, inventory))
            changed = {path.hops for path in shown[0]} != {path.hops for path in shown[1]}
            found.append(Paths(outcome.vantage, *shown, changed))
    return tuple(found)


def _paths(hops_of: Mapping[int, tuple[str, ...]], inventory: Inventory) -> tuple[Path, ...]:
    counts = Counter(hops_of.values())
    return tuple(
        Path(tuple((hop or "?", _name(hop, inventory)) for hop in hops), count)
        for hops, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:SHOWN_PATHS]
    )


def _name(hop: str, inventory: Inventory) -> str:
    try:
        node = inventory.node_of_address(ip_address(hop))
    except ValueError:
        return ""
    return node.name if node else ""


def round_trips(event: Event, summaries: Mapping[str, Sequence[Summary]]) -> tuple[RoundTrip, ...]:
    """Return the median round trip before and at the end of an event; `summaries`: by vantage, in order."""
    found = []
    for outcome in event.vantages:
        mine = summaries.get(outcome.vantage, ())
        before = _between(mine, event.at_ns - BESIDE_NS, event.at_ns)
        after = _between(mine, max(event.at_ns, event.until_ns - BESIDE_NS), event.until_ns)
        found.append(RoundTrip(outcome.vantage, median_ms(before), median_ms(after)))
    return tuple(trip for trip in found if trip.before_ms is not None or trip.after_ms is not None)


def _between(mine: Sequence[Summary], from_ns: int, until_ns: int) -> Sequence[Summary]:
    low = bisect_right(mine, from_ns, key=lambda summary: summary.t_ns)
    return mine[low : bisect_right(mine, until_ns, key=lambda summary: summary.t_ns)]


def median_ms(summaries: Sequence[Summary]) -> float | None:
    """Return the median of the seconds' medians, each counted by its answers, in ms."""
    weighed = sorted((each.rtt_p50_ns, each.answered) for each in summaries if each.answered and each.rtt_p50_ns)
    half, so_far = sum(count for _, count in weighed) / 2, 0
    for value_ns, count in weighed:
        so_far += count
        if so_far >= half:
            return value_ns / 1e6
    return None
