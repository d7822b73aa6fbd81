"""Whether new faults are allowed on this machine, and whether a guard is here."""

from __future__ import annotations

from tui.draw.line import Line, Span
from tui.widgets.drawn import Drawn
from tui.widgets.schedule_list import schedule_words


class StandingBar(Drawn):
    """Two lines."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines."""
        del width, height
        standing = self.seen.standing
        if standing.stopped:
            switch: Line = [
                Span(" STOPPED ", "word-caution"),
                Span(f" new faults are blocked: {standing.stopped}; `vipchaos resume`"),
            ]
        else:
            switch = [
                Span(" ALLOWED ", "word-quiet"),
                Span(" the kill switch is off; "),
                Span("K", "key"),
                Span(" reverts everything and blocks"),
            ]
        guard = "its socket is there" if standing.guard else "none runs here"
        rest: Line = [Span(f" guard: {guard}    schedule: {schedule_words(standing.schedule)}", "quiet")]
        if standing.error:
            rest = [Span(f" {standing.error}", "bad")]
        return [switch, rest]
