"""PAUSED, in letters that cannot be overlooked; and that the recording goes on."""

from __future__ import annotations

from tui.draw.line import Line, Span
from tui.model.words import instant, seconds, zone_name
from tui.widgets.drawn import Drawn

LETTERS = (" █▀█ ▄▀█ █ █ █▀▀ █▀▀ █▀▄ ", " █▀▀ █▀█ █▄█ ▄▄█ ██▄ █▄▀ ")


class Banner(Drawn):
    """Seen while the view is halted, and not there otherwise."""

    def show(self) -> None:
        """Come and go with the pause."""
        self.display = self.seen.paused
        super().show()

    def lines(self, width: int, height: int) -> list[Line]:
        """Return two lines of block letters, and beside them what they mean."""
        del width, height
        view, frame = self.seen.view, self.seen.frame
        if view is None or frame is None:
            return []
        at = f"at {instant(view.now_ns + view.wall_offset_ns, self.seen.zone, 2)} {zone_name(self.seen.zone)}"
        if frame.running:
            where, goes_on = f"{seconds(frame.present_ns - view.now_ns)} behind", "the recording goes on;"
        else:
            where, goes_on = f"{seconds(view.now_ns - view.begun_ns)} into the run", ""
        return [
            [Span(LETTERS[0], "paused"), Span(f" {at}, {where}", "strong")],
            [Span(LETTERS[1], "paused"), Span(f" {goes_on} space goes on, [ ] step, S seek", "quiet")],
        ]
