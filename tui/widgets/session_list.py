"""Every session slot, as it stands."""

from __future__ import annotations

from tui.model.sessions import Session
from tui.model.words import instant, milliseconds, seconds
from tui.seen import Seen
from tui.widgets.listing import Cells, Column, Listing

COLUMNS = (
    Column("vantage", 9),
    Column("slot", -5),
    Column("state", 11),
    Column("site", 6),
    Column("node", 8),
    Column("pool", 6),
    Column("server", 7, from_width=100),
    Column("silent for", -10),
    Column("restarts", -8),
    Column("cause", 15, grows=True),
    Column("opened", 12, from_width=100),
    Column("rtt ms", -7, from_width=110),
    Column("source", 22, from_width=150),
    Column("session", 16, from_width=130),
)
STATES = {"answered": ("● answered", "good"), "silent": ("✖ silent", "bad"), "down": ("✖ down", "bad")}


class SessionList(Listing[Session]):
    """One row a slot. A cell that is not known is `?`."""

    def __init__(self, seen: Seen, **options: str) -> None:
        self._seen = seen
        super().__init__(
            COLUMNS, self._row, lambda one: f"{one.vantage}/{one.slot}", "no session yet", self._by, **options
        )

    @staticmethod
    def _by(one: Session, column: int) -> object:
        return (
            (one.vantage, one.slot),
            one.slot,
            one.state,
            one.place.site,
            one.place.node,
            one.place.pool,
            one.server,
            -one.silent_since_ns if one.silent_since_ns else -(1 << 62),
            one.restarts,
            one.last_cause,
            one.opened_ns,
            one.rtt_ns,
            one.source,
            one.session,
        )[column]

    def _row(self, one: Session) -> Cells:
        view = self._seen.view
        now_ns, offset_ns = (view.now_ns, view.wall_offset_ns) if view else (0, 0)
        state, style = STATES[one.state]
        silent = seconds(max(0, now_ns - one.silent_since_ns)) if one.silent_since_ns else "-"
        return [
            (f" {one.vantage}", "strong"),
            (str(one.slot), "quiet"),
            (state, style),
            (one.place.site or "?", ""),
            (one.place.node or "?", ""),
            (one.place.pool or "?", ""),
            (one.server or "?", ""),
            (silent, "bad" if one.silent_since_ns else "quiet"),
            (str(one.restarts), "odd" if one.restarts else "quiet"),
            (one.last_cause or "-", "odd" if one.last_cause else "quiet"),
            (instant(one.opened_ns + offset_ns, self._seen.zone) if one.opened_ns else "-", "quiet"),
            (milliseconds(one.rtt_ns) if one.rtt_ns > 0 else "?", "quiet"),
            (one.source or "-", "quiet"),
            (one.session or "-", "quiet"),
        ]
