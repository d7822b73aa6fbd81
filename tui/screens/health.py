"""Whether what the other screens show can be believed: probes, journals, guard, and how old the data are."""

from __future__ import annotations

from collections.abc import Sequence

from textual.widget import Widget

from tui.screens.base import WatchScreen
from tui.widgets.health_bar import HealthBar
from tui.widgets.health_list import HealthList

OTHERS = 7
"""Lines below the probes that are no shipper's, a line for the border included."""


class HealthScreen(WatchScreen):
    """One row a vantage, and what else must be well."""

    NAME = "health"
    TITLE_WORDS = "Health"

    def body(self) -> Sequence[Widget]:
        """Return the list of probes and the rest below."""
        self._list = HealthList(self.seen, classes="part")
        self._list.border_title = "Probes"
        self._rest = HealthBar(self.seen, id="rest", classes="part")
        self._rest.border_title = "Journals, guard, shippers"
        return (self._list, self._rest)

    def fill(self) -> None:
        """Put the vantages into it."""
        self._rest.styles.height = OTHERS + max(1, len(self.seen.standing.shippers))
        view = self.seen.view
        if view is not None:
            self._list.put(list(view.vantages.values()))
