"""A list of any length with a cursor: only the rows in sight are made. Filter, order, j k g G, Enter."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from rich.style import Style
from textual.binding import Binding, BindingType
from textual.events import Click, Resize
from textual.geometry import Region, Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

from tui.draw.line import Line, Span, fit, row
from tui.model import filter as filters
from tui.widgets.drawn import Styled

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Column:
    """One column of `width` cells (negative: right-aligned).

    `grows`: it takes what is left; `from_width`: it is shown where the list is at least so wide.
    """

    name: str
    width: int
    grows: bool = False
    from_width: int = 0


Cells = Sequence[tuple[str, str]]
"""Text and style of each cell of a row."""


class Listing(ScrollView, Styled, Generic[T], can_focus=True):
    """Shows `items` by `cells`; `key` names an item, and the cursor stays on its name."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("j,down", "move(1)", "Down", show=False, id="list.down"),
        Binding("k,up", "move(-1)", "Up", show=False, id="list.up"),
        Binding("g,home", "end(-1)", "First", show=False, id="list.first"),
        Binding("G,end", "end(1)", "Last", show=False, id="list.last"),
        Binding("ctrl+d,pagedown", "page(1)", "Page down", show=False, id="list.page_down"),
        Binding("ctrl+u,pageup", "page(-1)", "Page up", show=False, id="list.page_up"),
        Binding("enter", "enter", "Open", id="list.enter"),
        Binding("o", "order(1)", "Order by the next column", id="list.order"),
        Binding("O", "order(0)", "Turn the order round", id="list.reverse"),
    ]

    class Entered(Message):
        """A row was entered."""

        def __init__(self, listing: Listing[Any], key: str) -> None:
            super().__init__()
            self.listing = listing
            self.key = key

        @property
        def control(self) -> Listing[Any]:
            """The list."""
            return self.listing

    def __init__(
        self,
        columns: Sequence[Column],
        cells: Callable[[T], Cells],
        key: Callable[[T], str],
        empty: str,
        ordered: Callable[[T, int], object] | None = None,
        /,
        **options: str,
    ) -> None:
        super().__init__(**options)  # type: ignore[arg-type]
        self.columns = columns
        self._cells = cells
        self._key = key
        self._empty = empty
        self._ordered = ordered
        self._all: Sequence[T] = ()
        self._rows: Sequence[T] = ()
        self._at = 0
        self._name = ""
        self._terms: tuple[filters.Term, ...] = ()
        self._order = (-1, False)
        self._texts: dict[str, tuple[T, tuple[str, ...]]] = {}

    @property
    def names(self) -> list[str]:
        """The names of the columns, as a filter may use them."""
        return [column.name.replace(" ", "-") for column in self.columns]

    @property
    def counts(self) -> tuple[int, int]:
        """How many rows are shown, of how many."""
        return len(self._rows), len(self._all)

    @property
    def current(self) -> T | None:
        """The item under the cursor."""
        return self._rows[self._at] if 0 <= self._at < len(self._rows) else None

    def shown_rows(self) -> list[tuple[str, ...]]:
        """Return the text of every row that the filter lets through, for an export."""
        return [self._text(item) for item in self._rows]

    def put(self, items: Sequence[T]) -> None:
        """Show these items; the cursor stays where it was by name."""
        self._all = items
        self._arrange()

    def narrow(self, text: str) -> None:
        """Show only what fits a filter. Raises FilterError."""
        self._terms = filters.parse(text, self.names)
        self._arrange()

    def _text(self, item: T) -> tuple[str, ...]:
        name = self._key(item)
        known = self._texts.get(name)
        if known is not None and known[0] is item:
            return known[1]
        text = tuple(cell for cell, _ in self._cells(item))
        self._texts[name] = (item, text)
        return text

    def _arrange(self) -> None:
        rows = self._all
        if self._terms:
            fits = filters.matcher(self._terms, self.names)
            rows = [item for item in rows if fits(self._text(item))]
        column, down = self._order
        if column >= 0:
            by = self._ordered
            rows = sorted(rows, key=lambda item: by(item, column) if by else self._text(item)[column], reverse=down)  # type: ignore[arg-type,return-value]
        if len(self._texts) > 2 * len(self._all) + 100:
            self._texts = {}
        self._rows = rows
        at = (
            next((index for index, item in enumerate(rows) if self._key(item) == self._name), None)
            if self._name
            else None
        )
        self._at = max(0, min(len(rows) - 1, self._at)) if at is None else at
        self.virtual_size = Size(self.size.width, len(rows) + 1)
        self.refresh()

    # --- keys ---------------------------------------------------------------------------------------------------

    def action_move(self, by: int) -> None:
        """Move the cursor."""
        self._go(self._at + by)

    def action_end(self, end: int) -> None:
        """Go to the first or the last row."""
        self._go(0 if end < 0 else len(self._rows) - 1)

    def action_page(self, by: int) -> None:
        """Move the cursor by a page."""
        self._go(self._at + by * max(1, self.size.height - 2))

    def action_enter(self) -> None:
        """Tell that the row under the cursor was entered."""
        item = self.current
        if item is not None:
            self.post_message(self.Entered(self, self._key(item)))

    def action_order(self, step: int) -> None:
        """Order by the next column, or turn the order round."""
        column, down = self._order
        if step:
            column = column + 1 if column + 1 < len(self.columns) else -1
        else:
            down = not down
        self._order = (column, down)
        self._arrange()

    def _go(self, to: int) -> None:
        if not self._rows:
            return
        self._at = max(0, min(len(self._rows) - 1, to))
        self._name = self._key(self._rows[self._at])
        self.scroll_to_region(Region(0, self._at, 1, 2), animate=False, force=True)
        self.refresh()

    def on_click(self, event: Click) -> None:
        """Put the cursor on a row; a second click enters it."""
        at = event.y - 1 + self.scroll_offset.y
        if event.y >= 1 and 0 <= at < len(self._rows):
            again = at == self._at
            self._go(at)
            if again:
                self.action_enter()

    def on_resize(self, event: Resize) -> None:
        """Draw for another size."""
        del event
        self.virtual_size = Size(self.size.width, len(self._rows) + 1)

    # --- drawing ------------------------------------------------------------------------------------------------

    def _widths(self, width: int) -> list[int]:
        """Return the width of each column, 0 where it is left out."""
        found = [column.width if width >= column.from_width else 0 for column in self.columns]
        taken = sum(abs(each) + 1 for each in found if each)
        growing = [index for index, column in enumerate(self.columns) if column.grows and found[index]]
        for index in growing:
            found[index] += max(0, width - taken) // len(growing)
        return found

    def render_line(self, y: int) -> Strip:
        """Return the header, which stays, or one row."""
        width, base = self.size.width, self.rich_style
        widths = self._widths(width)
        if y == 0:
            return self.strip(self._header(widths), width, base)
        at = y - 1 + self.scroll_offset.y
        if at >= len(self._rows):
            line: Line = [Span(f" {self._nothing()}", "quiet")] if not self._rows and y == 1 else []
            return self.strip(line, width, base)
        cells = self._cells(self._rows[at])
        line = row([(text, wide, style) for (text, style), wide in zip(cells, widths, strict=True) if wide])
        if at == self._at and self.has_focus:
            return (
                self.strip(fit(line, width), width, base)
                .apply_style(Style.null())
                .apply_style(self.style_named("cursor"))
            )
        return self.strip(line, width, base)

    def _header(self, widths: Sequence[int]) -> Line:
        cells: list[tuple[str, int, str]] = []
        for index, (column, wide) in enumerate(zip(self.columns, widths, strict=True)):
            if wide:
                arrow = ("▼" if self._order[1] else "▲") if self._order[0] == index else ""
                cells.append(
                    (f"{'' if cells or wide < 0 else ' '}{column.name}{arrow}", wide, "head" if arrow else "quiet")
                )
        return row(cells)

    def _nothing(self) -> str:
        return "nothing fits the filter; Esc clears it" if self._all else self._empty
