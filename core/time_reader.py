"""Reads times of day, dates, spans of days, weekdays and time zones; what cannot be is a problem with its line."""

from __future__ import annotations

import re
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from core.reader import Reader
from core.windows import WEEKDAYS, Freeze
from core.yaml_nodes import shorten

TIME_ALLOWED = 'a time of day in quotes, "00:00" to "23:59"'
CLOSING_ALLOWED = 'a time of day in quotes, "00:01" to "24:00"'
DATE_ALLOWED = 'a date in quotes, such as "2026-12-24"'
ZONE_ALLOWED = "an IANA time zone, such as Europe/Brussels or UTC"
WEEKDAYS_ALLOWED = f"a list of {', '.join(WEEKDAYS)}; leave the key out for every day"
TIME = re.compile(r"([0-9]{2}):([0-9]{2})\Z")
DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}\Z")
ZONE = re.compile(r"(UTC|(?!posix/|right/)[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)+)\Z")
_YEARS = range(2000, 2101)


def read_time(reader: Reader, key: str) -> timedelta | None:
    """Return a required time of day, as the time since midnight."""
    return _time(reader, key, TIME_ALLOWED, timedelta(0), timedelta(hours=23, minutes=59))


def read_closing(reader: Reader, key: str) -> timedelta | None:
    """Return a required time of day at which something ends, as the time since midnight: up to 24:00."""
    return _time(reader, key, CLOSING_ALLOWED, timedelta(0), timedelta(hours=24))


def _time(reader: Reader, key: str, allowed: str, low: timedelta, high: timedelta) -> timedelta | None:
    text = reader.text(key, allowed)
    if text is None:
        return None
    match = TIME.match(text)
    found = timedelta(hours=int(match[1]), minutes=int(match[2])) if match else None
    if match is None or found is None or int(match[2]) > 59 or not low <= found <= high:
        reader.problem(reader.line_of(key), key, f"is {shorten(text)}", allowed)
        return None
    return found


def read_date(reader: Reader, key: str) -> date | None:
    """Return a required date; one that is in no calendar, such as 30 February, is a problem."""
    text = reader.text(key, DATE_ALLOWED)
    return None if text is None else checked_date(reader, key, text)


def checked_date(reader: Reader, key: str, text: str) -> date | None:
    """Return `text` as a date if it is one."""
    try:
        found = date.fromisoformat(text) if DATE.match(text) else None
    except ValueError as error:
        reader.problem(reader.line_of(key), key, f"is {shorten(text)} ({error})", DATE_ALLOWED)
        return None
    if found is None or found.year not in _YEARS:
        allowed = DATE_ALLOWED if found is None else f"a year from {_YEARS[0]} to {_YEARS[-1]}"
        reader.problem(reader.line_of(key), key, f"is {shorten(text)}", allowed)
        return None
    return found


def read_zone(reader: Reader) -> ZoneInfo | None:
    """Return the zone at the required key `time_zone`."""
    text = reader.text("time_zone", ZONE_ALLOWED)
    if text is None:
        return None
    try:
        if ZONE.match(text):
            return ZoneInfo(text)
    except (ValueError, OSError, LookupError):
        pass  # said below
    reader.problem(reader.line_of("time_zone"), "time_zone", f"is {shorten(text)}, an unknown zone", ZONE_ALLOWED)
    return None


def read_weekdays(reader: Reader) -> frozenset[int]:
    """Return the days at the key `weekdays` (0 is Monday); without the key, all."""
    if not reader.has("weekdays"):
        return frozenset(range(7))
    found = set()
    for line, text in reader.names("weekdays", WEEKDAYS_ALLOWED):
        if text in WEEKDAYS:
            found.add(WEEKDAYS.index(text))
        else:
            reader.problem(line, "weekdays", f"is {shorten(text)}", WEEKDAYS_ALLOWED)
    return frozenset(found)


def read_days(reader: Reader, name: str | None, zone: ZoneInfo | None) -> Freeze | None:
    """Return the days of a mapping that has `date`, or `from` and `to`, under `name`."""
    if reader.has("date"):
        for key in ("from", "to"):
            if reader.has(key):
                reader.problem(reader.line_of(key), key, "stands beside date", "either date, or from and to")
        first = last = read_date(reader, "date")
    else:
        first, last = read_date(reader, "from"), read_date(reader, "to")
    if first is not None and last is not None and last < first:
        reader.problem(reader.line_of("to"), "to", f"is {last}, before from", f"{first} or later")
        return None
    if name is None or zone is None or first is None or last is None:
        return None
    return Freeze(name, first, last, zone)
