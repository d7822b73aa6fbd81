"""Which points a run gives at its end: its outcome, failovers, verdicts, fault windows, changes. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from core.events import Event, VantageOutcome, Who
from core.judge import RunVerdict
from core.outage import Interval
from core.records import FaultPhase, FaultStep, Outcome, Record, RunEnded, RunStarted
from core.series.point import Point
from core.series.schema import ANSWER_CHANGES, FAILOVERS, FAULT_WINDOWS, RUNS, VERDICTS

S = 1_000_000_000


def outcome_points(records: Sequence[Record], verdict: RunVerdict, run: str, offset_ns: int) -> list[Point]:
    """Return the points of a run that has ended; `records` sorted by time, with a RunStarted among them.

    `offset_ns` leads from the journal's clock to the wall. The same records give the same points, in the same order.
    """
    started = next(record for record in records if isinstance(record, RunStarted))
    ended = next((record for record in reversed(records) if isinstance(record, RunEnded)), None)
    end_ns = ended.t_ns if ended else records[-1].t_ns
    return [
        _run(started, end_ns, verdict),
        *(_failover(event, outcome, verdict, run) for event in verdict.events for outcome in event.vantages),
        *(
            Point(
                VERDICTS,
                (one.experiment,),
                (run, str(one.verdict), one.expected, ", ".join(one.vantages), one.evidence),
                end_ns,
            )
            for one in verdict.judgements
        ),
        *_windows(records, end_ns, run, offset_ns),
        *_changes(verdict, run),
    ]


def _run(started: RunStarted, end_ns: int, verdict: RunVerdict) -> Point:
    outcome: Outcome = verdict.outcome
    duration_s = (end_ns - started.t_ns) / S
    values = (
        started.run,
        str(outcome),
        verdict.reason,
        len(started.experiments),
        started.version,
        duration_s,
        verdict.reason_code,
    )
    return Point(RUNS, (), values, started.t_ns)


def _failover(event: Event, outcome: VantageOutcome, verdict: RunVerdict, run: str) -> Point:
    seen = verdict.seen_as(event, outcome.vantage)
    values = (
        run,
        event.proven,
        *_bounds(outcome.data_plane.worst if outcome.data_plane else None),
        *_bounds(outcome.new_connections),
        *_bounds(outcome.held_kernel),
        outcome.data_plane.first_recovery_ns - event.at_ns if outcome.data_plane else None,
        outcome.data_plane.last_recovery_ns - event.at_ns if outcome.data_plane else None,
        outcome.data_plane.slots if outcome.data_plane else 0,
        outcome.alive,
        outcome.survived,
        outcome.drops,
        outcome.restarted,
        outcome.alive_at_end,
        outcome.self_inflicted,
        outcome.ring_dropped,
        _who(outcome.before),
        _who(outcome.after),
        "; ".join(" or ".join(change.names) for change in seen),
        outcome.unknown,
        outcome.engine,
    )
    return Point(FAILOVERS, (event.experiment, event.kind, outcome.vantage), values, event.at_ns)


def _bounds(found: Interval | None) -> tuple[int | None, int | None]:
    return (None, None) if found is None else (found.lower_ns, found.upper_ns)


def _who(who: Who) -> str:
    names = [("/".join(part or "?" for part in key), count) for key, count in who.counts]
    return ", ".join(name if len(names) == 1 else f"{name} x{count}" for name, count in names)


def _windows(records: Sequence[Record], end_ns: int, run: str, offset_ns: int) -> Iterator[Point]:
    """A fault is out from before it is injected until its revert is done: what lies between may be its doing."""
    steps = [record for record in records if isinstance(record, FaultStep)]
    for step in steps:
        if step.phase is not FaultPhase.INJECTING:
            continue
        mine = [
            other.t_ns
            for other in steps
            if (other.lease, other.fault, other.experiment) == (step.lease, step.fault, step.experiment)
            and other.phase is FaultPhase.REVERTED
            and other.t_ns >= step.t_ns
        ]
        until_ns = min(mine, default=end_ns)
        values = (
            run,
            step.fault,
            f"{step.experiment} of {run}",
            (until_ns + offset_ns) // 1_000_000,
            (until_ns - step.t_ns) / S,
        )
        yield Point(FAULT_WINDOWS, (step.experiment or "none", step.fault), values, step.t_ns)


def _changes(verdict: RunVerdict, run: str) -> Iterator[Point]:
    for change in verdict.changes:
        values = (
            run,
            change.before,
            change.after,
            change.site,
            change.sessions,
            change.of,
            change.survived,
            change.certain,
            change.why,
        )
        yield Point(ANSWER_CHANGES, (change.vantage, " or ".join(change.names)), values, change.first_ns)
