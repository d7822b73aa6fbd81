"""The widget that all others are: it draws lines of styled text, anew only when it was shown something new."""

from __future__ import annotations

from rich.segment import Segment
from rich.style import Style
from textual.events import Resize
from textual.strip import Strip
from textual.widget import Widget

from tui.draw.line import Line, fit
from tui.seen import Seen


class Styled(Widget):
    """Knows the styles by name; what they look like is in the stylesheet, and worked out once a screen."""

    def style_named(self, names: str) -> Style:
        """Return the style that names, set apart by blanks, make together."""
        known: dict[str, Style] = self.__dict__.setdefault("_styles_known", {})
        if names in known:
            return known[names]
        style = Style.null()
        for name in names.split():
            style += self.screen.get_component_rich_style(name, partial=True, default=Style.null())
        known[names] = style
        return style

    def notify_style_update(self) -> None:
        """Look the styles up anew: the theme is another."""
        super().notify_style_update()
        self.__dict__.pop("_styles_known", None)

    def strip(self, line: Line, width: int, base: Style) -> Strip:
        """Return a line as what a terminal gets."""
        segments = [Segment(span.text, base + self.style_named(span.style)) for span in fit(line, width)]
        return Strip(segments, width)


class Drawn(Styled):
    """Draws what `lines` says. `show` takes in what is new; without it nothing is computed."""

    def __init__(self, seen: Seen, **options: str) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.seen = seen
        self._strips: list[Strip] | None = None

    def lines(self, width: int, height: int) -> list[Line]:
        """Return what is to be seen."""
        raise NotImplementedError

    def show(self) -> None:
        """Draw what `seen` has become."""
        self._strips = None
        self.refresh()

    def on_resize(self, event: Resize) -> None:
        """Draw for another size."""
        del event
        self.show()

    def notify_style_update(self) -> None:
        """Draw in another theme."""
        super().notify_style_update()
        self._strips = None

    def render_line(self, y: int) -> Strip:
        """Return one line of it."""
        width, height = self.size
        if self._strips is None:
            base = self.rich_style
            self._strips = [self.strip(line, width, base) for line in self.lines(width, height)]
        if y < len(self._strips):
            return self._strips[y]
        return Strip.blank(width, self.rich_style)
