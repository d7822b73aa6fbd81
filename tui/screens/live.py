"""The live screen: who answers whom, what is being done to the network, what it has cost."""

from __future__ import annotations

from collections.abc import Sequence

from textual.containers import Horizontal
from textual.widget import Widget

from tui.model import failovers
from tui.screens.base import WatchScreen
from tui.screens.event import EventScreen
from tui.widgets.counts import Counts
from tui.widgets.event_list import EventList
from tui.widgets.lanes import Lanes
from tui.widgets.listing import Listing
from tui.widgets.network import Network


class LiveScreen(WatchScreen):
    """Network and counts, lanes, the last failovers, news."""

    NAME = "live"
    TITLE_WORDS = "Live"

    def body(self) -> Sequence[Widget]:
        """Return network and counts beside each other, lanes and failovers below."""
        self._network = Network(self.seen, id="network", classes="part")
        self._network.border_title = "Network"
        self._counts = Counts(self.seen, id="counts", classes="part")
        self._counts.border_title = "Sessions"
        self._events = EventList(self.seen, id="events", classes="part")
        self._events.border_title = "Failovers"
        above = Horizontal(self._network, self._counts, id="above")
        lanes = Lanes(self.seen, id="lanes", classes="part")
        lanes.border_title = "Who answered"
        return (above, lanes, self._events)

    def show(self) -> None:
        """Draw; where there is no room for the network, the counts say who answers too."""
        self._counts.set_class(self.has_class("-narrow"), "with-catchment")
        self._counts.border_title = "Who answers whom" if self.has_class("-narrow") else "Sessions"
        super().show()

    def on_listing_entered(self, event: Listing.Entered) -> None:
        """Open an event."""
        row = self._events.current
        if row is not None:
            event.stop()
            self.app.push_screen(EventScreen(self.seen, row))

    def fill(self) -> None:
        """Put the events into their list."""
        frame = self.seen.frame
        if frame is not None and frame.view is not None:
            self._events.put(failovers.rows(frame.events, frame.verdict, frame.view))
