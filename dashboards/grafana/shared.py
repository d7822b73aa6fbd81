"""What several pages have: variables, annotations, the report's address."""

from __future__ import annotations

from core.series.schema import FAILOVERS, FAULT_WINDOWS, FAULTS, NOTES, SESSIONS
from dashboards.grafana.panel import Marks, Variable
from dashboards.grafana.query import Column, Query, Where

EVERY = "$__interval"
ENVIRONMENT = Variable("environment", "Environment", SESSIONS)
VANTAGE = Variable("vantage", "Vantage", SESSIONS)
EXPERIMENT = Variable("experiment", "Experiment", FAILOVERS)
BUCKET = Variable("bucket", "Trend by", text="7d")
REPORTS = Variable("reports", "Reports at", text="/reports")
REPORT = ("run", "Report of the run", "${reports}/${__value.raw}.html")
TRUE_OUTAGE = (Where("clock", "=", "data_plane"), Where("self_inflicted", "=", value=False))
BOUNDS = tuple(
    Column(f"{clock}_{end}_ns")
    for clock in ("data_plane", "new_connections", "held_kernel")
    for end in ("lower", "upper")
)
FAULT_MARKS = Marks(
    "Faults",
    "red",
    Query(FAULT_WINDOWS, (Column("title"), Column("text"), Column("end_ms")), filters=("environment",)),
    "title",
    "text",
    "end_ms",
)
STEP_MARKS = Marks(
    "Fault steps",
    "orange",
    Query(FAULTS, (Column("title"), Column("detail")), filters=("environment",)),
    "title",
    "detail",
)
NOTE_MARKS = Marks(
    "Notes", "blue", Query(NOTES, (Column("text"), Column("run")), filters=("environment",)), "run", "text"
)
