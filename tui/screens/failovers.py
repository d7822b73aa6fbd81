"""All failovers and failbacks of the run; Enter opens one."""

from __future__ import annotations

from collections.abc import Sequence

from textual.widget import Widget

from tui.model import failovers
from tui.screens.base import WatchScreen
from tui.screens.event import EventScreen
from tui.widgets.event_list import EventList
from tui.widgets.listing import Listing


class FailoversScreen(WatchScreen):
    """The table of events."""

    NAME = "failovers"
    TITLE_WORDS = "Failovers"

    def body(self) -> Sequence[Widget]:
        """Return the list."""
        self._events = EventList(self.seen, classes="part")
        self._events.border_title = "Failovers"
        return (self._events,)

    def fill(self) -> None:
        """Put the events into it."""
        frame = self.seen.frame
        if frame is not None and frame.view is not None:
            self._events.put(failovers.rows(frame.events, frame.verdict, frame.view))

    def on_listing_entered(self, event: Listing.Entered) -> None:
        """Open an event."""
        row = self._events.current
        if row is not None:
            event.stop()
            self.app.push_screen(EventScreen(self.seen, row))
