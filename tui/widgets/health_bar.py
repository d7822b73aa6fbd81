"""The journals that are read, how far behind the view is, guard and kill switch, shippers."""

from __future__ import annotations

from tui.draw.line import Line, Span
from tui.model.words import seconds
from tui.widgets.drawn import Drawn


class HealthBar(Drawn):
    """A few lines."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines."""
        del width, height
        frame, view, standing = self.seen.frame, self.seen.view, self.seen.standing
        found: list[Line] = []
        if frame is None or view is None:
            found.append(
                [
                    Span(" journal   ", "strong"),
                    Span(frame.error if frame and frame.error else "none is read yet", "quiet"),
                ]
            )
        else:
            words = frame.error or f"{frame.path}, {view.records} records shown"
            found.append([Span(" journal   ", "strong"), Span(words, "bad" if frame.error else "")])
            state = "goes on" if frame.running else f"ended: {view.outcome or 'its end was never written'}"
            found.append([Span(" run       ", "strong"), Span(f"{view.run or '-'}, {state}")])
            behind = max(0, frame.present_ns - view.now_ns)
            found.append(
                [Span(" view      ", "strong"), Span(f"{seconds(behind)} behind the newest record or the present")]
            )
        guard = "its socket is there" if standing.guard else "none runs here"
        found.append(
            [Span(" guard     ", "strong"), Span(guard), Span(f"; {len(standing.leases)} leases out", "quiet")]
        )
        switch = f"on: {standing.stopped}" if standing.stopped else "off"
        found.append([Span(" kill      ", "strong"), Span(f"switch {switch}", "odd" if standing.stopped else "")])
        found.append([Span(" shippers  ", "strong"), Span("not shown yet", "quiet")])
        return found
