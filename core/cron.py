"""The five fields of a cron line as sets of numbers, and the local times that they name.

Weekdays are names only: cron counts them from Sunday, other schedulers from Monday. A time must fit all fields; of
day of the month and weekday, cron itself asks for one of the two. Held against APScheduler's CronTrigger by a test.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from core.clock_changes import midnight
from core.windows import WEEKDAYS

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
LONGEST_WAIT = timedelta(days=41 * 366)
"""29 February on one weekday comes after 40 years at the latest, over a year 2100 that has none."""
_STEPPED = re.compile(r"(\*|([0-9]{1,2})(-([0-9]{1,2}))?)(/([0-9]{1,2}))?\Z")
_NAMED = re.compile(r"([a-z]{3})(-([a-z]{3}))?\Z")


@dataclass(frozen=True, slots=True)
class Cron:
    """Which minutes, hours, days of the month, months and weekdays (0 is Monday) a time must have."""

    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]

    def walls(self, since: datetime) -> Iterator[datetime]:
        """Yield the local times from `since` on, for `LONGEST_WAIT`; none of them has a zone."""
        times = [
            timedelta(hours=hour, minutes=minute) for hour in sorted(self.hours) for minute in sorted(self.minutes)
        ]
        day = since.date()
        last = min(day, date.max - LONGEST_WAIT) + LONGEST_WAIT
        while day < last:
            if day.day in self.days and day.month in self.months and day.weekday() in self.weekdays:
                for time in times:
                    wall = midnight(day) + time
                    if wall >= since:
                        yield wall
            day += timedelta(days=1)


def parse_cron(text: str) -> Cron:
    """Return the fields of `text`. Raises ValueError, whose message says what is wrong with which field."""
    fields = text.split()
    if len(fields) != 5:
        raise ValueError(f"has {len(fields)} fields")
    minute, hour, day, month, weekday = fields
    cron = Cron(
        " ".join(fields),
        _numbers("minute", minute, 0, 59),
        _numbers("hour", hour, 0, 23),
        _numbers("day of the month", day, 1, 31),
        _names("month", month, MONTHS, 1) if re.search("[a-z]", month) else _numbers("month", month, 1, 12),
        _weekdays(weekday),
    )
    if next(cron.walls(midnight(date(2000, 1, 1))), None) is None:
        raise ValueError("never comes: no month of it has such a day")
    return cron


def _numbers(field: str, text: str, low: int, high: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _STEPPED.match(part)
        if match is None or (match[5] and match[2] and not match[3]):
            raise ValueError(f"{field} {part!r} is not understood")
        first, last = (low, high) if match[1] == "*" else (int(match[2]), int(match[4] or match[2]))
        step = int(match[6] or 1)
        if not low <= first <= last <= high or not 1 <= step <= high:
            raise ValueError(f"{field} {part!r} is not inside {low}-{high}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _names(field: str, text: str, names: tuple[str, ...], base: int) -> frozenset[int]:
    found: set[int] = set()
    for part in text.split(","):
        match = _NAMED.match(part)
        if match is None or match[1] not in names or (match[3] or match[1]) not in names:
            raise ValueError(f"{field} {part!r} is none of {', '.join(names)}")
        first, last = names.index(match[1]), names.index(match[3] or match[1])
        if first > last:
            raise ValueError(f"{field} {part!r} runs backwards: write it as a list")
        found.update(range(first + base, last + base + 1))
    return frozenset(found)


def _weekdays(text: str) -> frozenset[int]:
    if text == "*":
        return frozenset(range(7))
    if re.search("[0-9]", text):
        raise ValueError(f"weekday {text!r} has a number, and schedulers count the days in different ways")
    return _names("weekday", text, WEEKDAYS, 0)
