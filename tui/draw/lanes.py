"""The lanes: a row a vantage, a cell a span of time, by who answered; faults above them, what the signs mean below."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timezone

from core.inventory import Inventory
from tui.draw.line import BARS, Line, Span, fit, row
from tui.model.faults import FaultView
from tui.model.history import FINE_NS, Cell, State, lane
from tui.model.places import Place, sign
from tui.model.view import FRESH_NS, Second, VantageView, View
from tui.model.words import instant, zone_name

MS = 1_000_000
CELLS_NS = tuple(
    value * MS
    for value in (20, 40, 60, 100, 200, 300, 400, 500, 600, 800, 1000, 1200, 1500, 2000, 2500, 3000, 4000, 5000)
)
SPANS_S = (2, 5, 10, 20, 30, 60, 120, 300)
TICKS_S = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120)
LABEL_WIDTH = 10
THICKEST = 3
GUTTER = 16
SIGNS = {
    State.NOBODY: ("✖", "nobody"),
    State.PART: ("╳", "part-cell"),
    State.UNKNOWN: ("?", "unknown"),
    State.LATE: ("·", "late"),
}

_MEANINGS = (
    (State.NOBODY, "nobody"),
    (State.PART, "some not"),
    (State.LATE, "probe late"),
    (State.UNKNOWN, "no data"),
)


@dataclass(frozen=True, slots=True)
class Window:
    """What of the time is drawn: `cells` cells of `cell_ns` from `begin_ns` on."""

    begin_ns: int
    cell_ns: int
    cells: int

    @property
    def end_ns(self) -> int:
        """The instant after the last cell."""
        return self.begin_ns + self.cells * self.cell_ns

    def column(self, t_ns: int) -> int:
        """Return the cell that holds an instant; below 0 or beyond the last one where none does."""
        return (t_ns - self.begin_ns) // self.cell_ns


def window(now_ns: int, span_s: float, cells: int) -> Window:
    """Return at least the last `span_s` seconds in `cells` cells that do not shift against time as it goes on."""
    wanted_ns = span_s * 1e9 / max(1, cells)
    cell_ns = next((each for each in CELLS_NS if each >= wanted_ns), CELLS_NS[-1])
    return Window((now_ns // cell_ns - cells + 1) * cell_ns, cell_ns, cells)


def between(from_ns: int, until_ns: int, cells: int) -> Window:
    """Return a window that begins at one instant and goes at least to another."""
    wanted_ns = (until_ns - from_ns) / max(1, cells)
    cell_ns = next((each for each in CELLS_NS if each >= wanted_ns), math.ceil(wanted_ns / FINE_NS) * FINE_NS)
    return Window(from_ns // cell_ns * cell_ns, cell_ns, cells)


def style_of(cell: Cell, inventory: Inventory | None) -> tuple[str, str]:
    """Return the character and the style of a cell."""
    if cell.state is State.NOTHING:
        return " ", ""
    drawn = sign(cell.place, inventory)
    style = f"site{drawn.site % 6 if drawn.site >= 0 else '-none'}{'' if drawn.first else '-other'}"
    if cell.state is State.LATE:
        return SIGNS[cell.state][0], style  # who answered is known all the same
    return SIGNS.get(cell.state, (drawn.char, style))


def lane_of(vantage: VantageView, view: View, shown: Window) -> tuple[Cell, ...]:
    """Return the cells of one vantage; nothing is believed that is newer than what it told last."""
    heard_ns = vantage.last_ns + FRESH_NS if not vantage.stopped else view.now_ns
    return lane(vantage.history, shown.begin_ns, shown.cell_ns, shown.cells, heard_ns, view.now_ns)


def lanes(view: View, shown: Window, width: int, height: int, zone: timezone, dim: bool = False) -> list[Line]:
    """Return the lanes in at most `height` lines: axis, faults, a lane each vantage, legend.

    `dim`: drawn grey, because what is shown is old. `shown.cells` must be `width - GUTTER`.
    """
    vantages = list(view.vantages.values())
    room = height - 3
    fits = vantages if len(vantages) <= room else _worst_first(vantages)[: max(1, room - 1)]
    # Where there is room, each lane has its round trip below it, then a blank, then more rows of its own.
    rows = room // max(1, len(fits))
    lines = [axis(view, shown, zone), faults(view, shown)]
    tint = _tinted(view.faults, shown, view.now_ns)
    for vantage in fits:
        painted = _painted(lane_of(vantage, view, shown), view, tint, dim)
        thick = min(THICKEST, max(1, rows - 2))
        lines += [[*_gutter(vantage, view), *painted], *[[Span(" " * GUTTER), *painted]] * (thick - 1)]
        if rows > 1:
            lines.append([Span("rtt".rjust(GUTTER - 2) + "  ", "quiet"), *_rtt(vantage.seconds, shown, view.now_ns)])
        if rows > 2:
            lines.append([])
    if len(fits) < len(vantages):
        lines.append([Span(f"  and {len(vantages) - len(fits)} more: make the terminal higher, or M", "quiet")])
    lines.append(legend(view, width))
    return [fit(line, width) for line in lines[:height]]


def _worst_first(vantages: Sequence[VantageView]) -> list[VantageView]:
    return sorted(vantages, key=lambda each: (-each.silent / max(1, each.slots), each.name))


def _gutter(vantage: VantageView, view: View) -> Line:
    """Return the name of a vantage and who answers it now."""
    if vantage.stale(view.now_ns):
        return [*row([(f" {vantage.name}", 6, "strong"), ("no data", 8, "unknown")]), Span(" ")]
    if not vantage.slots:
        return [*row([(f" {vantage.name}", 6, "strong"), ("ended" if vantage.stopped else "-", 8, "quiet")]), Span(" ")]
    if vantage.silent >= vantage.slots:
        return [*row([(f" {vantage.name}", 6, "strong"), ("nobody", 8, "bad")]), Span(" ")]
    place = vantage.answering[0][0] if vantage.answering else vantage.last_place
    mark = "+" if len(vantage.answering) > 1 else ""
    drawn = sign(place, view.inventory)
    style = f"site{drawn.site % 6 if drawn.site >= 0 else '-none'}"
    return [*row([(f" {vantage.name}", 6, "strong"), (f"{place.words}{mark}", 8, style)]), Span(" ")]


def _painted(cells: Sequence[Cell], view: View, tint: Sequence[str], dim: bool) -> Line:
    """Return cells as spans, those of one style together."""
    found: Line = []
    for cell, shade in zip(cells, tint, strict=True):
        char, style = style_of(cell, view.inventory)
        style = "unknown" if dim and style else style
        # Nothing is laid over the red of a gap.
        name = style if cell.state is State.NOBODY else f"{style} {shade}".strip()
        if found and found[-1].style == name:
            found[-1] = Span(found[-1].text + char, name)
        else:
            found.append(Span(char, name))
    return found


def _tinted(found: Sequence[FaultView], shown: Window, now_ns: int) -> list[str]:
    """Return for each cell whether a fault was injected or reverted in it, or is out."""
    tint = [""] * shown.cells
    for fault in found:
        if not fault.injected_ns:
            continue
        first, last = shown.column(fault.injected_ns), shown.column(fault.reverted_ns or now_ns)
        for column in range(max(0, first), min(shown.cells, last + 1)):
            tint[column] = tint[column] or "fault-out"
        ended = last if fault.reverted_ns else -1
        for column, name in ((first, "fault-in"), (ended, "fault-end")):
            if 0 <= column < shown.cells:
                tint[column] = name
    return tint


def axis(view: View, shown: Window, zone: timezone) -> Line:
    """Return the time of day above the cells."""
    per_tick = max(LABEL_WIDTH, 8)
    step_s = next((each for each in TICKS_S if each * 1e9 / shown.cell_ns >= per_tick), TICKS_S[-1])
    step_ns = round(step_s * 1e9)
    text = [" "] * shown.cells
    wall_ns = shown.begin_ns + view.wall_offset_ns
    at_ns = -(-wall_ns // step_ns) * step_ns
    full = True
    while (column := shown.column(at_ns - view.wall_offset_ns)) < shown.cells:
        whole = instant(at_ns, zone, 1 if step_s < 1 else 0)
        label = whole if full or at_ns % 60_000_000_000 == 0 else whole[5:]
        for offset, char in enumerate(f"╷{label}"):
            if 0 <= column + offset < shown.cells:
                text[column + offset] = char
        at_ns += step_ns
        full = False
    return [Span(zone_name(zone).rjust(GUTTER - 2) + "  ", "quiet"), Span("".join(text), "axis")]


def faults(view: View, shown: Window) -> Line:
    """Return where faults were injected (▼) and reverted (▲), and that they are out between."""
    cells = [(" ", "")] * shown.cells
    groups = _groups(view.faults)
    for begin_ns, end_ns, _ in groups:
        last = shown.column(end_ns or view.now_ns)
        for column in range(max(0, shown.column(begin_ns)), min(shown.cells, last + 1)):
            cells[column] = ("─", "mark-in")
        if end_ns and 0 <= last < shown.cells:
            cells[last] = ("▲", "mark-out")
    for begin_ns, _, label in groups:
        column = shown.column(begin_ns)
        first = column - len(label) - 1
        # Near the right end the name stands before the mark, or it would be cut off, unless another stands there.
        taken = any(first <= shown.column(t_ns) + 1 < column for one in groups for t_ns in one[:2] if t_ns)
        left = column + len(label) + 2 >= shown.cells and first >= 0 and not taken
        for at, char in enumerate(f"{label} ▼" if left else f"▼ {label} ", first if left else column):
            if at >= shown.cells or (at > column and cells[max(0, at)][0] == "▲"):
                break
            if at >= 0:
                cells[at] = (char, "mark-in")
    line: Line = [Span("fault".rjust(GUTTER - 2) + "  ", "quiet")]
    for char, style in cells:
        if line[-1].style == style and len(line) > 1:
            line[-1] = Span(line[-1].text + char, style)
        else:
            line.append(Span(char, style))
    return line


def _groups(found: Sequence[FaultView]) -> list[tuple[int, int, str]]:
    """Return the faults of each lease as one: first injection, last revert (0 while out), what it acts on."""
    leases: dict[str, list[FaultView]] = {}
    for fault in found:
        if fault.injected_ns:
            leases.setdefault(fault.lease, []).append(fault)
    groups = []
    for mine in leases.values():
        ended = all(fault.reverted_ns for fault in mine)
        labels = dict.fromkeys(name for fault in mine for name in fault.label.split())
        until_ns = max(fault.reverted_ns for fault in mine) if ended else 0
        groups.append((min(fault.injected_ns for fault in mine), until_ns, " ".join(labels)))
    return groups


def legend(view: View, width: int) -> Line:
    """Return what the signs mean, of those places that the inventory has; shorter where there is little room."""
    short = width < 110
    line: Line = [Span(" " if short else " " * GUTTER)]
    for site in view.inventory.sites.values() if view.inventory else ():
        for index, node in enumerate(site.nodes[:2]):
            cell = Cell(State.ANSWERED, Place(site.name, node.name, site.nat_pool.name))
            char, style = style_of(cell, view.inventory)
            more = " …" if index == 1 and len(site.nodes) > 2 else ""
            words = f" {node.name}{more} " if short else f" {site.name} {node.name}{more}  "
            line += [Span(char * 2, style), Span(words, "quiet")]
    for state, words in _MEANINGS:
        char, style = SIGNS[state]
        line += [Span(char, style), Span(f" {words} " if short else f" {words}  ", "quiet")]
    return line


def _rtt(found: Sequence[Second], shown: Window, now_ns: int) -> Line:
    """Return the 99th percentile of the round trip under each cell, by powers of two from 0.1 ms on."""
    cells = [" "] * shown.cells
    for second in found:
        if not second.answered or not second.rtt_p99_ns:
            continue
        height = min(8, max(1, 1 + math.floor(math.log2(max(1.0, second.rtt_p99_ns / 200_000)))))
        for column in range(shown.column(second.t_ns - 1_000_000_000) + 1, shown.column(min(second.t_ns, now_ns)) + 1):
            if 0 <= column < shown.cells:
                cells[column] = BARS[height]
    return [Span("".join(cells), "rtt")]
