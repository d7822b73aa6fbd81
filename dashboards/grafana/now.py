"""The page Now: who answers which vantage, and how well."""

from __future__ import annotations

from core.series.schema import DROPS, FAULTS, OUTAGES, SESSIONS
from dashboards.grafana.panel import Page, Panel
from dashboards.grafana.query import Column, Query
from dashboards.grafana.shared import ENVIRONMENT, EVERY, NOTE_MARKS, STEP_MARKS, TRUE_OUTAGE, VANTAGE

NOW = Page(
    "vipchaos-now",
    "vipchaos: now",
    "Who answers which vantage, and how well, at this moment.",
    "now-15m",
    "5s",
    (ENVIRONMENT, VANTAGE),
    (STEP_MARKS, NOTE_MARKS),
    (
        Panel(
            "Catchment",
            "Which site, node and NAT pool answered each vantage in the last ten seconds, by sessions.",
            "table",
            (Query(SESSIONS, (Column("alive", "last", "sessions"),), by=("vantage", "site", "node", "nat_pool")),),
            only="10s",
            width=10,
        ),
        Panel(
            "Sessions by who answers",
            "Held sessions by the node that answered them last; stacked, so the top is all of them.",
            "timeseries",
            (
                Query(
                    SESSIONS,
                    (Column("alive", "last"),),
                    by=("vantage", "site", "node", "nat_pool"),
                    every=EVERY,
                    alias="$tag_vantage $tag_site/$tag_node",
                ),
            ),
            width=14,
            stacked=True,
        ),
        Panel(
            "Heartbeats answered",
            "Answered of those sent.",
            "timeseries",
            (
                Query(
                    SESSIONS,
                    (Column("answered", "share", of="sent"),),
                    by=("vantage",),
                    every=EVERY,
                    alias="$tag_vantage",
                ),
            ),
            unit="percent",
        ),
        Panel(
            "New connections answered",
            "Answered of the fresh SYNs.",
            "timeseries",
            (
                Query(
                    SESSIONS,
                    (Column("syn_answered", "share", of="syn_sent"),),
                    by=("vantage",),
                    every=EVERY,
                    alias="$tag_vantage",
                ),
            ),
            unit="percent",
        ),
        Panel(
            "Round trip by site and node",
            "Median of the seconds' medians, and the worst of the seconds' 99th percentiles.",
            "timeseries",
            (
                Query(
                    SESSIONS,
                    (Column("rtt_p50_ns", "median", "p50"), Column("rtt_p99_ns", "max", "p99")),
                    by=("site", "node"),
                    every=EVERY,
                    alias="$tag_site/$tag_node $col",
                ),
            ),
            unit="ns",
            width=12,
        ),
        Panel(
            "Outages",
            "Gaps on held raw sessions that the probe did not cause itself.",
            "stat",
            (Query(OUTAGES, (Column("slot", "count"),), TRUE_OUTAGE),),
            width=4,
        ),
        Panel("Drops", "Sessions dropped.", "stat", (Query(DROPS, (Column("slot", "count"),)),), width=4),
        Panel(
            "Worst outage",
            "Upper bound of the longest gap on a held raw session.",
            "stat",
            (Query(OUTAGES, (Column("upper_ns", "max"),), TRUE_OUTAGE),),
            unit="ns",
            width=4,
        ),
        Panel(
            "Last steps of faults",
            "What is armed, injected, proven and reverted, newest first.",
            "table",
            (
                Query(
                    FAULTS,
                    (Column("experiment"), Column("title"), Column("detail"), Column("run")),
                    newest=20,
                    filters=("environment",),
                ),
            ),
            width=24,
        ),
    ),
)
