"""The report file of a run: the same table and verdict, with how to read it and what was run."""

from __future__ import annotations

from collections.abc import Sequence

from core.judge import RunVerdict
from dashboards.report.text import to_text

_INTERVALS = (
    "Outages are intervals [lower .. upper] in seconds, timer slip and round-trip change included. "
    "*data plane*: heartbeats on held raw sessions; *new conns*: a fresh SYN every 50 ms; "
    "*held kernel*: what an application on an ordinary socket saw, retransmission back-off included."
)


def to_markdown(run: str, verdict: RunVerdict, inventory: str, experiments: Sequence[str]) -> str:
    """Return the report; `inventory` and `experiments` are the YAML texts that were run."""
    parts = [
        f"# Run {run}: {verdict.outcome}",
        verdict.reason,
        _INTERVALS,
        f"```text{to_text(run, verdict, color=False)}```",
        "## What was run",
        *(f"```yaml\n{text.strip()}\n```" for text in (*experiments, inventory)),
    ]
    return "\n\n".join(parts) + "\n"
