"""Experiments that can be planned, and run where the screens are armed."""

from __future__ import annotations

from tui.model.standing import ExperimentLine
from tui.widgets.listing import Cells, Column, Listing

COLUMNS = (
    Column("experiment", 24),
    Column("faults", -6),
    Column("hold s", -6),
    Column("lease s", -7),
    Column("title", 24, grows=True),
)


class ExperimentList(Listing[ExperimentLine]):
    """One row a file; one that cannot be read says why."""

    def __init__(self, **options: str) -> None:
        empty = "no experiments: start with --inventory FILE --experiments DIRECTORY"
        super().__init__(COLUMNS, self._row, lambda line: line.name, empty, **options)

    @staticmethod
    def _row(line: ExperimentLine) -> Cells:
        if not line.parsed:
            return [(f" {line.name}", "quiet"), ("-", "quiet"), ("-", "quiet"), ("-", "quiet"), (line.title, "bad")]
        last = line.parsed[-1]
        faults = "back" if last.reverts else str(len(last.faults))
        return [
            (f" {line.name}", "strong"),
            (faults, ""),
            (f"{last.hold_s:g}", ""),
            (f"{last.lease_s:g}", ""),
            (line.title, "quiet"),
        ]
