"""Records in words: of one session, or of what happened around an event."""

from __future__ import annotations

from tui.model.facts import Fact
from tui.model.words import instant
from tui.seen import Seen
from tui.widgets.listing import Cells, Column, Listing

STYLES = ("", "good", "odd", "bad")
COLUMNS = (
    Column("when", 16),
    Column("vantage", 8),
    Column("slot", -5),
    Column("what", 18),
    Column("record", 30, grows=True),
)


class FactList(Listing[Fact]):
    """One row a record."""

    def __init__(self, seen: Seen, **options: str) -> None:
        self._seen = seen
        super().__init__(COLUMNS, self._row, lambda fact: str(fact.number), "no record yet", self._by, **options)

    @staticmethod
    def _by(fact: Fact, column: int) -> object:
        return (fact.t_ns, fact.vantage, int(fact.slot or -9), fact.kind, fact.text)[column]

    def _row(self, fact: Fact) -> Cells:
        view = self._seen.view
        when = " " + instant(fact.t_ns + (view.wall_offset_ns if view else 0), self._seen.zone, 5)
        return [
            (when, "quiet"),
            (fact.vantage, "strong"),
            (fact.slot, "quiet"),
            (fact.kind, STYLES[fact.level]),
            (fact.text, ""),
        ]
