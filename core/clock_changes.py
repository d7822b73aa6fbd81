"""Local times as instants: what becomes of a time that a change of the clocks skips or repeats.

A skipped local time (02:30 in the night to summer time) stands for the instant of the change. A repeated one
stands for its first instant, unless the last is asked for.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

_SECOND = timedelta(seconds=1)


def midnight(day: date) -> datetime:
    """Return 00:00 of `day`, without a zone."""
    return datetime.combine(day, datetime.min.time())


def local(at: datetime, zone: ZoneInfo) -> datetime:
    """Return what a clock in `zone` shows at the instant `at`, without a zone."""
    return at.astimezone(zone).replace(tzinfo=None, fold=0)


def instant(wall: datetime, zone: ZoneInfo, *, last: bool = False) -> datetime:
    """Return the instant (UTC) at which a clock in `zone` shows `wall`, which has no zone; see the module.

    The two readings of an ambiguous time are those of PEP 495.
    """
    before = wall.replace(tzinfo=zone, fold=0).astimezone(UTC)
    after = wall.replace(tzinfo=zone, fold=1).astimezone(UTC)
    if before > after:  # with the offset of before the change it lies after it, and the other way round: skipped
        return first_change(after, before, zone) or before
    return after if last else before


def first_change(begin: datetime, end: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the instant in (begin, end] at which the clocks of `zone` change, or None when they do not.

    The span is a day or two at most: two changes that cancel each other are not looked for.
    """
    offset = begin.astimezone(zone).utcoffset()
    if end.astimezone(zone).utcoffset() == offset:
        return None
    low, high = begin.replace(microsecond=0), end
    if high.microsecond:
        high = high.replace(microsecond=0) + _SECOND
    while high - low > _SECOND:
        middle = low + timedelta(seconds=int((high - low).total_seconds()) // 2)
        if middle.astimezone(zone).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high
