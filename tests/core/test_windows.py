"""Windows and freezes, against a model that looks at every minute of a run."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock_changes import first_change, instant
from core.windows import Freeze, Window, blocked

BRUSSELS = ZoneInfo("Europe/Brussels")
ZONES = [
    ZoneInfo(name) for name in ("UTC", "Europe/Brussels", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata")
]
ODD = [ZoneInfo(name) for name in ("America/Sao_Paulo", "Pacific/Apia", "America/St_Johns")]
# Nights with a change: Brussels both ways, New York both ways, Lord Howe (30 min) both ways; then one without.
NIGHTS = ["2026-03-29", "2026-10-25", "2026-03-08", "2026-11-01", "2026-04-05", "2026-10-04", "2026-06-10"]
ODD_NIGHTS = [
    "2018-11-04",
    "2018-02-18",
    "2011-12-30",
    "2011-03-13",
    "2010-11-07",
]  # at 00:00, a day lost, at 00:01


def minutes(count: int) -> timedelta:
    return timedelta(minutes=count)


def window(days: str, opens: str, closes: str, zone: ZoneInfo = BRUSSELS) -> Window:
    week = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    chosen = range(7) if days == "*" else [week.index(day) for day in days.split(",")]
    times = [minutes(int(text[:2]) * 60 + int(text[3:])) for text in (opens, closes)]
    return Window(frozenset(chosen), times[0], times[1], zone)


def local(at: datetime, zone: ZoneInfo) -> datetime:
    return at.astimezone(zone)


def open_at(windows: Sequence[Window], at: datetime) -> bool:
    for each in windows:
        shown = local(at, each.zone)
        minute, day, before = minutes(shown.hour * 60 + shown.minute), shown.weekday(), (shown.weekday() - 1) % 7
        if each.opens < each.closes:
            found = day in each.weekdays and each.opens <= minute < each.closes
        else:
            found = (day in each.weekdays and minute >= each.opens) or (
                before in each.weekdays and minute < each.closes
            )
        if found:
            return True
    return False


windows_of = st.builds(
    lambda days, opens, length, zone: Window(
        days, minutes(opens), minutes(opens + length if opens + length <= 1440 else (opens + length) % 1440), zone
    ),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 95).map(lambda quarter: quarter * 15),
    st.integers(1, 95).map(lambda quarter: quarter * 15),
    st.sampled_from(ZONES + ODD),
)
begins = st.builds(
    lambda night, minute: datetime.fromisoformat(f"{night}T00:00Z") + minutes(minute),
    st.sampled_from(NIGHTS + ODD_NIGHTS),
    st.integers(-1500, 2900),
)


@given(st.lists(windows_of, min_size=1, max_size=3), begins, st.integers(1, 900))
@settings(max_examples=500)
def test_a_run_may_be_when_each_of_its_minutes_is_in_a_window(
    windows: list[Window], begin: datetime, length: int
) -> None:
    every = [open_at(windows, begin + minutes(minute)) for minute in range(length)]
    why = blocked(windows, (), begin, minutes(length))
    assert (why is None) == all(every)
    if why is not None:
        assert why.reason == ("ends_outside_window" if every[0] else "outside_windows")


@given(begins, st.sampled_from(ZONES), st.integers(-3, 3), st.integers(0, 3), st.integers(1, 2000))
def test_a_run_may_not_be_when_a_minute_of_it_is_on_a_frozen_day(
    begin: datetime, zone: ZoneInfo, first: int, more: int, length: int
) -> None:
    day = local(begin, zone).date() + timedelta(days=first)
    freeze = Freeze("quiet", day, day + timedelta(days=more), zone)
    frozen = [freeze.first <= local(begin + minutes(at), zone).date() <= freeze.last for at in range(length)]
    why = blocked((), [freeze], begin, minutes(length))
    assert (why is not None) == any(frozen)


@given(begins, st.sampled_from(ODD), st.integers(-2, 2), st.integers(1, 2000))
def test_where_clocks_change_at_midnight_no_frozen_minute_is_let_through(
    begin: datetime, zone: ZoneInfo, first: int, length: int
) -> None:
    day = local(begin, zone).date() + timedelta(days=first)
    frozen = [local(begin + minutes(at), zone).date() == day for at in range(length)]
    if any(frozen):
        assert blocked((), [Freeze("quiet", day, day, zone)], begin, minutes(length)) is not None


def test_an_evening_that_is_lived_twice_is_frozen_twice() -> None:
    """In St. John's, the clocks went from Sunday 00:01 back to Saturday 23:01."""
    saturday = Freeze("quiet", date(2010, 11, 6), date(2010, 11, 6), ZoneInfo("America/St_Johns"))
    assert blocked((), [saturday], at("2010-11-07T03:00"), minutes(1)) is not None
    assert blocked((), [saturday], at("2010-11-07T03:30"), minutes(1)) is None


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("begin", "length", "reason"),
    [
        # 22:00-06:00 in Brussels, the night to summer time: 21:00 UTC to 04:00 UTC, seven hours.
        ("2026-03-28T21:00", 420, None),
        ("2026-03-28T20:59", 10, "outside_windows"),
        ("2026-03-28T21:00", 421, "ends_outside_window"),
        ("2026-03-29T03:59", 1, None),
        ("2026-03-29T04:00", 1, "outside_windows"),
        # The night to winter time: 20:00 UTC to 05:00 UTC, nine hours.
        ("2026-10-24T20:00", 540, None),
        ("2026-10-24T20:00", 541, "ends_outside_window"),
        ("2026-10-25T04:59", 1, None),
        ("2026-10-25T05:00", 1, "outside_windows"),
    ],
)
def test_the_nights_in_which_the_clocks_change(begin: str, length: int, reason: str | None) -> None:
    why = blocked([window("*", "22:00", "06:00")], (), at(begin), minutes(length))
    assert (why.reason if why else None) == reason


def test_a_window_in_the_hour_that_is_lost_or_comes_twice() -> None:
    narrow = [window("*", "02:15", "02:45")]
    spring = [at("2026-03-29T00:00") + minutes(minute) for minute in range(180)]
    assert all(blocked(narrow, (), begin, minutes(1)) for begin in spring), "02:15 does not come"
    autumn = [at("2026-10-25T00:00") + minutes(minute) for minute in range(120)]
    open_ = [begin for begin in autumn if blocked(narrow, (), begin, minutes(1)) is None]
    assert len(open_) == 60, "02:15 to 02:45 comes twice"
    assert blocked(narrow, (), at("2026-10-25T00:30"), minutes(60)) is not None, "and it is closed between"


def test_windows_that_follow_on_each_other_are_one() -> None:
    both = [window("mon", "22:00", "24:00"), window("tue", "00:00", "02:00")]
    assert blocked(both, (), at("2026-06-08T21:00"), minutes(120)) is None
    assert blocked(both[:1], (), at("2026-06-08T21:00"), minutes(120)) is not None


def test_words_name_the_window_and_until_when() -> None:
    why = blocked([window("mon,tue", "22:00", "06:00")], (), at("2026-06-09T03:50"), minutes(20))
    assert why is not None
    assert why.words == (
        "may last until 2026-06-09 04:10:00 UTC, and window mon,tue 22:00-06:00 Europe/Brussels closes at "
        "2026-06-09 04:00:00 UTC"
    )
    freeze = Freeze("year-end", date(2026, 12, 18), date(2027, 1, 4), BRUSSELS)
    why = blocked((), [freeze], at("2027-01-04T22:59"), minutes(1))
    assert why is not None
    assert why.words == "year-end (from 2026-12-18 until 2027-01-04 included, Europe/Brussels)"
    assert blocked((), [freeze], at("2027-01-04T23:00"), minutes(1)) is None
    assert blocked((), [freeze], at("2026-12-17T22:58"), minutes(2)) is None
    assert blocked((), [freeze], at("2026-12-17T22:58"), minutes(3)) is not None


def test_without_windows_every_time_is_allowed_but_no_frozen_one() -> None:
    assert blocked((), (), at("2026-06-09T03:50"), minutes(20)) is None


def test_local_times_as_instants() -> None:
    wall = datetime.combine(date(2026, 3, 29), datetime.min.time()) + minutes(150)
    assert instant(wall, BRUSSELS) == at("2026-03-29T01:00"), "02:30 does not exist: the instant of the change"
    wall = datetime.combine(date(2026, 10, 25), datetime.min.time()) + minutes(150)
    assert instant(wall, BRUSSELS) == at("2026-10-25T00:30")
    assert instant(wall, BRUSSELS, last=True) == at("2026-10-25T01:30")
    assert first_change(at("2026-06-01T00:00"), at("2026-06-02T00:00"), BRUSSELS) is None
