"""The last line: the screens and the keys, from the bindings themselves."""

from __future__ import annotations

from textual.events import Click

from tui.draw.line import Line, Span, beside, width_of
from tui.seen import Seen
from tui.widgets.drawn import Drawn


class KeyBar(Drawn):
    """Screens at the left, the present one marked; keys at the right. A click does what its key does."""

    def __init__(self, seen: Seen, screens: tuple[tuple[str, str, str], ...], here: str) -> None:
        super().__init__(seen)
        self._screens = screens  # (key, name, title)
        self._here = here
        self._places: list[tuple[int, int, str]] = []

    def lines(self, width: int, height: int) -> list[Line]:
        """Return the line."""
        del height
        self._places = []
        left: Line = [Span(" ")]
        for key, name, title in self._screens:
            start = width_of(left)
            here = name == self._here
            words = title if width >= 100 or here else title[:4]
            left += [Span(f" {key} ", "key"), Span(f"{words} ", "head" if here else ""), Span(" ")]
            self._places.append((start, width_of(left), name))
        keys: list[tuple[str, str]] = [
            ("?", "help"),
            ("/", "filter"),
            ("space", "pause"),
            ("[ ]", "step"),
            ("E", "export"),
            ("q", "quit"),
        ]
        right: Line = []
        for key, words in keys:
            mine: Line = [Span(key, "key"), Span(f" {words}  ", "quiet")]
            if width_of(left) + width_of(right) + width_of(mine) <= width:
                right += mine
        return [beside(left, right, width)]

    def on_click(self, event: Click) -> None:
        """Go to the screen that was clicked."""
        for start, end, name in self._places:
            if start <= event.x < end:
                self.app.call_later(self.app.run_action, f"app.go('{name}')")
