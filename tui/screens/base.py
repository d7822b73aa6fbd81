"""What every screen has: the top line, the sentence, PAUSED, the news, the keys; and at most one main list."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.events import Resize
from textual.screen import Screen
from textual.widget import Widget

from tui.keys import SCREENS
from tui.model.filter import FilterError
from tui.seen import Seen
from tui.styles import STYLES
from tui.widgets.banner import Banner
from tui.widgets.drawn import Drawn
from tui.widgets.headline import HeadlineBar
from tui.widgets.key_bar import KeyBar
from tui.widgets.listing import Listing
from tui.widgets.news import NewsBar
from tui.widgets.top_bar import TopBar

NARROW, WIDE = 100, 160
LOW, MIDDLE, HIGH = 30, 36, 50


class WatchScreen(Screen[None]):
    """One of the six screens, or what Enter opens. `fill` puts what is seen into its lists."""

    COMPONENT_CLASSES = set(STYLES)
    NAME = ""
    TITLE_WORDS = ""
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen
        self.filter_text = ""

    def compose(self) -> ComposeResult:
        """Lay it out, the middle by `body`."""
        yield TopBar(self.seen)
        yield HeadlineBar(self.seen)
        yield Banner(self.seen)
        yield from self.body()
        yield NewsBar(self.seen)
        yield KeyBar(self.seen, SCREENS, self.NAME)

    def body(self) -> Sequence[Widget]:
        """Return what is particular to the screen."""
        return ()

    def fill(self) -> None:
        """Put what is seen into lists; drawn widgets look for themselves."""

    @property
    def listing(self) -> Listing[Any] | None:
        """The list that filter and export are about."""
        return next(iter(self.query(Listing)), None)

    def on_mount(self) -> None:
        """Show what is known already."""
        if self.listing is not None:
            self.listing.focus()
        self.show()

    def on_screen_resume(self) -> None:
        """Show what has changed meanwhile."""
        self.show()

    def on_resize(self, event: Resize) -> None:
        """Choose the layout for the size."""
        width, height = event.size
        self.set_class(width < NARROW, "-narrow")
        self.set_class(width >= WIDE, "-wide")
        self.set_class(height < LOW, "-low")
        self.set_class(MIDDLE <= height < HIGH, "-middle")
        self.set_class(height >= HIGH, "-high")
        self.call_after_refresh(self.show)

    def show(self) -> None:
        """Draw what `seen` has become."""
        if not self.is_mounted:
            return
        self.set_class(self.seen.paused, "-paused")
        self.fill()
        for widget in self.query(Drawn):
            widget.show()
        self.label()

    def label(self) -> None:
        """Say in the border of the main list how many rows there are, and the filter."""
        listing = self.listing
        if listing is None:
            return
        shown, total = listing.counts
        counts = f"{total}" if shown == total else f"{shown} of {total}"
        listing.border_subtitle = f"{counts}, filter: {self.filter_text}" if self.filter_text else counts

    def narrow(self, text: str) -> str:
        """Filter the main list; return what is wrong with the filter, or ''."""
        if self.listing is None:
            return "this screen has no list to filter"
        try:
            self.listing.narrow(text)
        except FilterError as error:
            return str(error)
        self.filter_text = text.strip()
        self.label()
        return ""

    def own_bindings(self) -> list[Binding]:
        """Return the bindings of this screen alone, for its help."""
        return [each for each in type(self).BINDINGS if isinstance(each, Binding)]
