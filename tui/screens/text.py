"""A page of text that something was opened as."""

from __future__ import annotations

from collections.abc import Sequence

from textual.widget import Widget

from tui.screens.base import WatchScreen
from tui.seen import Seen
from tui.widgets.text_list import TextList


class TextScreen(WatchScreen):
    """Lines of text, with a list's keys."""

    TITLE_WORDS = "A page"

    def __init__(self, seen: Seen, name: str, title: str, lines: list[tuple[str, str]]) -> None:
        super().__init__(seen)
        self.NAME = name
        self._title = title
        self._lines = lines

    def body(self) -> Sequence[Widget]:
        """Return the list of lines."""
        self._list = TextList(self._title, classes="part")
        self._list.border_title = self._title
        self._list.put_lines(self._lines)
        return (self._list,)
