"""Several runs of the same experiments side by side: a table for a terminal, and one JSON document."""

from __future__ import annotations

from collections.abc import Sequence

from core.records import Outcome
from core.trials import CONFIDENCE, Summary, worst

SCHEMA = 1
_ROW = "  {:<24} {:>5} {:>8} {:>8} {:>8} {:>8}  {}"


def trials_text(outcomes: Sequence[tuple[str, Outcome]], asked: int, found: Sequence[Summary]) -> str:
    """Return the table; `outcomes` are (run, outcome) of each trial, of `asked`."""
    lines: list[str] = []
    for event in dict.fromkeys((summary.experiment, summary.kind) for summary in found):
        lines += ["", f"{event[0]} ({event[1]})"]
        bounds = f"median, {100 * CONFIDENCE:g} %"
        lines.append(_ROW.format("worst vantage", "n", "min", "median", "p95", "max", bounds))
        lines += [_row(summary) for summary in found if (summary.experiment, summary.kind) == event]
    lines.append("")
    lines += [f"trial {number}: {outcome}  (run {run})" for number, (run, outcome) in enumerate(outcomes, 1)]
    early = "" if len(outcomes) == asked else f", stopped after {len(outcomes)} of {asked}"
    outcome = worst([outcome for _, outcome in outcomes])
    lines.append(f"{outcome}: the worst of {len(outcomes)} trials{early}")
    return "\n".join(lines) + "\n"


def _row(summary: Summary) -> str:
    bounds = "too few trials" if summary.low is None else f"{_number(summary.low)} .. {_number(summary.high)}"
    numbers = map(_number, (summary.minimum, summary.median, summary.p95, summary.maximum))
    count = f"{summary.known}/{len(summary.values)}"
    return _ROW.format(summary.figure, count, *numbers, bounds if summary.known else "-")


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def trials_document(outcomes: Sequence[tuple[str, Outcome]], asked: int, found: Sequence[Summary]) -> dict[str, object]:
    """Return the JSON document; every key is in docs/trials.md."""
    return {
        "schema": SCHEMA,
        "asked": asked,
        "outcome": worst([outcome for _, outcome in outcomes]),
        "confidence": CONFIDENCE,
        "trials": [{"run": run, "outcome": outcome} for run, outcome in outcomes],
        "figures": [
            {
                "experiment": summary.experiment,
                "event": summary.kind,
                "figure": summary.figure,
                "n": summary.known,
                "values": list(summary.values),
                "min": summary.minimum,
                "median": summary.median,
                "p95": summary.p95,
                "max": summary.maximum,
                "median_low": summary.low,
                "median_high": summary.high,
            }
            for summary in found
        ],
    }
