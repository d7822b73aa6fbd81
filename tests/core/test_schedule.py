"""What is due and what was missed: examples of each case, and a world that stops and starts at random."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from core.clock_changes import midnight
from core.cron import parse_cron
from core.game_days import GameDay, Once, Repeated
from core.rails import Rails
from core.schedule import MOST_MISSED, Row, State, decide, next_runs, refusal, shown, withdrawn
from core.windows import Freeze, Window

UTC_ZONE = ZoneInfo("UTC")
NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
ENDS = {State.FINISHED, State.MISSED, State.BLOCKED, State.ABORTED}


def game_day(cron: str = "0 * * * *", grace_s: float = 90, name: str = "drill") -> GameDay:
    when = Repeated(parse_cron(cron))
    return GameDay(name, "lab.yaml", ("a.yaml",), when, UTC_ZONE, (), timedelta(seconds=grace_s), enabled=True)


def row(state: State, planned: datetime, at: datetime | None = None, day: GameDay | None = None) -> Row:
    return Row("drill", planned, state, at or planned, (day or game_day()).timing)


def told(rows: tuple[Row, ...]) -> list[tuple[str, str, str]]:
    return [(str(each.state), f"{each.planned:%H:%M}", each.reason) for each in rows]


def test_a_game_day_seen_for_the_first_time_has_missed_nothing() -> None:
    found = decide(game_day(), None, NOON + MINUTE, busy=False)
    assert told(found.rows) == [("PLANNED", "13:00", "")]
    assert found.due is None


def test_a_planned_run_waits_starts_in_its_grace_and_is_missed_after_it() -> None:
    last = row(State.PLANNED, NOON)
    assert decide(game_day(), last, NOON - MINUTE, busy=False).due is None
    for late_s in (0, 90):
        found = decide(game_day(), last, NOON + timedelta(seconds=late_s), busy=False)
        assert (found.rows, found.due) == ((), NOON)
    found = decide(game_day(), last, NOON + timedelta(seconds=91), busy=False)
    assert told(found.rows) == [("MISSED", "12:00", "late"), ("PLANNED", "13:00", "")]
    assert found.due is None
    assert "91 s late, 90 s are allowed: nothing was there to start it" in found.rows[0].words


def test_while_another_runs_it_waits_for_its_grace_and_no_longer() -> None:
    last = row(State.PLANNED, NOON)
    waiting = decide(game_day(), last, NOON + MINUTE, busy=True)
    assert (waiting.rows, waiting.due) == ((), None)
    missed = decide(game_day(), last, NOON + 2 * MINUTE, busy=True)
    assert told(missed.rows)[0] == ("MISSED", "12:00", "late")
    assert "another game day was running" in missed.rows[0].words


def test_down_for_hours_each_is_missed_and_one_at_most_starts() -> None:
    last, now = row(State.PLANNED, NOON), NOON + timedelta(hours=3, seconds=30)
    found = decide(game_day(), last, now, busy=False)
    assert told(found.rows) == [
        ("MISSED", "12:00", "late"),
        ("MISSED", "13:00", "late"),
        ("MISSED", "14:00", "late"),
        ("PLANNED", "15:00", ""),
    ]
    assert found.due == NOON + timedelta(hours=3)


def test_within_a_long_grace_only_the_newest_starts() -> None:
    day = game_day("*/10 * * * *", grace_s=7200)
    found = decide(day, row(State.PLANNED, NOON, day=day), NOON + 25 * MINUTE, busy=False)
    assert told(found.rows) == [("MISSED", "12:00", "late"), ("MISSED", "12:10", "late"), ("PLANNED", "12:20", "")]
    assert found.due == NOON + 20 * MINUTE
    assert "a newer one of the game day had come" in found.rows[0].words


def test_what_came_while_its_own_run_was_on_is_missed() -> None:
    day = game_day("*/10 * * * *", grace_s=600)
    last = row(State.FINISHED, NOON, at=NOON + 21 * MINUTE, day=day)
    found = decide(day, last, NOON + 21 * MINUTE, busy=False)
    assert told(found.rows) == [
        ("MISSED", "12:10", "still_running"),
        ("MISSED", "12:20", "still_running"),
        ("PLANNED", "12:30", ""),
    ]
    assert found.due is None


def test_very_long_down_time_is_bounded() -> None:
    day = game_day("* * * * *")
    now = NOON + timedelta(days=30)
    found = decide(day, row(State.PLANNED, NOON, day=day), now + timedelta(seconds=30), busy=False)
    assert len(found.rows) == MOST_MISSED + 1
    assert found.rows[0].reason == "many"
    assert found.rows[0].planned == NOON, "the planned one that waited has its end as well"
    assert f"{30 * 1440 + 1 - MOST_MISSED} planned runs from 2026-06-10 12:00 UTC" in found.rows[0].words
    assert found.due == now
    years = decide(day, row(State.PLANNED, NOON, day=day), NOON + timedelta(days=3000), busy=False)
    assert "at least 99900 planned runs" in years.rows[0].words
    assert years.rows[-1].planned > NOON + timedelta(days=3000)


def test_a_file_that_changed() -> None:
    day, last = game_day("30 * * * *"), row(State.PLANNED, NOON)
    for now in (NOON - MINUTE, NOON + MINUTE):
        found = decide(day, last, now, busy=False)
        assert told(found.rows) == [("MISSED", "12:00", "plan_changed"), ("PLANNED", "12:30", "")]
    same = game_day("0 12 * * *")
    assert decide(same, last, NOON - MINUTE, busy=False).rows == (), "the same instant: it stays"
    assert decide(same, last, NOON, busy=False).due == NOON
    earlier = decide(game_day("*/30 * * * *"), last, NOON - 40 * MINUTE, busy=False)
    assert told(earlier.rows) == [("MISSED", "12:00", "plan_changed"), ("PLANNED", "11:30", "")]
    ended = decide(day, row(State.FINISHED, NOON), NOON + timedelta(hours=5), busy=False)
    assert told(ended.rows) == [("PLANNED", "17:30", "")], "what another plan would have had was not missed"


def test_a_game_day_that_is_gone_and_comes_back() -> None:
    gone = withdrawn(row(State.PLANNED, NOON), NOON - 30 * MINUTE)
    assert (gone.state, gone.reason) == (State.MISSED, "not_planned")
    assert told(decide(game_day(), gone, NOON - 20 * MINUTE, busy=False).rows) == [("PLANNED", "12:00", "")]


def test_a_clock_that_is_set_back_starts_nothing_twice() -> None:
    found = decide(game_day(), row(State.FINISHED, NOON, at=NOON + MINUTE), NOON - timedelta(hours=2), busy=False)
    assert told(found.rows) == [("PLANNED", "13:00", "")]


def test_once_is_planned_once() -> None:
    day = replace(game_day(), when=Once(midnight(date(2026, 6, 10)) + timedelta(hours=12)))
    assert decide(day, row(State.PLANNED, NOON, day=day), NOON, busy=False).due == NOON
    assert decide(day, row(State.FINISHED, NOON, day=day), NOON + MINUTE, busy=False).rows == ()


def test_pauses_windows_and_freezes_refuse() -> None:
    monday_night = Window(frozenset({0}), timedelta(hours=22), timedelta(hours=23), UTC_ZONE)
    freeze = Freeze("fair", date(2026, 6, 15), date(2026, 6, 15), UTC_ZONE)
    day = replace(game_day(), pauses=(Freeze("holiday", date(2026, 6, 10), date(2026, 6, 11), UTC_ZONE),))
    rails = Rails((monday_night,), (freeze,))
    monday = datetime(2026, 6, 8, 22, tzinfo=UTC)
    assert refusal(day, rails, monday, 10 * MINUTE) is None
    for begin, length, reason in (
        (NOON, 10, "paused"),
        (monday, 61, "ends_outside_window"),
        (monday - MINUTE, 10, "outside_windows"),
        (monday + timedelta(days=7), 10, "freeze"),
    ):
        why = refusal(day, rails, begin, length * MINUTE)
        assert why is not None
        assert why.reason == reason


def test_next_runs_of_several() -> None:
    days = [game_day("0 * * * *"), game_day("30 12 * * *", name="noon"), replace(game_day(), enabled=False)]
    found = [(f"{at:%H:%M}", day.name) for at, day in next_runs(days, NOON, 3)]
    assert found == [("12:30", "noon"), ("13:00", "drill"), ("14:00", "drill")]
    assert shown(NOON, replace(game_day(), zone=ZoneInfo("Europe/Brussels"))) == "Wed 2026-06-10 14:00:00 CEST"


steps = st.lists(st.tuples(st.sampled_from(["look", "busy", "end", "die"]), st.integers(1, 400)), max_size=40)


@given(steps, st.sampled_from(["*/7 * * * *", "0 * * * *", "* * * * *"]), st.integers(1, 1000))
@settings(max_examples=300)
def test_whenever_it_stops_and_looks_each_planned_run_has_one_end(
    script: list[tuple[str, int]], cron: str, grace_s: int
) -> None:
    day, now, running = game_day(cron, grace_s), NOON, None
    ledger: list[Row] = []

    def write(*rows: Row) -> None:
        ledger.extend(rows)

    for what, minutes in [("look", 1), *script, ("end", 1), ("look", 1)]:
        now += minutes * MINUTE / 4
        if running is not None and what in ("end", "die"):
            write(row(State.FINISHED if what == "end" else State.ABORTED, running, now, day))
            running = None
        if running is None and what != "end":
            decision = decide(day, ledger[-1] if ledger else None, now, busy=what == "busy")
            write(*decision.rows)
            if decision.due is not None:
                assert now - decision.due <= day.grace
                assert ledger[-1].state is State.PLANNED
                assert ledger[-1].planned == decision.due
                running = decision.due
                write(row(State.STARTED, running, now, day))
    started = [each.planned for each in ledger if each.state is State.STARTED]
    assert len(started) == len(set(started)), "no double run"
    ended = [each.planned for each in ledger if each.state in ENDS and each.reason != "many"]
    assert len(ended) == len(set(ended)), "one end"
    waiting = {ledger[-1].planned} if ledger[-1].state in (State.PLANNED, State.STARTED) else set()
    expected = set(takewhile(lambda at: at <= now, day.runs_after(NOON + MINUTE / 4)))
    if not any(each.reason == "many" for each in ledger):
        assert expected - waiting - set(ended) == set(), "no lost run"
