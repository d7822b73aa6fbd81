"""The runs of many experiments: one table for a terminal, a page with the confusion matrix, one JSON document."""

from __future__ import annotations

from collections.abc import Sequence

from core.library import Row, named_rightly
from core.statistics import median
from core.trials import worst

SCHEMA = 1
_LINE = "{:<26} {:<8} {:>7} {:>10}  {}"


def library_text(rows: Sequence[Row]) -> str:
    """Return the table: each experiment, its worst outcome, how often it was named rightly, and what it was seen as."""
    lines = ["", _LINE.format("experiment", "verdict", "named", "failover s", "seen as")]
    for row in rows:
        for number, (seen, count) in enumerate(row.seen.most_common()):
            times = f"{count} of {len(row.trials)}: " if len(row.seen) > 1 else ""
            head = (row.experiment, _outcome(row), _named(row), _failover(row)) if not number else ("", "", "", "")
            lines.append(_LINE.format(*head, f"{times}{seen or 'no event'}").rstrip())
        if row.named < len(row.trials):
            lines.append(_LINE.format("", "", "", "", f"expected: {' or '.join(row.expected)}"))
        lines += [
            _LINE.format("", "", "", "", f"{trial.outcome}: {trial.reason}  (run {trial.run})")
            for trial in row.trials
            if trial.outcome != "PASSED"
        ]
    right, of = named_rightly(rows)
    outcome = worst([trial.outcome for row in rows for trial in row.trials])
    lines += ["", f"{right} of {of} named rightly", f"{outcome}: the worst of {of} runs of {len(rows)} experiments"]
    return "\n".join(lines) + "\n"


def _outcome(row: Row) -> str:
    return worst([trial.outcome for trial in row.trials]).value[:8]


def _named(row: Row) -> str:
    return f"{row.named}/{len(row.trials)}"


def _failover(row: Row) -> str:
    known = [trial.failover_s for trial in row.trials if trial.failover_s is not None]
    return f"{median(known):.3f}" if known else "not over"


def library_page(rows: Sequence[Row]) -> str:
    """Return the page: the table, and the confusion matrix of what was injected and what that was seen as."""
    right, of = named_rightly(rows)
    seen = list(dict.fromkeys(each for row in rows for each, _ in row.seen.most_common()))
    lines = [
        "# What each experiment was seen as",
        "",
        f"{right} of {of} trials ({right / max(of, 1):.0%}) were named rightly: the vantages' own records show what",
        "the experiment expects, and nothing that it does not. The figures are the lab's, as `vipchaos run --all`",
        "wrote them; a failover time is the median of the worst vantage's upper bounds.",
        "",
        "| experiment | outcome | named rightly | failover s | expected |",
        "| --- | --- | --- | --- | --- |",
    ]
    lines += [
        f"| {row.experiment} | {_outcome(row)} | {_named(row)} | {_failover(row)} | {' or '.join(row.expected)} |"
        for row in rows
    ]
    lines += ["", "## Confusion matrix", "", "Rows are what was injected, columns what it was seen as:", ""]
    lines += [f"{number}. {each or 'no event'}" for number, each in enumerate(seen, 1)]
    lines += ["", f"| injected | {' | '.join(str(number) for number in range(1, len(seen) + 1))} |"]
    lines.append("| --- " * (len(seen) + 1) + "|")
    lines += [
        f"| {row.experiment} | {' | '.join(str(row.seen[each]) if row.seen[each] else '' for each in seen)} |"
        for row in rows
    ]
    return "\n".join(lines) + "\n"


def library_document(rows: Sequence[Row]) -> dict[str, object]:
    """Return the JSON document; every key is in docs/library/README.md."""
    right, of = named_rightly(rows)
    return {
        "schema": SCHEMA,
        "outcome": worst([trial.outcome for row in rows for trial in row.trials]),
        "named": right,
        "of": of,
        "experiments": [
            {
                "experiment": row.experiment,
                "title": row.title,
                "flavours": list(row.flavours),
                "expected": list(row.expected),
                "trials": [
                    {
                        "run": trial.run,
                        "outcome": trial.outcome,
                        "reason": trial.reason,
                        "seen": list(trial.seen),
                        "named": trial.named,
                        "failover_s": trial.failover_s,
                    }
                    for trial in row.trials
                ],
            }
            for row in rows
        ],
    }
