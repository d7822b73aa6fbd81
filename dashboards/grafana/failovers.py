"""The page Failovers: what each was to each vantage."""

from __future__ import annotations

from core.series.schema import ANSWER_CHANGES, DROPS, FAILOVERS, OUTAGES, PATH_CHANGES, SESSIONS
from dashboards.grafana.panel import Page, Panel
from dashboards.grafana.query import Column, Query, Where, columns
from dashboards.grafana.shared import (
    BOUNDS,
    ENVIRONMENT,
    EVERY,
    EXPERIMENT,
    FAULT_MARKS,
    NOTE_MARKS,
    REPORT,
    REPORTS,
    VANTAGE,
)

FAILOVER_PAGE = Page(
    "vipchaos-failovers",
    "vipchaos: failovers",
    "What each failover was to each vantage: who answered, how long nobody did, what was dropped.",
    "now-1h",
    "30s",
    (ENVIRONMENT, VANTAGE, EXPERIMENT, REPORTS),
    (FAULT_MARKS, NOTE_MARKS),
    (
        Panel(
            "Who answered, by site",
            "One lane a vantage; red spans are faults.",
            "state-timeline",
            (Query(SESSIONS, (Column("site"), Column("vantage"), Column("alive")), (Where("alive", ">", 0),)),),
            width=24,
            hidden=("alive",),
            split_by="vantage",
        ),
        Panel(
            "Who answered, by node",
            "One lane a vantage; `unknown` where the flow does not show its node.",
            "state-timeline",
            (Query(SESSIONS, (Column("node"), Column("vantage"), Column("alive")), (Where("alive", ">", 0),)),),
            width=24,
            hidden=("alive",),
            split_by="vantage",
        ),
        Panel(
            "Three clocks",
            "The worst outage of held raw sessions, of new connections and of the held kernel session, as bounds.",
            "table",
            (
                Query(
                    FAILOVERS,
                    (
                        *columns("experiment", "kind", "vantage", "proven"),
                        *BOUNDS,
                        *columns("before", "after", "seen_as", "unknown", "run"),
                    ),
                    newest=200,
                ),
            ),
            width=24,
            height=10,
            links=(REPORT,),
        ),
        Panel(
            "Outages by clock",
            "Upper bound of each outage, at the instant of its end.",
            "timeseries",
            (
                Query(
                    OUTAGES,
                    (Column("upper_ns", "max"),),
                    (Where("self_inflicted", "=", value=False),),
                    ("vantage", "clock"),
                    EVERY,
                    alias="$tag_vantage $tag_clock",
                ),
            ),
            unit="ns",
            points=True,
        ),
        Panel(
            "Drops by cause",
            "Sessions dropped.",
            "timeseries",
            (Query(DROPS, (Column("slot", "count"),), (), ("cause",), EVERY, alias="$tag_cause"),),
            stacked=True,
        ),
        Panel(
            "Sessions",
            "Alive at the event, survived, dropped, opened again.",
            "table",
            (
                Query(
                    FAILOVERS,
                    tuple(
                        Column(name, "sum", name) for name in ("alive", "survived", "dropped", "restarted", "slots_hit")
                    ),
                    by=("experiment", "kind"),
                ),
            ),
        ),
        Panel(
            "Changes of who answers",
            "As recognised when the run ended.",
            "table",
            (
                Query(
                    ANSWER_CHANGES,
                    columns("vantage", "name", "before", "after", "sessions", "survived", "why"),
                    newest=100,
                ),
            ),
        ),
        Panel(
            "Changed paths",
            "Sessions whose path changed.",
            "timeseries",
            (
                Query(
                    PATH_CHANGES,
                    (Column("slot", "count"),),
                    (Where("silent", "=", value=False),),
                    ("vantage",),
                    EVERY,
                    alias="$tag_vantage",
                ),
            ),
        ),
        Panel(
            "Convergence",
            "From the injection to the last session's recovery.",
            "timeseries",
            (
                Query(
                    FAILOVERS,
                    (Column("full_convergence_ns", "max"),),
                    (),
                    ("experiment", "kind"),
                    EVERY,
                    alias="$tag_experiment $tag_kind",
                ),
            ),
            unit="ns",
            points=True,
        ),
    ),
)
