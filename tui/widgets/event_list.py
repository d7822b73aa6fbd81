"""The failovers and failbacks of a run, newest first."""

from __future__ import annotations

from tui.model.failovers import COLUMNS, EventRow
from tui.model.words import instant
from tui.seen import Seen
from tui.widgets.listing import Cells, Column, Listing

WIDTHS = {
    "when": Column("when", 11),
    "event": Column("event", 8, from_width=150),
    "fault": Column("fault", 12),
    "vantages": Column("vantages", 9, from_width=100),
    "from → to": Column("from → to", 18, grows=True),
    "data plane": Column("data plane", 15),
    "new conns": Column("new conns", 15, from_width=110),
    "held kernel": Column("held kernel", 15, from_width=130),
    "lived/dropped": Column("lived/dropped", 17, from_width=120),
    "verdict": Column("verdict", 13),
}
STYLES = ("quiet", "good", "odd", "bad")


class EventList(Listing[EventRow]):
    """One row an event. A number that still grows begins with `>`."""

    def __init__(self, seen: Seen, **options: str) -> None:
        self._seen = seen
        columns = [WIDTHS[name] for name in COLUMNS]
        super().__init__(columns, self._row, self._name_of, "no fault has been injected yet", self._order_of, **options)

    @staticmethod
    def _name_of(row: EventRow) -> str:
        return f"{row.event.experiment}/{row.event.kind}/{row.at_ns}"

    @staticmethod
    def _order_of(row: EventRow, column: int) -> object:
        return row.at_ns if column == 0 else row.cells[column - 1]

    def _row(self, row: EventRow) -> Cells:
        view = self._seen.view
        when = " " + instant(row.at_ns + (view.wall_offset_ns if view else 0), self._seen.zone)
        styles = ["quiet", "quiet", "strong", "", ""]
        plane = "bad" if row.cells[4].startswith(">") else "strong"
        styles += [plane, "bad" if row.cells[5].startswith(">") else "", "", "", STYLES[row.level]]
        return list(zip((when, *row.cells), styles, strict=True))
