"""What to write of the screen: its picture, or its rows."""

from __future__ import annotations

from textual.app import ComposeResult
from textual.binding import Binding
from textual.containers import Vertical
from textual.screen import ModalScreen
from textual.widgets import Label


class ExportChoice(ModalScreen[str]):
    """Ends with svg, csv or md, or with None."""

    BINDINGS = [
        Binding("s,S", "take('svg')", "SVG", id="export.svg"),
        Binding("c,C", "take('csv')", "CSV", id="export.csv"),
        Binding("m,M", "take('md')", "Markdown", id="export.md"),
        Binding("escape", "take('')", "Back", id="export.leave"),
    ]

    def __init__(self, where: str) -> None:
        super().__init__()
        self._where = where

    def compose(self) -> ComposeResult:
        """Lay it out."""
        with Vertical():
            yield Label("Export what is seen", markup=False)
            yield Label("  s  SVG, the picture of the screen", markup=False)
            yield Label("  c  CSV, the rows of its list that the filter lets through", markup=False)
            yield Label("  m  Markdown, the same rows as a table", markup=False)
            yield Label(f"into {self._where}; Esc goes back", classes="quiet-text", markup=False)

    def action_take(self, kind: str) -> None:
        """End with the choice."""
        self.dismiss(kind or None)
