"""Who asked for which fault, and what the guard said and did; newest first."""

from __future__ import annotations

from core.audit import Entry
from tui.model.words import date, zone_name
from tui.seen import Seen
from tui.widgets.listing import Cells, Column, Listing

COLUMNS = (
    Column("n", -5),
    Column("when", 29),
    Column("what", 14),
    Column("who", 14, from_width=90),
    Column("values", 30, grows=True),
)
SHOWN = ("lease", "faults", "fault", "reason", "words", "why", "plan")


class AuditList(Listing[Entry]):
    """One row an entry."""

    def __init__(self, seen: Seen, **options: str) -> None:
        self._seen = seen
        super().__init__(COLUMNS, self._row, lambda entry: str(entry.number), "nothing in the audit yet", **options)

    def _row(self, entry: Entry) -> Cells:
        zone = self._seen.zone
        values = "  ".join(f"{key} {entry.values[key]}" for key in SHOWN if entry.values.get(key))
        when = f"{date(entry.wall_ns, zone)} {zone_name(zone)}"
        return [(str(entry.number), "quiet"), (when, "quiet"), (entry.what, "strong"), (entry.who, ""), (values, "")]
