"""The lanes of one event: from a second before it until all was answered again."""

from __future__ import annotations

from tui.draw.lanes import GUTTER, between, lanes
from tui.draw.line import Line
from tui.model.failovers import EventRow
from tui.seen import Seen
from tui.widgets.drawn import Drawn

BEFORE_NS = 1_000_000_000
AFTER_NS = 2_000_000_000
SHORTEST_NS = 3_000_000_000


class ZoomedLanes(Drawn):
    """Stays where the event is, whatever instant is shown."""

    def __init__(self, seen: Seen, row: EventRow, **options: str) -> None:
        super().__init__(seen, **options)
        self.row = row

    def lines(self, width: int, height: int) -> list[Line]:
        """Return axis, faults, lanes and legend."""
        view = self.seen.view
        if view is None:
            return []
        event = self.row.event
        last_ns = event.at_ns + (event.full_convergence_ns or 0)
        if self.row.going_on:
            last_ns = max(last_ns, view.now_ns - AFTER_NS)
        until_ns = min(
            max(last_ns + AFTER_NS, event.at_ns + SHORTEST_NS), max(event.until_ns, event.at_ns + SHORTEST_NS)
        )
        shown = between(event.at_ns - BEFORE_NS, until_ns, max(1, width - GUTTER))
        self.border_subtitle = f"1 cell = {shown.cell_ns / 1e9:g} s, its worst"
        return lanes(view, shown, width, height, self.seen.zone)
