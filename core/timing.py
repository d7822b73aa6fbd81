"""How punctual the probes were, in words: the timer error and the missed sends of a run. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import median

from core.records import ProbeHealth


def timing(health: Sequence[ProbeHealth]) -> list[str]:
    """Return a line, or none without any record, and one for each vantage that could not tell every gap.

    For each vantage: the 99th percentile of its heartbeats' lateness, of the median second (IRTT's timer error), the
    worst of all, and how many were due and never sent (IRTT's missed sends).
    """
    told = []
    more: list[str] = []
    for vantage in sorted({record.vantage for record in health}):
        mine = [record for record in health if record.vantage == vantage]
        usual_ms = median(record.late_p99_ns for record in mine) / 1e6
        worst_ms = max(record.late_max_ns for record in mine) / 1e6
        missed = sum(record.skipped for record in mine)
        told.append(f"{vantage} {usual_ms:.1f} (worst {worst_ms:.1f}, {missed} missed)")
        own, untold = sum(record.untold_own for record in mine), sum(record.untold for record in mine)
        more += [f"{vantage}: {own} more gaps were the probe's own making"] if own else []
        more += [f"{vantage}: {untold} outages came too fast to be told one by one"] if untold else []
    lines = [f"heartbeats left late by ms, 99 % of a second's: {', '.join(told)}"] if told else []
    return lines + more
