"""The network of the inventory, with who answers whom drawn on it."""

from __future__ import annotations

from tui.draw.line import Line, Span
from tui.draw.network import network
from tui.widgets.drawn import Drawn


class Network(Drawn):
    """Vantages at the left, sites with their nodes at the right."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the drawing."""
        view = self.seen.view
        return network(view, width, height) if view else [[Span(" the inventory is not known yet", "quiet")]]
