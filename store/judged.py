"""The points that a run gives at its end: its journals are read whole, and judged as `vipchaos report` judges them."""

from __future__ import annotations

from pathlib import Path

from core.errors import CallError
from core.judge import judge
from core.records import RunStarted
from core.series.outcome import outcome_points
from core.series.point import Point
from store.recorded import what_was_run
from store.runs import RunDirectory


def run_points(path: Path) -> tuple[list[Point], int]:
    """Return the points of the run at `path`, and the offset from its controller's clock to the wall.

    Raises CallError, ConfigError or JournalError where the run cannot be judged.
    """
    run = RunDirectory(path)
    records = run.read_all()
    started = next((record for record in records if isinstance(record, RunStarted)), None)
    if started is None:
        raise CallError(f"run {run.run}: its journal has no beginning; there is nothing to judge")
    verdict = judge(records, *what_was_run(run, started))
    offset_ns = started.wall_ns - started.t_ns
    return outcome_points(records, verdict, run.run, offset_ns), offset_ns
