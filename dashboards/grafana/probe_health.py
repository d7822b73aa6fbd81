"""The page Probe health: how far the figures can be believed."""

from __future__ import annotations

from core.series.schema import FAULTS, OUTAGES, PROBE_HEALTH, SHIPPER
from dashboards.grafana.panel import Page, Panel
from dashboards.grafana.query import Column, Query, Where, columns
from dashboards.grafana.shared import ENVIRONMENT, EVERY, NOTE_MARKS, VANTAGE


def _health(title: str, about: str, columns: tuple[Column, ...], unit: str = "short") -> Panel:
    query = Query(PROBE_HEALTH, columns, by=("vantage",), every=EVERY, alias="$tag_vantage $col")
    return Panel(title, about, "timeseries", (query,), unit=unit)


def _shipper(title: str, about: str, name: str, unit: str = "short") -> Panel:
    return Panel(
        title, about, "timeseries", (Query(SHIPPER, (Column(name, "last"),), every=EVERY, alias=name),), unit, width=6
    )


PROBE_PAGE = Page(
    "vipchaos-probe-health",
    "vipchaos: probe health",
    "How far the figures can be believed: lateness, drops of the probe's own, lag of shipping, leases.",
    "now-1h",
    "10s",
    (ENVIRONMENT, VANTAGE),
    (NOTE_MARKS,),
    (
        _health(
            "Lateness of heartbeats",
            "From when a heartbeat was due until it was sent.",
            (Column("late_p99_ns", "max", "p99"), Column("late_max_ns", "max", "worst")),
            "ns",
        ),
        _health(
            "Packets the probe lost itself",
            "Found the receive ring full; or were not taken by the kernel.",
            (Column("ring_dropped", "sum", "ring dropped"), Column("refused", "sum", "refused")),
        ),
        _health(
            "Heartbeats never sent, and unanswered",
            "Skipped because the probe was late; lost in the network.",
            (Column("skipped", "sum", "skipped"), Column("lost", "sum", "lost")),
        ),
        _health("Processor time", "Of the agent, a second.", (Column("cpu_ns", "mean", "cpu"),), "ns"),
        _health(
            "Slow path",
            "Sessions on it, and packets that wait for it.",
            (Column("visits", "max", "sessions"), Column("backlog", "max", "packets")),
        ),
        Panel(
            "Gaps of the probe's own",
            "Gaps that its own lateness explains: no outages.",
            "timeseries",
            (
                Query(
                    OUTAGES,
                    (Column("slot", "count"),),
                    (Where("self_inflicted", "=", value=True),),
                    ("vantage",),
                    EVERY,
                    alias="$tag_vantage",
                ),
            ),
        ),
        _shipper("Shipper lag", "Records in journals and not shipped.", "lag_records"),
        _shipper("Shipper lag in time", "Age of the oldest of them.", "lag_s", "s"),
        _shipper("Dead letters", "Points that the server refused, ever.", "dead_letters"),
        _shipper("Shipping rate", "Points a second over a minute.", "rate_per_s", "cps"),
        Panel(
            "Leases",
            "Armed, reverted, revert failed: an armed one without a later revert is out until its lease ends.",
            "table",
            (
                Query(
                    FAULTS,
                    columns("experiment", "fault", "phase", "lease", "lease_s", "run"),
                    (Where("lease", "!=", ""),),
                    newest=100,
                    filters=("environment",),
                ),
            ),
            width=24,
        ),
    ),
)
