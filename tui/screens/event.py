"""One event, opened: its lanes, its figures, its records."""

from __future__ import annotations

from collections.abc import Sequence

from textual.containers import VerticalScroll
from textual.widget import Widget

from core.records import OutageEnded
from tui.model.facts import Fact, fact
from tui.model.failovers import EventRow, rows
from tui.screens.base import WatchScreen
from tui.seen import Seen
from tui.widgets.event_text import EventText
from tui.widgets.fact_list import FactList
from tui.widgets.zoomed_lanes import ZoomedLanes

BEFORE_NS = 1_000_000_000


class EventScreen(WatchScreen):
    """What Enter opens on a row of the failovers."""

    NAME = "failovers"
    TITLE_WORDS = "One failover"

    def __init__(self, seen: Seen, row: EventRow) -> None:
        super().__init__(seen)
        self.row = row
        self._known: dict[int, Fact | None] = {}

    def body(self) -> Sequence[Widget]:
        """Return lanes, figures and records below each other."""
        self._lanes = ZoomedLanes(self.seen, self.row, id="lanes", classes="part")
        self._lanes.styles.height = len(self.seen.view.vantages if self.seen.view else ()) + 4
        self._lanes.border_title = f"{self.row.event.experiment}, {self.row.event.kind}"
        self._text = EventText(self.seen, self.row)
        self._facts = FactList(self.seen, classes="part")
        self._facts.border_title = "Records around it"
        return (self._lanes, VerticalScroll(self._text, classes="half", can_focus=False), self._facts)

    def fill(self) -> None:
        """Take the event as it is known now, and the records that belong to it."""
        frame = self.seen.frame
        if frame is None or frame.view is None:
            return
        for row in rows(frame.events, frame.verdict, frame.view):
            if (row.event.experiment, row.event.kind, row.at_ns) == (
                self.row.event.experiment,
                self.row.event.kind,
                self.row.at_ns,
            ):
                self.row = self._lanes.row = self._text.row = row
        from_ns, until_ns = self.row.at_ns - BEFORE_NS, self.row.event.until_ns
        found: list[Fact] = []
        own = 0
        for number, record in enumerate(frame.records):
            if from_ns <= record.t_ns <= until_ns:
                if number not in self._known:
                    self._known[number] = fact(number, record)
                mine = self._known[number]
                if isinstance(record, OutageEnded) and record.self_inflicted:
                    own += 1
                elif mine is not None:
                    found.append(mine)
        self._facts.put(found)
        left_out = f", without {own} gaps that the probe's own lateness made" if own else ""
        self._facts.border_title = f"Records around it{left_out}"
