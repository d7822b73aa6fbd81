"""Who answered each vantage over the last minute: the lanes, with faults across them."""

from __future__ import annotations

from tui.draw.lanes import GUTTER, lanes, window
from tui.draw.line import Line, Span
from tui.widgets.drawn import Drawn


class Lanes(Drawn):
    """The lanes up to the instant shown."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return axis, faults, lanes and legend."""
        view = self.seen.view
        if view is None:
            return [[Span(" nobody has been asked yet", "quiet")]]
        shown = window(view.now_ns, self.seen.span_s, max(1, width - GUTTER))
        frame = self.seen.frame
        old = frame is not None and frame.running and len(view.stale) == len(view.vantages)
        span = round(shown.cells * shown.cell_ns / 1e9)
        self.border_title = f"Who answered, last {span} s"
        self.border_subtitle = f"1 cell = {shown.cell_ns / 1e9:g} s, its worst"
        return lanes(view, shown, width, height, self.seen.zone, dim=old)
