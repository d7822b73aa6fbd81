"""Lines of text that can be moved through and filtered: a report, a plan, a comparison."""

from __future__ import annotations

from tui.widgets.listing import Cells, Column, Listing

Numbered = tuple[int, str, str]
"""Number of the line, its text, its style."""


class TextList(Listing[Numbered]):
    """One row a line."""

    def __init__(self, title: str, empty: str = "nothing", **options: str) -> None:
        super().__init__([Column(title, 20, grows=True)], self._row, lambda line: str(line[0]), empty, **options)

    @staticmethod
    def _row(line: Numbered) -> Cells:
        return [(f" {line[1]}", line[2])]

    def put_lines(self, lines: list[tuple[str, str]]) -> None:
        """Show these lines, each with its style."""
        self.put([(number, text, style) for number, (text, style) in enumerate(lines)])
