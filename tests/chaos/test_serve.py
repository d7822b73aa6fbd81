"""Serving game days: every end that a run may have, and kill -9 between any two steps: nothing twice, nothing lost."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, timedelta
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from chaos import child
from chaos.serve import Service, World
from chaos.wall import wall_now
from core.clock_changes import midnight
from core.cron import parse_cron
from core.errors import BlockedError
from core.game_days import GameDay, Once, Repeated
from core.schedule import Row, State
from core.windows import DAY, Freeze
from store.ledger import Ledger, history
from store.skips import skip
from tests.chaos.served import ENDS, NAMES, ROOT, game_days, stand_in
from tests.waiting import wait_for

STEPS = 12
"""Of two planned runs that end by themselves: two rows, before and after; the start and the end of the process."""


def serve(place: Path, kill_at: int, instants: list[float], seconds: str, how: str) -> subprocess.Popen[str]:
    argv = [sys.executable, "-m", "tests.chaos.served", str(place), str(kill_at), *map(str, instants), seconds, how]
    environment = os.environ | {"VIPCHAOS_HOME": str(place)}
    return subprocess.Popen(argv, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True)


def run_killed(place: Path, kills: list[int], how: str) -> list[str]:
    """Serve with a process killed at each of `kills` in turn, then with one that is not; return all steps.

    The runs are planned, and due at once.
    """
    place.mkdir()
    now = time.time_ns() / 1e9
    instants: list[float] = [now, now + 0.001]
    steps: list[str] = []
    make_due(place, game_days(instants))
    for kill_at in [*kills, -1]:
        with serve(place, kill_at, instants, "0.2", how) as process:
            try:
                steps += process.communicate(timeout=60)[0].splitlines()
            finally:
                process.kill()
        assert process.returncode in ((0,) if kill_at < 0 else (0, -signal.SIGKILL))
    return steps


def make_due(place: Path, days: list[GameDay]) -> None:
    """Put into the ledger that the runs of `days` are planned for their one instant."""
    with Ledger(place) as ledger:
        for day in days:
            assert isinstance(day.when, Once)
            planned = day.when.wall.replace(tzinfo=UTC)
            ledger.append([Row(day.name, planned, State.PLANNED, planned, day.timing)])


def check(place: Path) -> dict[str, list[State]]:
    """What must be true at the end, wherever it was killed; returns the states of each planned run."""
    rows = history(place, 1000)
    states = {name: [row.state for row in rows if row.game_day == name] for name in NAMES}
    began = (place / "began").read_text().split() if (place / "began").exists() else []
    assert len(began) == len(set(began)), "no double run"
    for name, found in states.items():
        assert sum(state in ENDS for state in found) == 1, f"{name}: one end, none lost: {found}"
        assert found.count(State.STARTED) <= 1
        assert any(key.startswith(name) for key in began) <= (State.STARTED in found), "in the ledger before it began"
        if found[-1] is State.FINISHED:
            assert State.STARTED in found
    assert list(place.glob("*.fault")) == [], "no fault is left"
    assert list(place.glob("leases/*.json")) == []
    return states


def test_kill_9_between_any_two_steps(tmp_path: Path) -> None:
    cases = [([at], "cut" if at % 2 else "orderly") for at in range(STEPS)]
    twice = ((0, 0), (1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2), (2, 3), (3, 1), (4, 3), (7, 2), (8, 1))
    cases += [([at, again], "cut") for at, again in twice]
    places = [tmp_path / f"{number}" for number in range(len(cases))]
    with ThreadPoolExecutor(4) as pool:
        runs = [pool.submit(run_killed, place, *case) for place, case in zip(places, cases, strict=True)]
        steps = [run.result() for run in runs]
    ends = [found[-1] for place in places for found in check(place).values()]
    assert ends.count(State.ABORTED) >= 10, "killed while a run was on, or its end was not written"
    assert ends.count(State.FINISHED) >= 20
    assert set(ends) == {State.ABORTED, State.FINISHED}, "none was missed: all were in their grace"
    killed = {said[kills[0]].split(" ", 1)[1] for said, (kills, _) in zip(steps, cases, strict=True)}
    assert killed == {
        *("before STARTED", "after STARTED", "spawned", "ended", "before FINISHED", "after FINISHED"),
    }


def _has_two_rows(place: Path) -> bool:
    return len(history(place, 10)) == 2


def test_kill_9_while_it_plans(tmp_path: Path) -> None:
    later = time.time_ns() / 1e9 + 3600
    for kill_at in range(4):
        place = tmp_path / f"{kill_at}"
        place.mkdir()
        killed = serve(place, kill_at, [later, later], "0", "cut")
        killed.communicate(timeout=60)
        assert killed.returncode == -signal.SIGKILL
        process = serve(place, -1, [later, later], "0", "cut")
        try:
            wait_for(partial(_has_two_rows, place))
        finally:
            process.terminate()
            process.communicate(timeout=60)
        assert [(row.game_day, row.state) for row in history(place, 10)] == [(name, State.PLANNED) for name in NAMES]


@pytest.mark.parametrize("how", ["orderly", "slow", "cut"])
def test_killed_while_a_run_is_on_its_faults_are_reverted(tmp_path: Path, how: str) -> None:
    now = time.time_ns() / 1e9
    process = serve(tmp_path, -1, [now + 5, now + 3600], "60", how)
    try:
        wait_for(lambda: list(tmp_path.glob("*.fault")))
        with pytest.raises(BlockedError, match="another `vipchaos serve` has this ledger"):
            Ledger(tmp_path)
    finally:
        process.kill()
        process.communicate()
    again = serve(tmp_path, -1, [now + 5, now + 3600], "60", how)
    wait_for(lambda: State.ABORTED in [row.state for row in history(tmp_path, 10)])
    again.terminate()
    again.communicate(timeout=60)
    assert again.returncode == 0
    (row,) = [row for row in history(tmp_path, 10) if row.state is State.ABORTED]
    assert (row.game_day, row.reason, row.outcome) == ("one", "serve_died", "ABORTED")
    assert row.run.split("-")[2] == "one"
    # A run that is ending is waited for: it reverts by itself, and its journal tells so.
    reverted = "leases that were still out and are reverted: 1" if how == "cut" else "no lease was out"
    assert reverted in row.words
    assert list(tmp_path.glob("*.fault")) == []
    last = history(tmp_path, 10)[-1]
    assert len((tmp_path / "began").read_text().split()) == 1
    assert last.state is State.ABORTED


def test_sigterm_ends_in_order(tmp_path: Path) -> None:
    now = time.time_ns() / 1e9
    process = serve(tmp_path, -1, [now + 5, now + 3600], "60", "orderly")
    wait_for(lambda: list(tmp_path.glob("*.fault")))
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 0
    row = history(tmp_path, 10)[-1]
    assert (row.state, row.reason, row.words) == (State.ABORTED, "stopped", "exit code 8: told to stop")
    assert list(tmp_path.glob("*.fault")) == []
    assert child.ended(tmp_path, 0.0)


def serve_here(place: Path, days: list[GameDay], command: object, until: Callable[[list[Row]], bool]) -> list[Row]:
    """Serve in this process until `until` is true of the new rows."""
    rows: list[Row] = []

    async def go() -> None:
        with Ledger(place) as ledger:

            def told(row: Row) -> None:
                rows.append(row)
                if until(rows):
                    service.stop()

            world = World(place, command, told, lease_directory=place / "leases")  # type: ignore[arg-type]
            service = Service(days, ledger, world)
            await asyncio.wait_for(service.serve(), 60)

    asyncio.run(go())
    return rows


def ended(rows: list[Row]) -> bool:
    return any(row.state in ENDS for row in rows)


@pytest.fixture
def soon(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GameDay:
    monkeypatch.setenv("VIPCHAOS_HOME", str(tmp_path))
    return game_days([time.time_ns() / 1e9, 0])[0]


@pytest.mark.parametrize(
    ("code", "state", "outcome", "words"),
    [
        (0, State.FINISHED, "PASSED", ""),
        (1, State.FINISHED, "FAILED", ""),
        (5, State.FINISHED, "INCONCLUSIVE", ""),
        (7, State.FINISHED, "REVERT_FAILED", ""),
        (3, State.BLOCKED, "BLOCKED", "exit code 3: done"),
        (6, State.ABORTED, "ABORTED", "exit code 6: done; no lease was out"),
    ],
)
def test_each_exit_code_of_a_run(
    tmp_path: Path, soon: GameDay, code: int, state: State, outcome: str, words: str
) -> None:
    make_due(tmp_path, [soon])
    rows = serve_here(tmp_path, [soon], stand_in(tmp_path, "0", str(code), "orderly"), ended)
    assert [row.state for row in rows] == [State.STARTED, state]
    assert (rows[-1].outcome, rows[-1].words) == (outcome, words)
    assert rows[-1].run.startswith("20")
    assert history(tmp_path, 10)[1:] == rows


def test_a_run_that_cannot_be_started(tmp_path: Path, soon: GameDay) -> None:
    make_due(tmp_path, [soon])
    rows = serve_here(tmp_path, [soon], lambda *_: ["/no/such/program"], ended)
    assert [row.state for row in rows] == [State.STARTED, State.ABORTED]
    assert "No such file" in rows[-1].words


def test_no_run_beside_one_that_is_still_ending(tmp_path: Path, soon: GameDay) -> None:
    make_due(tmp_path, [soon])
    lock = child.take_lock(tmp_path)
    try:
        rows = serve_here(tmp_path, [soon], stand_in(tmp_path, "0", "0", "orderly"), ended)
    finally:
        os.close(lock)
    assert (rows[-1].state, rows[-1].words) == (State.ABORTED, "a run from before has not ended")


def test_blocked_rows(tmp_path: Path, soon: GameDay) -> None:
    today = wall_now().date()
    frozen = tmp_path / "frozen.yaml"
    freeze = f'rails:\n  freezes:\n    - {{name: now, from: "{today}", to: "{today + DAY}", time_zone: UTC}}\n'
    frozen.write_text(Path(soon.inventory).read_text() + freeze)
    for reason, day in {
        "paused": replace(soon, pauses=(Freeze("holiday", today, today + DAY, ZoneInfo("UTC")),)),
        "bad_configuration": replace(soon, inventory=str(tmp_path / "gone.yaml")),
        "freeze": replace(soon, inventory=str(frozen)),
        "skipped": soon,
    }.items():
        make_due(tmp_path / reason, [day])
        if reason == "skipped":
            skip(tmp_path / reason, day.name, history(tmp_path / reason, 1)[0].planned, "by the test")
        rows = serve_here(tmp_path / reason, [day], _never, ended)
        assert [(row.state, row.reason) for row in rows] == [(State.BLOCKED, reason)]


def test_it_wakes_at_the_planned_instant(tmp_path: Path, soon: GameDay) -> None:
    """By its alarm, and not by the look that comes every 20 s."""
    day = replace(soon, when=Once(wall_now().replace(tzinfo=None) + timedelta(seconds=3)))
    rows = serve_here(tmp_path, [day], stand_in(tmp_path, "0", "0", "orderly"), ended)
    assert [row.state for row in rows] == [State.PLANNED, State.STARTED, State.FINISHED]
    assert timedelta(0) <= rows[1].at - rows[1].planned < timedelta(seconds=10)


def _never(*_: object) -> list[str]:
    pytest.fail("it must not start")


def test_missed_while_nothing_served(tmp_path: Path, soon: GameDay) -> None:
    hourly = replace(soon, when=Repeated(parse_cron("* * * * *")), grace=timedelta(0))
    before = wall_now().replace(second=0, microsecond=0) - timedelta(minutes=3)
    with Ledger(tmp_path) as ledger:
        ledger.append([Row("one", before, State.PLANNED, before, hourly.timing)])
    rows = serve_here(tmp_path, [hourly], _never, lambda rows: rows[-1].state is State.PLANNED)
    missed = [row for row in rows if row.state is State.MISSED]
    assert [row.planned for row in missed] == [before + timedelta(minutes=at) for at in range(len(missed))]
    assert len(missed) >= 3
    assert {row.reason for row in missed} == {"late"}


def test_a_game_day_that_left_the_file(tmp_path: Path, soon: GameDay) -> None:
    future = midnight(date(2099, 1, 1))
    with Ledger(tmp_path) as ledger:
        ledger.append([Row("old", future.replace(tzinfo=UTC), State.PLANNED, wall_now(), "once")])
    rows = serve_here(tmp_path, [replace(soon, when=Once(future))], _never, lambda rows: len(rows) == 2)
    assert [(row.game_day, row.state, row.reason) for row in rows] == [
        ("old", State.MISSED, "not_planned"),
        ("one", State.PLANNED, ""),
    ]
