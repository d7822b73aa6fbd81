"""What the controller has seen so far: the run's journals read behind a cursor, folded into observations."""

from __future__ import annotations

import time
from collections.abc import Callable

from chaos.observe import Observations
from core.records import Record, Summary
from store.runs import RunDirectory


class Telemetry:
    """Reads new records of a run and folds them; calling it returns the present observations.

    `seen` is told every new record once, in the order of reading, for the line of progress.
    """

    def __init__(self, run: RunDirectory, seen: Callable[[Record], None]) -> None:
        self._run = run
        self._seen = seen
        self._observations = Observations()

    def __call__(self) -> Observations:
        """Read what is new and return the observations, aged to this instant."""
        for record in self._run.read_new():
            self._observations = self._observations.after(record)
            self._seen(record)
        return self._observations.at(time.monotonic_ns())


class FirstAnswers:
    """Notes which vantages have had an answered heartbeat; told records as they are read."""

    def __init__(self, vantages: frozenset[str]) -> None:
        self.missing = set(vantages)

    def see(self, record: Record) -> None:
        """Strike a vantage off once a summary of it counts an answer."""
        if isinstance(record, Summary) and record.answered:
            self.missing.discard(record.vantage)
