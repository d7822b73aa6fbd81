"""The sentence that a tired person understands at three in the morning; it is the first thing that is right."""

from __future__ import annotations

from tui.draw.line import Line, Span, beside, width_of
from tui.widgets.drawn import Drawn

STOP = "[K] stop everything "


class HeadlineBar(Drawn):
    """Two lines: the word, and what belongs to it."""

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the sentence, wrapped between its parts."""
        said = self.seen.headline
        line: Line = [Span(f" {said.word} ", f"word-{said.mood}"), Span(" ")]
        lines: list[Line] = [line]
        right: Line = [] if self.seen.read_only else [Span(STOP, "key")]
        room = width - width_of(right)
        for number, part in enumerate(said.parts):
            dot = " · " if number else " "
            if (
                width_of(lines[-1]) + len(dot) + len(part) > (room if len(lines) == 1 else width)
                and len(lines) < height
            ):
                lines.append([Span(" " * (len(said.word) + 3))])
                dot = " "
            style = {"bad": "bad", "caution": "odd"}.get(said.mood, "strong") if number == 0 else ""
            lines[-1] += [Span(dot, "quiet"), Span(part, style)]
        lines[0] = beside(lines[0], right, width)
        return lines
