"""The limits that guarded a run and how near each came: leases, abort conditions, and how long the gate waited."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

from core.experiment import Experiment
from core.outage import interval
from core.records import ExperimentPhase, FaultPhase, FaultStep, OutageEnded, Record, RunEnded, Summary
from dashboards.report.view import Rail

KEPT, EXCEEDED, UNKNOWN = "kept", "exceeded", "not known"


def rails(
    records: Sequence[Record], experiments: Sequence[Experiment], summaries: Mapping[str, Sequence[Summary]]
) -> tuple[Rail, ...]:
    """Return the rails of each experiment that began; `records` are in order, `summaries` by vantage."""
    phases = [record for record in records if isinstance(record, ExperimentPhase)]
    steps = [record for record in records if isinstance(record, FaultStep)]
    outages = [record for record in records if isinstance(record, OutageEnded) and not record.self_inflicted]
    last_ns = records[-1].t_ns if records else 0
    found: list[Rail] = []
    for experiment in experiments:
        mine = [phase for phase in phases if phase.experiment == experiment.name]
        if not mine:
            continue
        end_ns = next((phase.t_ns for phase in mine if phase.phase in ("done", "aborted")), last_ns)
        found += _gate(experiment, mine, steps)
        if experiment.lease_s:
            found.append(_lease(experiment, steps))
        span = (mine[0].t_ns, end_ns)
        for condition in experiment.abort:
            names = " ".join(condition.vantages)
            inside = [o for o in outages if o.vantage in condition.vantages and span[0] <= o.t_ns <= span[1]]
            worst_s = max((interval(outage).upper_ns for outage in inside), default=0) / 1e9
            found.append(
                Rail(
                    experiment.name,
                    f"longest silence at {names}",
                    f"{condition.outage_s:g} s",
                    f"{worst_s:.3f} s" if inside else "no outage",
                    KEPT if worst_s < condition.outage_s else EXCEEDED,
                )
            )
            oldest_s = _oldest_s([summaries.get(name, ()) for name in condition.vantages], *span)
            found.append(
                Rail(
                    experiment.name,
                    f"oldest telemetry of {names}",
                    f"{condition.stale_s:g} s",
                    f"{oldest_s:.1f} s",
                    KEPT if oldest_s <= condition.stale_s else EXCEEDED,
                )
            )
    ended = next((record for record in reversed(records) if isinstance(record, RunEnded)), None)
    if ended is not None and ended.outcome in ("BLOCKED", "ABORTED", "REVERT_FAILED"):
        found.append(Rail("", "what the runner said", "-", ended.reason or str(ended.outcome), EXCEEDED))
    return tuple(found)


def _gate(experiment: Experiment, phases: Sequence[ExperimentPhase], steps: Sequence[FaultStep]) -> list[Rail]:
    """How long the gate waited for the steady state; unknown where nothing came after it."""
    gate_ns = next((phase.t_ns for phase in phases if phase.phase == "gate"), None)
    if gate_ns is None:
        return []
    after = [phase.t_ns for phase in phases if phase.t_ns > gate_ns and phase.phase != "aborted"]
    after += [step.t_ns for step in steps if step.experiment == experiment.name and step.t_ns > gate_ns]
    limit_s = experiment.steady_state.timeout_s + experiment.steady_state.for_s
    waited = f"{(min(after) - gate_ns) / 1e9:.1f} s" if after else "it did not open"
    rail = f"steady for {experiment.steady_state.for_s:g} s before anything is done"
    return [Rail(experiment.name, rail, f"within {limit_s:g} s", waited, KEPT if after else EXCEEDED)]


def _lease(experiment: Experiment, steps: Sequence[FaultStep]) -> Rail:
    """How long the faults were out, beside their lease."""
    mine = [step for step in steps if step.experiment == experiment.name]
    armed = [step.t_ns for step in mine if step.phase is FaultPhase.ARMED]
    proven = {step.fault for step in mine if step.phase is FaultPhase.REVERT_PROVEN}
    back = [step.t_ns for step in mine if step.phase is FaultPhase.REVERT_PROVEN]
    limit = f"{experiment.lease_s:g} s"
    rail = "lease: armed until proven reverted"
    if not armed:
        return Rail(experiment.name, rail, limit, "nothing was armed", KEPT)
    if proven < {step.fault for step in mine if step.phase is FaultPhase.ARMED}:
        return Rail(experiment.name, rail, limit, "not all proven reverted", UNKNOWN)
    out_s = (max(back) - min(armed)) / 1e9
    return Rail(experiment.name, rail, limit, f"{out_s:.1f} s", KEPT if out_s <= experiment.lease_s else EXCEEDED)


def _oldest_s(summaries: Sequence[Sequence[Summary]], from_ns: int, until_ns: int) -> float:
    """Return the longest time without a summary of any of these vantages, in seconds."""
    longest_ns = 0
    for mine in summaries:
        inside = [from_ns, *(each.t_ns for each in mine if from_ns <= each.t_ns <= until_ns), until_ns]
        longest_ns = max([longest_ns, *(after - before for before, after in pairwise(inside))])
    return longest_ns / 1e9
