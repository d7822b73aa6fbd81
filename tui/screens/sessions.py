"""Every session; Enter opens the life of one."""

from __future__ import annotations

from collections.abc import Sequence

from textual.widget import Widget

from tui.model.facts import fact
from tui.model.sessions import Session
from tui.model.view import View
from tui.screens.base import WatchScreen
from tui.seen import Seen
from tui.widgets.fact_list import FactList
from tui.widgets.listing import Listing
from tui.widgets.session_list import SessionList

TABLE_NS = 240_000_000
"""A table of thousands of rows is arranged anew so often at most, in time of the run."""


class SessionsScreen(WatchScreen):
    """The table of sessions, with counts above."""

    NAME = "sessions"
    TITLE_WORDS = "Sessions"

    def body(self) -> Sequence[Widget]:
        """Return the list."""
        self._list = SessionList(self.seen, classes="part")
        self._last: View | None = None
        return (self._list,)

    def fill(self) -> None:
        """Put the sessions into it, at most four times a second."""
        view = self.seen.view
        if view is None:
            return
        last = self._last
        if last is not None and last.run == view.run and 0 <= view.now_ns - last.now_ns < TABLE_NS:
            return
        self._last = view
        vantages = view.vantages.values()
        self._list.put([each for vantage in vantages for _, each in sorted(vantage.sessions.items())])
        answered, silent = sum(v.answered for v in vantages), sum(v.silent for v in vantages)
        drops, restarted = sum(v.drops for v in vantages), sum(v.restarted for v in vantages)
        self._list.border_title = (
            f"Sessions   ● {answered} answered   ✖ {silent} without answer   {drops} dropped   {restarted} restarted"
        )

    def on_listing_entered(self, event: Listing.Entered) -> None:
        """Open a session."""
        session = self._list.current
        if session is not None:
            event.stop()
            self.app.push_screen(SessionScreen(self.seen, session))


class SessionScreen(WatchScreen):
    """One session slot's life, record by record."""

    NAME = "sessions"
    TITLE_WORDS = "One session"

    def __init__(self, seen: Seen, session: Session) -> None:
        super().__init__(seen)
        self._session = session

    def body(self) -> Sequence[Widget]:
        """Return the list."""
        self._facts = FactList(self.seen, classes="part")
        self._facts.border_title = f"{self._session.vantage}, slot {self._session.slot}: its life"
        return (self._facts,)

    def fill(self) -> None:
        """Put the records of the slot into it."""
        frame = self.seen.frame
        if frame is None:
            return
        mine = [
            fact(number, record)
            for number, record in enumerate(frame.records)
            if getattr(record, "slot", None) == self._session.slot
            and getattr(record, "vantage", "") == self._session.vantage
        ]
        self._facts.put([each for each in mine if each is not None])
