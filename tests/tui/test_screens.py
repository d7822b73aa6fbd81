"""Every screen as it is drawn, at fixed sizes and moments, against the pages in snapshots/.

A page is the text of the cells: signs must do without colour. `VIPCHAOS_SNAPSHOTS=write` writes them anew; look at
the difference before it is committed.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest

from core.audit import Entry
from core.inventory import Host
from core.lease import Lease, LeasedFault
from tests.tui.many import many
from tests.tui.recorded import AFTER_S, OUTAGE_S, STEADY_S, StillApp, drawn, frame_at, paused
from tui.edge.standing import read_experiments
from tui.model.frame import Frame
from tui.model.standing import PlannedLine, RunLine, Schedule, ShipperLine, Standing
from tui.themes import THEMES

PAGES = Path(__file__).parent / "snapshots"
ROOT = Path(__file__).resolve().parents[2]
FILES = ("site-failover.yaml",)
SIZES = ((80, 24), (120, 40), (200, 60))


@cache
def crowd() -> Frame:
    tape = many()
    return frame_at((tape.end_ns - tape.begin_ns) / 1e9 + 0.4, tape_of=tape)


MOMENTS: dict[str, Callable[[], Frame | None]] = {
    "empty": lambda: None,
    "steady": lambda: frame_at(STEADY_S),
    "outage": lambda: frame_at(OUTAGE_S),
    "after": lambda: frame_at(AFTER_S),
    "ended": lambda: frame_at(54.6, running=False),
    "paused": lambda: paused(frame_at(OUTAGE_S), 12.3),
    "many": crowd,
}


@cache
def standing() -> Standing:
    """What stands on a machine, made by hand: a lease, runs, an audit; the repository's own experiments."""
    frame = frame_at(OUTAGE_S)
    assert frame.view is not None
    fault = LeasedFault("ace1-link", "link", Host("sw1", "netns", "sw1"), {}, {}, ("ace1",))
    lease = Lease(
        "site-failover-abf45b", "run-1", "site-failover", frame.view.now_ns + 29_000_000_000, "boot", "", (fault,)
    )
    runs = (
        RunLine("20260101-120420-demo-9976", "", "", "."),
        RunLine(
            "20260101-120000-demo-0001",
            "FAILED",
            "1 of 8 expectations broken",
            ".",
            {"a": (7, 1, 0)},
            {"a failover": (1.3, 1.4)},
        ),
        RunLine(
            "20251231-120000-demo-0000",
            "PASSED",
            "8 of 8 expectations held",
            ".",
            {"a": (8, 0, 0)},
            {"a failover": (0.29, 0.31)},
        ),
    )
    audit = (Entry(1, 1_767_225_600_000_000_000, "uid 0", "armed", {"lease": "site-failover-abf45b"}, "00"),)
    at = datetime(2026, 1, 6, 21, 30, tzinfo=UTC)
    planned = tuple(
        PlannedLine(
            f"{name}-{days}", name, at + timedelta(days=days), local, why, "skip" in why, last, "lab.yaml", FILES
        )
        for name, days, local, why, last in (
            ("weekly", 0, "Tue 2026-01-06 22:30:00 CET", "", "PASSED 12-30 21:30"),
            ("surprise", 1, "Wed 2026-01-07 22:30:00 CET", "freeze: sale (on 2026-01-07, Europe/Brussels)", "-"),
            ("weekly", 7, "Tue 2026-01-13 22:30:00 CET", "skipped: by uid 0", "PASSED 12-30 21:30"),
        )
    )
    shippers = (
        ShipperLine("v2 http://127.0.0.1:8086 ops vipchaos", "running", "", 0.4, 0, 0.0, 0, 54.1),
        ShipperLine("v2 http://127.0.0.1:8428 - vipchaos", "waiting", "status 503: overloaded", 0.7, 1604, 31.2, 2, 0),
    )
    experiments = read_experiments(ROOT / "experiments" / "lab.yaml", ROOT / "experiments")
    named = tuple(replace(line, files=tuple(Path(each).name for each in line.files)) for line in experiments)
    schedule = Schedule("game-days.yaml", planned, True)
    return Standing(frame.view.now_ns, (lease,), "", True, runs, audit, named, schedule, shippers)


Step = tuple[str, str, tuple[str, ...]]
"""A page's name, the moment that is shown, and the keys that lead there from the step before."""


async def pages(size: tuple[int, int], steps: Sequence[Step], ready: Sequence[str] = ()) -> dict[str, str]:
    """Return what is drawn after each step, by the page's name; all steps in one application, one after another.

    `ready`: screens that are made ready before the first step.
    """
    app, found = StillApp(), {}
    async with app.run_test(size=size) as pilot:
        app.seen.standing = standing()
        for name in ready:
            app.make_ready(name)
            await pilot.pause()
            assert app.current_mode == "live"
        for name, moment, keys in steps:
            app.seen.frame = MOMENTS[moment]()
            app.show_all()
            await pilot.pause()
            await pilot.press(*keys)
            await pilot.pause()
            found[name] = "\n".join(drawn(app)) + "\n"
    return found


NAMES = (("2", "failovers"), ("3", "sessions"), ("4", "chaos"), ("5", "runs"), ("6", "health"))
OTHERS = (*[("outage", size) for size in SIZES], ("empty", SIZES[0]), ("many", SIZES[1]))
OPENED: tuple[tuple[tuple[int, int], Step], ...] = (
    ((120, 40), ("event-after", "after", ("2", "enter"))),
    ((80, 24), ("event-outage", "outage", ("2", "enter"))),
    ((120, 40), ("session-after", "after", ("3", "j", "j", "enter"))),
    ((120, 40), ("sessions-filtered", "many", ("3", "slash", *"state:silent slot:99", "enter"))),
    ((120, 40), ("sessions-ordered", "outage", ("3", "o", "o", "O", "G"))),
    ((120, 40), ("planned", "steady", ("4", "tab", "j", "enter"))),
    ((80, 24), ("schedule", "steady", ("4", "tab", "j"))),
    ((120, 40), ("plan", "steady", ("4", "tab", "tab", "j", "j", "j", "enter"))),
    ((120, 40), ("compare", "steady", ("5", "j", "m", "j", "c"))),
    ((120, 40), ("help", "steady", ("question_mark",))),
    ((80, 24), ("help-runs", "steady", ("5", "question_mark"))),
    ((80, 24), ("filter-wrong", "steady", ("3", "slash", "left_parenthesis", "enter"))),
    ((80, 24), ("export", "steady", ("2", "E"))),
    ((120, 40), ("lanes-maximised", "after", ("M",))),
    ((120, 40), ("lanes-zoomed", "outage", ("equals_sign", "equals_sign", "equals_sign"))),
    ((300, 80), ("widest", "outage", ())),
)
WALKS: list[tuple[tuple[int, int], tuple[Step, ...]]] = [
    *[(size, tuple((f"live-{moment}", moment, ()) for moment in MOMENTS)) for size in SIZES],
    *[(size, tuple((f"{name}-{moment}", moment, (key,)) for key, name in NAMES)) for moment, size in OTHERS],
    *[(size, (step,)) for size, step in OPENED],
]


@pytest.mark.parametrize(("size", "steps"), WALKS, ids=[f"{steps[0][0]}-{size[0]}x{size[1]}" for size, steps in WALKS])
def test_screens(size: tuple[int, int], steps: Sequence[Step], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("/tmp")  # a directory that has the same name everywhere: the export is offered there
    for name, found in asyncio.run(pages(size, steps)).items():
        path = PAGES / f"{name}-{size[0]}x{size[1]}.txt"
        if os.environ.get("VIPCHAOS_SNAPSHOTS") == "write":
            path.write_text(found)
        lines = found.splitlines()
        assert len(lines) <= size[1], name
        assert max(map(len, lines)) <= size[0], name
        assert found == path.read_text(), name


def test_a_screen_that_was_made_ready_looks_as_one_that_was_not() -> None:
    steps = [(f"{name}-outage", "outage", (key,)) for key, name in NAMES]
    found = asyncio.run(pages((120, 40), steps, [name for _, name in NAMES]))
    assert found == {name: (PAGES / f"{name}-120x40.txt").read_text() for name, _, _ in steps}


def test_no_page_is_left_over() -> None:
    wanted = {f"{name}-{size[0]}x{size[1]}.txt" for size, steps in WALKS for name, _, _ in steps}
    assert {path.name for path in PAGES.glob("*.txt")} == wanted


def test_a_pause_is_large_and_says_that_the_recording_goes_on() -> None:
    text = (PAGES / "live-paused-80x24.txt").read_text()
    assert "█▀█ ▄▀█ █ █ █▀▀ █▀▀ █▀▄" in text
    assert "the recording goes on" in text
    assert "12.3 s behind" in text


def test_resize_at_any_moment() -> None:
    async def resized() -> None:
        app = StillApp()
        async with app.run_test(size=(120, 40)) as pilot:
            app.show_frame(frame_at(OUTAGE_S))
            for size in ((80, 24), (300, 80), (40, 10), (20, 5), (120, 40)):
                await pilot.resize_terminal(*size)
                await pilot.pause()
                assert len(drawn(app)) == size[1]
            assert "\n".join(drawn(app)) + "\n" == (PAGES / "live-outage-120x40.txt").read_text()

    asyncio.run(resized())


def test_signs_are_the_same_in_every_theme_and_without_colour(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")

    async def shown() -> dict[str, str]:
        app, found = StillApp(), {}
        async with app.run_test(size=(120, 40)) as pilot:
            app.seen.standing = standing()
            app.show_frame(frame_at(OUTAGE_S))
            for theme in THEMES:
                app.theme = theme.name
                await pilot.pause()
                found[theme.name] = "\n".join(drawn(app)) + "\n"
        return found

    page = (PAGES / "live-outage-120x40.txt").read_text()
    assert asyncio.run(shown()) == {theme.name: page for theme in THEMES}
    assert len(THEMES) == 4
