"""One event in full, as text; it scrolls with the screen's own list beside it."""

from __future__ import annotations

from tui.draw.event import event_lines
from tui.draw.line import Line
from tui.model.failovers import EventRow
from tui.seen import Seen
from tui.widgets.drawn import Drawn


class EventText(Drawn):
    """As high as it needs to be."""

    def __init__(self, seen: Seen, row: EventRow, **options: str) -> None:
        super().__init__(seen, **options)
        self.row = row

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines."""
        del height
        return event_lines(self.row, self.seen.frame, width) if self.seen.frame else []

    def show(self) -> None:
        """Take as many lines as there are to show."""
        if self.seen.frame is not None:
            self.styles.height = len(event_lines(self.row, self.seen.frame, 500)) + 1
        super().show()
