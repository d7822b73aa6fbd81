"""The newest of what has happened, one line each."""

from __future__ import annotations

from tui.draw.line import Line, Span, fit
from tui.model.words import instant
from tui.widgets.drawn import Drawn

STYLES = ("quiet", "good", "odd", "bad")


class NewsBar(Drawn):
    """Newest first, as many as there is room for."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the lines."""
        view, frame = self.seen.view, self.seen.frame
        if frame is not None and frame.error:
            # What is wrong stands at the end of the first sentence, behind a path; what to do is on the health screen.
            words = frame.error.partition(". ")[0]
            cut = words if len(words) < width else f"…{words[2 - width :]}"
            return [fit([Span(f" {cut}", "bad")], width)]
        if view is None:
            return []
        found = []
        for item in list(reversed(view.news))[:height]:
            when = instant(item.t_ns + view.wall_offset_ns, self.seen.zone, 3)
            style = STYLES[item.level]
            found.append(
                [
                    Span(f" {when} ", "quiet"),
                    Span(f"{item.mark} ", style),
                    Span(item.text, "" if item.level else "quiet"),
                ]
            )
        return found
