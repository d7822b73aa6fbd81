"""The whole outcome of a run as one JSON document; every key is in docs/outcome.md."""

from __future__ import annotations

from collections.abc import Sequence

from core.events import Event, VantageOutcome, Who
from core.judge import RunVerdict
from core.names import Change
from core.outage import Interval
from core.truth import Comparison

SCHEMA = 1


def to_document(run: str, verdict: RunVerdict) -> dict[str, object]:
    """Return the document."""
    return {
        "schema": SCHEMA,
        "run": run,
        "outcome": verdict.outcome,
        "reason": verdict.reason,
        "reason_code": verdict.reason_code,
        "events": [_event(event, verdict) for event in verdict.events],
        "verdicts": [
            {
                "experiment": judgement.experiment,
                "vantages": list(judgement.vantages),
                "expected": judgement.expected,
                "verdict": judgement.verdict,
                "evidence": judgement.evidence,
            }
            for judgement in verdict.judgements
        ],
        "outside": [_change(change) for change in verdict.outside],
        "captures": [_comparison(comparison) for comparison in verdict.captures],
        "notes": list(verdict.notes),
    }


def _event(event: Event, verdict: RunVerdict) -> dict[str, object]:
    return {
        "experiment": event.experiment,
        "title": event.title,
        "kind": event.kind,
        "pair": event.pair,
        "faults": list(event.faults),
        "proven": event.proven,
        "at_ns": event.at_ns,
        "until_ns": event.until_ns,
        "first_convergence_s": _seconds(event.first_convergence_ns),
        "full_convergence_s": _seconds(event.full_convergence_ns),
        "vantages": {
            outcome.vantage: _vantage(outcome, verdict.seen_as(event, outcome.vantage)) for outcome in event.vantages
        },
    }


def _vantage(outcome: VantageOutcome, seen_as: Sequence[Change]) -> dict[str, object]:
    return {
        "before": _who(outcome.before),
        "after": _who(outcome.after),
        "data_plane": _interval(outcome.data_plane.worst if outcome.data_plane else None),
        "slots_hit": outcome.data_plane.slots if outcome.data_plane else 0,
        "new_connections": _interval(outcome.new_connections),
        "held_kernel": _interval(outcome.held_kernel),
        "stall": _interval(outcome.stall),
        "alive": outcome.alive,
        "survived": outcome.survived,
        "dropped": dict(outcome.dropped),
        "restarted": outcome.restarted,
        "alive_at_end": outcome.alive_at_end,
        "kernel_dropped": outcome.kernel_dropped,
        "open_s": outcome.open_ns / 1e9,
        "self_inflicted": outcome.self_inflicted,
        "ring_dropped": outcome.ring_dropped,
        "engine": outcome.engine,
        "unknown": outcome.unknown,
        "seen_as": [_change(change) for change in seen_as],
    }


def _change(change: Change) -> dict[str, object]:
    return {
        "vantage": change.vantage,
        "names": list(change.names),
        "certain": change.certain,
        "site": change.site,
        "before": change.before,
        "after": change.after,
        "sessions": change.sessions,
        "of": change.of,
        "survived": change.survived,
        "first_ns": change.first_ns,
        "last_ns": change.last_ns,
        "evidence_ns": list(change.evidence),
        "why": change.why,
    }


def _who(who: Who) -> list[dict[str, object]]:
    return [
        {"site": site, "node": node, "nat_pool": pool, "sessions": count} for (site, node, pool), count in who.counts
    ]


def _interval(found: Interval | None) -> dict[str, float] | None:
    if found is None:
        return None
    return {"lower_s": found.lower_ns / 1e9, "upper_s": found.upper_ns / 1e9, "error_s": found.error_ns / 1e9}


def _comparison(comparison: Comparison) -> dict[str, object]:
    return {
        "vantage": comparison.vantage,
        "slot": comparison.slot,
        "lower_s": comparison.bounds.lower_ns / 1e9,
        "upper_s": comparison.bounds.upper_ns / 1e9,
        "captured_s": _seconds(comparison.captured_ns),
        "inside": comparison.inside,
    }


def _seconds(value_ns: int | None) -> float | None:
    return None if value_ns is None else value_ns / 1e9
