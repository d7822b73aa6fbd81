"""Whether what the other screens show can be believed: probes, journals, guard, and how old the data are."""

from __future__ import annotations

from collections.abc import Sequence

from textual.widget import Widget

from tui.screens.base import WatchScreen
from tui.widgets.health_bar import HealthBar
from tui.widgets.health_list import HealthList


class HealthScreen(WatchScreen):
    """One row a vantage, and what else must be well."""

    NAME = "health"
    TITLE_WORDS = "Health"

    def body(self) -> Sequence[Widget]:
        """Return the list of probes and the rest below."""
        self._list = HealthList(self.seen, classes="part")
        self._list.border_title = "Probes"
        rest = HealthBar(self.seen, id="rest", classes="part")
        rest.styles.height = 8
        rest.border_title = "Journals, guard, shippers"
        return (self._list, rest)

    def fill(self) -> None:
        """Put the vantages into it."""
        view = self.seen.view
        if view is not None:
            self._list.put(list(view.vantages.values()))
