"""The page Game days: runs, verdicts, and whether failovers become slower."""

from __future__ import annotations

from core.series.schema import FAILOVERS, RUNS, VERDICTS
from dashboards.grafana.panel import Page, Panel
from dashboards.grafana.query import Column, Query, Where, columns
from dashboards.grafana.shared import BUCKET, ENVIRONMENT, EXPERIMENT, FAULT_MARKS, REPORT, REPORTS, VANTAGE


def _verdicts(verdict: str) -> Panel:
    return Panel(
        f"Expectations {verdict}",
        f"How many were {verdict}.",
        "stat",
        (Query(VERDICTS, (Column("run", "count"),), (Where("verdict", "=", verdict),)),),
        width=4,
        height=4,
    )


def _runs(outcome: str) -> Panel:
    return Panel(
        f"Runs {outcome}",
        f"How many ended {outcome}.",
        "stat",
        (Query(RUNS, (Column("run", "count"),), (Where("outcome", "=", outcome),)),),
        width=3,
        height=4,
    )


KNOWN = (Where("kind", "=", "failover"), Where("unknown", "=", ""))
GAME_DAYS = Page(
    "vipchaos-game-days",
    "vipchaos: game days",
    "Runs, their verdicts, and whether failovers become slower.",
    "now-90d",
    "5m",
    (ENVIRONMENT, EXPERIMENT, VANTAGE, BUCKET, REPORTS),
    (FAULT_MARKS,),
    (
        *(_runs(outcome) for outcome in ("PASSED", "FAILED", "INCONCLUSIVE", "ABORTED")),
        *(_verdicts(verdict) for verdict in ("held", "broken", "unknown")),
        Panel(
            "Runs",
            "Newest first; the id leads to the report where one is published.",
            "table",
            (
                Query(
                    RUNS,
                    columns("run", "outcome", "reason", "experiments", "duration_s", "version"),
                    newest=200,
                ),
            ),
            width=24,
            height=10,
            links=(REPORT,),
        ),
        Panel(
            "Failover time, trend",
            "Median and 95th percentile of the worst data-plane outage of each vantage (upper bound), by experiment.",
            "timeseries",
            (
                Query(
                    FAILOVERS,
                    (Column("data_plane_upper_ns", "p50", "p50"), Column("data_plane_upper_ns", "p95", "p95")),
                    KNOWN,
                    ("experiment",),
                    "$bucket",
                    alias="$tag_experiment $col",
                ),
            ),
            unit="ns",
            width=14,
        ),
        Panel(
            "Against the whole range",
            "The last failover of each experiment beside median and 95th percentile of the range chosen above.",
            "table",
            (
                Query(
                    FAILOVERS,
                    (
                        Column("data_plane_upper_ns", "last", "last"),
                        Column("data_plane_upper_ns", "p50", "p50"),
                        Column("data_plane_upper_ns", "p95", "p95"),
                        Column("data_plane_upper_ns", "count", "failovers"),
                    ),
                    KNOWN,
                    ("experiment",),
                ),
            ),
            width=10,
        ),
        Panel(
            "What was expected",
            "Each expectation with its verdict and evidence, newest first.",
            "table",
            (
                Query(
                    VERDICTS,
                    columns("experiment", "expected", "verdict", "vantages", "evidence", "run"),
                    newest=500,
                ),
            ),
            width=24,
            height=10,
            links=(REPORT,),
        ),
    ),
)
