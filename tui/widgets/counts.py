"""Sessions by vantage, in figures."""

from __future__ import annotations

from tui.draw.counts import counts
from tui.draw.line import Line, Span
from tui.widgets.drawn import Drawn


class Counts(Drawn):
    """With the class `with-catchment` it says who answers too, where there is no room for the network."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the table."""
        view = self.seen.view
        if view is None:
            return [[Span(" no session yet", "quiet")]]
        return counts(view, width, height, self.has_class("with-catchment"))
