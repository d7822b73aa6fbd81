"""When a run may be: inside the windows, and on no frozen day. Pure; instants are handed in.

A window is what a clock on the wall shows. So a window from 22:00 to 06:00 is an hour longer or shorter in the night
in which the clocks change; one from 02:15 to 02:45 does not come in spring, and comes twice in autumn.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from core.clock_changes import first_change, instant, local, midnight
from core.refusals import Refusal

OUTSIDE_WINDOWS = "outside_windows"
ENDS_OUTSIDE_WINDOW = "ends_outside_window"
FREEZE = "freeze"
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Window:
    """Opens on each of `weekdays` (0 is Monday) at `opens` and closes at `closes`, both since local midnight.

    `closes` is up to 24 h; where it is not after `opens`, it is on the day after.
    """

    weekdays: frozenset[int]
    opens: timedelta
    closes: timedelta
    zone: ZoneInfo

    def closing(self, wall: datetime) -> datetime | None:
        """Return what the clock shows when the window that is open at `wall` closes, or None when none is open."""
        for days_ago in (0, 1):
            day = wall.date() - days_ago * DAY
            if day.weekday() in self.weekdays:
                opens, closes = midnight(day) + self.opens, midnight(day) + self.closes
                if closes <= opens:
                    closes += DAY
                if opens <= wall < closes:
                    return closes
        return None

    @property
    def words(self) -> str:
        """How messages name it."""
        days = "every day" if len(self.weekdays) == 7 else ",".join(WEEKDAYS[day] for day in sorted(self.weekdays))
        return f"{days} {clock(self.opens)}-{clock(self.closes)} {self.zone.key}"


@dataclass(frozen=True, slots=True)
class Freeze:
    """Days, `first` to `last` (included) in `zone`, on which no run may be."""

    name: str
    first: date
    last: date
    zone: ZoneInfo

    def touches(self, begin: datetime, end: datetime) -> bool:
        """Whether anything of [begin, end) is on one of the days: from their first 00:00 to the last 00:00 after."""
        first = instant(midnight(self.first), self.zone)
        after = instant(midnight(self.last + DAY), self.zone, last=True)
        return begin < after and (end > first or begin >= first)

    @property
    def words(self) -> str:
        """How messages name it, and until when it is."""
        days = f"on {self.first}" if self.first == self.last else f"from {self.first} until {self.last} included"
        return f"{self.name} ({days}, {self.zone.key})"


def clock(since_midnight: timedelta) -> str:
    """Return a time of day as it is written: 22:30."""
    minutes = int(since_midnight.total_seconds()) // 60
    return f"{minutes // 60:02d}:{minutes % 60:02d}"


def blocked(
    windows: Sequence[Window], freezes: Sequence[Freeze], begin: datetime, duration: timedelta
) -> Refusal | None:
    """Return why a run from `begin` (an instant in UTC), which may last for `duration`, must not be; None: it may.

    All of it must be inside windows, which may follow on each other; without windows it always is. No part of it may
    be on a frozen day.
    """
    end = begin + duration
    for freeze in freezes:
        if freeze.touches(begin, end):
            return Refusal(FREEZE, freeze.words)
    return _outside(windows, begin, end) if windows else None


def _outside(windows: Sequence[Window], begin: datetime, end: datetime) -> Refusal | None:
    at, last = begin, ""
    while True:
        until: datetime | None = None
        for window in windows:
            reaches = _open_until(window, at)
            if reaches is not None and (until is None or reaches > until):
                until, last = reaches, window.words
        if until is None and at == begin:
            known = "; ".join(window.words for window in windows)
            return Refusal(OUTSIDE_WINDOWS, f"{_utc(begin)} is outside the windows: {known}")
        if until is None:
            words = f"may last until {_utc(end)}, and window {last} closes at {_utc(at)}"
            return Refusal(ENDS_OUTSIDE_WINDOW, words)
        if until >= end:
            return None
        at = until


def _open_until(window: Window, at: datetime) -> datetime | None:
    """Return until when the window stays open for certain, or None when it is closed at `at`."""
    wall = local(at, window.zone)
    closing = window.closing(wall)
    if closing is None:
        return None
    until = at + (closing - wall)
    # At a change of the clocks the wall shows something else, so that is where to look again.
    return first_change(at, until, window.zone) or until


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"
