"""A line of styled text, and cutting it to a width."""

from __future__ import annotations

from typing import NamedTuple


class Span(NamedTuple):
    """Text in one style."""

    text: str
    style: str = ""


Line = list[Span]


def plain(line: Line) -> str:
    """Return the text of a line."""
    return "".join(span.text for span in line)


def width_of(line: Line) -> int:
    """Return how many cells a line takes; everything that is drawn is one cell a character."""
    return sum(len(span.text) for span in line)


def fit(line: Line, width: int, fill: str = "") -> Line:
    """Return the line cut, with an ellipsis where something is missing, or filled to exactly `width`."""
    missing = width - width_of(line)
    if missing >= 0:
        return [*line, Span(" " * missing, fill)] if missing else line
    found: Line = []
    left = max(0, width - 1)
    for span in line:
        if len(span.text) > left:
            found.append(Span(span.text[:left] + "…"[:width], span.style))
            return found
        found.append(span)
        left -= len(span.text)
    return [*found, Span("…"[:width])]


def beside(left: Line, right: Line, width: int) -> Line:
    """Return `left` at the left and `right` at the right end of `width`; `left` is cut where both do not fit."""
    room = width - width_of(right)
    if room < 1:
        return fit(right, width)
    return [*fit(left, room), *right]


def row(cells: list[tuple[str, int, str]]) -> Line:
    """Return cells of (text, width, style) in a row, one blank between; a negative width aligns right."""
    found: Line = []
    for text, width, style in cells:
        room = abs(width)
        cut = text if len(text) <= room else text[: max(0, room - 1)] + "…"[:room]
        found.append(Span(cut.rjust(room) if width < 0 else cut.ljust(room), style))
        found.append(Span(" "))
    return found[:-1]


BARS = " ▁▂▃▄▅▆▇█"


def bar(part: float, width: int) -> str:
    """Return a horizontal bar of `part` (0 to 1), by eighths of a cell."""
    eighths = round(max(0.0, min(1.0, part)) * width * 8)
    whole, rest = divmod(eighths, 8)
    return ("█" * whole + (" ▏▎▍▌▋▊▉"[rest] if rest else "")).ljust(width)[:width]
