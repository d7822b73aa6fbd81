"""When game days are planned: cron against APScheduler, clock changes against every minute, draws that repeat."""

from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime, timedelta
from itertools import islice, pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock_changes import midnight
from core.cron import MONTHS, parse_cron
from core.game_days import Every, GameDay, Once, Random, Repeated
from core.windows import WEEKDAYS

BRUSSELS = ZoneInfo("Europe/Brussels")
MINUTE = timedelta(minutes=1)


def game_day(when: Once | Repeated | Random, zone: ZoneInfo = BRUSSELS, name: str = "drill") -> GameDay:
    return GameDay(name, "lab.yaml", ("a.yaml",), when, zone, (), timedelta(seconds=60), enabled=True)


def number(low: int, high: int) -> st.SearchStrategy[str]:
    span = st.tuples(st.integers(low, high), st.integers(low, high)).map(sorted)
    one = (
        st.just("*")
        | st.integers(low, high).map(str)
        | span.map(lambda pair: f"{pair[0]}-{pair[1]}")
        # APScheduler refuses a step that is longer than the span.
        | span.map(lambda pair: f"{pair[0]}-{pair[1]}/{max(1, (pair[1] - pair[0]) // 3)}" if pair[0] < pair[1] else "*")
        | st.integers(1, 7).map(lambda step: f"*/{step}")
    )
    return st.lists(one, min_size=1, max_size=2).map(",".join)


def named(names: tuple[str, ...]) -> st.SearchStrategy[str]:
    span = st.tuples(st.integers(0, len(names) - 1), st.integers(0, len(names) - 1)).map(sorted)
    one = st.sampled_from(names) | span.map(lambda pair: f"{names[pair[0]]}-{names[pair[1]]}")
    return st.just("*") | st.lists(one, min_size=1, max_size=3).map(",".join)


crons = st.tuples(number(0, 59), number(0, 23), number(1, 28), number(1, 12) | named(MONTHS), named(WEEKDAYS))


@given(crons, st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)))  # noqa: DTZ001
@settings(max_examples=100)
def test_cron_is_what_apscheduler_makes_of_it(fields: tuple[str, ...], since: datetime) -> None:
    since = since.replace(second=0, microsecond=0)
    minute, hour, day, month, weekday = fields
    trigger = CronTrigger(minute=minute, hour=hour, day=day, month=month, day_of_week=weekday, timezone=UTC)
    expected, at = [], since.replace(tzinfo=UTC)
    for _ in range(3):
        found = trigger.get_next_fire_time(None, at)
        if found is None or found.year > since.year + 30:
            break  # never, or so late that this one is of no use
        expected.append(found.replace(tzinfo=None))
        at = found + MINUTE
    assert list(islice(parse_cron(" ".join(fields)).walls(since), len(expected))) == expected


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("0 0 * * 1", "schedulers count the days in different ways"),
        ("0 0 * * */2", "schedulers count the days in different ways"),
        ("0 0 30 feb *", "never comes"),
        ("0 0 31 4,6,9,nov *", "month '4' is none of"),
        ("0 0 31 4,6,9,11 *", "never comes"),
        ("60 0 * * *", "not inside 0-59"),
        ("0 24 * * *", "not inside 0-23"),
        ("0 0 0 * *", "not inside 1-31"),
        ("0 0 * 13 *", "not inside 1-12"),
        ("0 0 * * fri-mon", "runs backwards"),
        ("5-3 0 * * *", "not inside"),
        ("*/0 0 * * *", "not inside"),
        ("5/10 0 * * *", "not understood"),
        ("0 0 * * mon-fri/2", "has a number"),
        ("0 0 * jan5 *", "is none of"),
        ("0 0 L * *", "not understood"),
        ("@daily", "has 1 fields"),
        ("0 0 * *", "has 4 fields"),
        ("0 0 * * * *", "has 6 fields"),
        ("0 0 * * monday", "is none of"),
    ],
)
def test_a_cron_line_that_is_refused(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        parse_cron(text)
    assert says in str(refused.value)


def test_29_february_on_a_sunday_comes() -> None:
    cron = parse_cron("0 9 29 2 sun")
    assert next(cron.walls(midnight(date(2076, 1, 1)))).date() == date(2088, 2, 29)
    assert next(cron.walls(midnight(date(2088, 3, 1)))).date() == date(2128, 2, 29), "2100 has none"


NIGHTS = {
    "Europe/Brussels": [(2026, 3, 29), (2026, 10, 25)],
    "Australia/Lord_Howe": [(2026, 4, 5), (2026, 10, 4)],
    "America/Sao_Paulo": [(2018, 11, 4), (2018, 2, 18)],
    "Pacific/Apia": [(2011, 12, 30)],
    "America/St_Johns": [(2011, 3, 13), (2010, 11, 7)],
}
nights = st.sampled_from([(zone, night) for zone, found in NIGHTS.items() for night in found])


@given(nights, number(0, 59), number(0, 23), st.integers(0, 2880))
@settings(max_examples=60)
def test_clock_changes_against_every_minute(
    where: tuple[str, tuple[int, int, int]], minute: str, hour: str, offset: int
) -> None:
    zone, cron = ZoneInfo(where[0]), parse_cron(f"{minute} {hour} * * *")
    begin = datetime(*where[1], tzinfo=UTC) - timedelta(days=2)
    instants = [begin + at * MINUTE for at in range(5 * 1440)]
    walls = [at.astimezone(zone).replace(tzinfo=None, fold=0) for at in instants]
    first: dict[datetime, datetime] = {}
    for wall, at in zip(walls, instants, strict=True):
        first.setdefault(wall, at)
    expected = set()
    wall = walls[0]
    while wall <= walls[-1]:
        if wall.minute in cron.minutes and wall.hour in cron.hours:
            expected.add(
                first[wall] if wall in first else next(a for w, a in zip(walls, instants, strict=True) if w > wall)
            )
        wall += MINUTE
    since = begin + timedelta(days=1) + offset * MINUTE
    until = instants[-1] - timedelta(days=1)
    found = list(takewhile(lambda at: at <= until, game_day(Repeated(cron), zone).runs_after(since)))
    assert found == sorted(at for at in expected if since < at <= until)


def test_the_rule_of_clock_changes_by_example() -> None:
    daily = game_day(Repeated(parse_cron("30 2 * * *")))
    spring = list(islice(daily.runs_after(datetime(2026, 3, 28, tzinfo=UTC)), 3))
    assert [f"{at:%d %H:%M}" for at in spring] == ["28 01:30", "29 01:00", "30 00:30"], "02:30 does not come: at 03:00"
    autumn = list(islice(daily.runs_after(datetime(2026, 10, 24, tzinfo=UTC)), 3))
    assert [f"{at:%d %H:%M}" for at in autumn] == ["24 00:30", "25 00:30", "26 01:30"], "02:30 comes twice: once"


def test_once() -> None:
    when = game_day(Once(midnight(date(2026, 12, 1)) + timedelta(hours=22)))
    (at,) = when.runs_after(datetime(2026, 1, 1, tzinfo=UTC))
    assert at == datetime(2026, 12, 1, 21, tzinfo=UTC)
    assert list(when.runs_after(at)) == []


randoms = st.builds(
    lambda every, days, opens, length, seed: Random(
        every, days, opens * MINUTE, ((opens + length) % 1440) * MINUTE, seed
    ),
    st.sampled_from(Every),
    st.frozensets(st.integers(0, 6), min_size=1),
    st.integers(0, 1439),
    st.integers(1, 1439),
    st.integers(0, 1000),
)


@given(randoms, st.datetimes(datetime(2024, 1, 1), datetime(2030, 1, 1)))  # noqa: DTZ001
def test_a_draw_is_inside_its_times_once_a_period_and_repeats(when: Random, since: datetime) -> None:
    after, plan = since.replace(tzinfo=UTC), game_day(when, ZoneInfo("UTC"))
    planned = list(islice(plan.runs_after(after), 20))
    assert planned == sorted(set(planned))
    assert planned[5:] == list(islice(plan.runs_after(planned[4]), 15)), "wherever one looks from"
    length, periods = (when.closes - when.opens) % timedelta(days=1), []
    for at in planned:
        wall = at.replace(tzinfo=None)
        day = (wall - when.opens).date()
        assert wall - midnight(day) - when.opens < length
        assert day.weekday() in when.weekdays
        periods.append(day - timedelta(days=day.weekday()) if when.every is Every.WEEK else day)
    assert len(set(periods)) == len(periods)
    if when.every is Every.WEEK:
        assert {later - earlier for earlier, later in pairwise(periods)} == {timedelta(days=7)}, "every one"


def test_a_draw_is_the_same_on_every_machine() -> None:
    """As computed by hand: int(sha256(b"7/drill/2026-06-01")[:16]) modulo 14400 s, from 22:00 on."""
    when = Random(Every.DAY, frozenset(range(7)), timedelta(hours=22), timedelta(hours=2), 7)
    drawn = when.drawn("drill", date(2026, 6, 1))
    place = int(hashlib.sha256(b"7/drill/2026-06-01").hexdigest()[:32], 16) % 14400
    assert drawn == midnight(date(2026, 6, 1)) + timedelta(hours=22, seconds=place)
    assert when.drawn("other", date(2026, 6, 1)) != drawn
    whole = Random(Every.DAY, frozenset(range(7)), timedelta(0), timedelta(hours=24), 7)
    assert whole.drawn("drill", date(2026, 6, 1)).date() == date(2026, 6, 1)
