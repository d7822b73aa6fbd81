"""Keys that act: the kill switch everywhere and at once, a revert, a run only where armed and with its name typed."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import pytest
from textual.command import CommandPalette
from textual.pilot import Pilot

from chaos import lease as leases
from chaos import switch
from tests.tui.recorded import OUTAGE_S, StillApp, drawn, frame_at
from tests.tui.test_screens import standing
from tests.tui.test_tail import until
from tui.app import WatchApp
from tui.edge import acting
from tui.options import Options


@pytest.fixture
def stopped(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the kill switch was told; nothing is touched."""
    told: list[str] = []

    def stop(why: str, record: object) -> list[str]:
        del record
        told.append(why)
        return []

    monkeypatch.setattr(switch, "stop", stop)
    return told


def slot_of(app: WatchApp) -> int:
    """The slot under the cursor of the list of sessions."""
    assert app.front is not None
    assert app.front.listing is not None
    assert app.front.listing.current is not None
    return int(app.front.listing.current.slot)


def with_app(work: Callable[[WatchApp, Pilot[None]], Awaitable[None]], options: Options | None = None) -> None:
    async def body() -> None:
        app = StillApp(options)
        async with app.run_test(size=(120, 40), notifications=True) as pilot:
            app.seen.standing = replace(standing(), stopped="")
            app.show_frame(frame_at(OUTAGE_S))
            await pilot.pause()
            await work(app, pilot)

    asyncio.run(body())


def test_the_kill_switch_is_one_key_on_every_screen(stopped: list[str]) -> None:
    async def work(app: WatchApp, pilot: Pilot[None]) -> None:
        for number, keys in enumerate(("1", "2", "3", "enter", "escape 4", "tab", "5", "6"), 1):
            await pilot.press(*keys.split())
            await pilot.pause()
            await pilot.press("K")
            await until(lambda number=number: len(stopped) == number)  # type: ignore[misc]
        await until(lambda: "nothing is out; new faults" in "\n".join(drawn(app)))

    with_app(work)
    assert len(stopped) == 8


def test_while_a_line_is_typed_its_other_key_works_and_k_is_a_letter(stopped: list[str]) -> None:
    async def work(_: WatchApp, pilot: Pilot[None]) -> None:
        await pilot.press("3", "slash")
        await pilot.pause()
        await pilot.press("K")
        await pilot.pause()
        assert not stopped
        await pilot.press("f9")
        await until(lambda: stopped)

    with_app(work)


def test_read_only_acts_on_nothing(stopped: list[str], tmp_path: Path) -> None:
    async def work(app: WatchApp, pilot: Pilot[None]) -> None:
        for key in ("K", "f9", "4", "x", "R", "E"):
            await pilot.press(key)
            await pilot.pause()
        assert "stop everything" not in "\n".join(drawn(app))

    with_app(work, Options(read_only=True, exports=tmp_path))
    assert not stopped
    assert not list(tmp_path.iterdir())


def test_a_lease_is_reverted_by_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Path] = []

    def release(path: Path, record: object, give_up_s: float) -> bool:
        del record, give_up_s
        asked.append(path)
        return True

    monkeypatch.setattr(leases, "release", release)

    async def work(_: WatchApp, pilot: Pilot[None]) -> None:
        await pilot.press("4", "x")
        await until(lambda: asked)

    with_app(work)
    assert [path.name for path in asked] == ["site-failover-abf45b.json"]


@pytest.mark.parametrize(
    ("armed", "typed", "runs"), [(False, "", False), (True, "site-failovr", False), (True, "site-failover", True)]
)
def test_a_fault_runs_only_armed_and_with_its_name_typed(
    monkeypatch: pytest.MonkeyPatch, armed: bool, typed: str, runs: bool
) -> None:
    asked: list[tuple[str, ...]] = []

    def run_experiment(inventory: Path, files: tuple[str, ...], tell: object) -> None:
        del inventory, tell
        asked.append(files)

    monkeypatch.setattr(acting, "run_experiment", run_experiment)

    async def work(app: WatchApp, pilot: Pilot[None]) -> None:
        await pilot.press("4", "tab", "tab", "j", "j")
        await pilot.press("R")
        await pilot.pause()
        if armed:
            assert "injects ace1-link" in "\n".join(drawn(app))
            for char in typed:
                await pilot.press("minus" if char == "-" else char)
            await pilot.press("enter")
            await pilot.pause()
            assert ("type site-failover to run it" in "\n".join(drawn(app))) != runs

    with_app(work, Options(armed=armed, inventory=Path("lab.yaml")))
    assert asked == ([("site-failover.yaml",)] if runs else [])


@pytest.mark.parametrize(("armed", "down", "wanted"), [(False, 0, True), (False, 2, None), (True, 2, False)])
def test_a_planned_run_is_skipped_by_a_key_and_taken_back_only_armed(
    monkeypatch: pytest.MonkeyPatch, armed: bool, down: int, wanted: bool | None
) -> None:
    asked: list[tuple[str, int, bool]] = []

    def leave_out(game_day: str, planned: datetime, wanted: bool, tell: object) -> None:
        del tell
        asked.append((game_day, planned.day, wanted))

    monkeypatch.setattr(acting, "leave_out", leave_out)

    async def work(app: WatchApp, pilot: Pilot[None]) -> None:
        await pilot.press("4", "s", "tab", *["j"] * down, "s")
        await pilot.pause()
        assert "put the cursor on a planned run first" in "\n".join(drawn(app))

    with_app(work, Options(armed=armed))
    assert asked == ([] if wanted is None else [("weekly", 6 + 7 * (down == 2), wanted)])


@pytest.mark.parametrize(("keys", "typed", "dry"), [("tab R", "weekly", False), ("tab tab j j d", "", True)])
def test_a_planned_run_is_run_now_and_an_experiment_dry(
    monkeypatch: pytest.MonkeyPatch, keys: str, typed: str, dry: bool
) -> None:
    asked: list[tuple[str, bool]] = []

    def run_experiment(inventory: Path, files: tuple[str, ...], tell: object, dry: bool = False) -> None:
        del tell
        asked.append((f"{inventory.name} {' '.join(files)}", dry))

    monkeypatch.setattr(acting, "run_experiment", run_experiment)

    async def work(_: WatchApp, pilot: Pilot[None]) -> None:
        await pilot.press("4", *keys.split())
        await pilot.pause()
        await pilot.press(*typed, *["enter"] * (not dry))
        await until(lambda: asked)

    with_app(work, Options(armed=not dry, inventory=Path("lab.yaml")))
    assert asked == [("lab.yaml site-failover.yaml", dry)]


def test_the_palette_offers_what_keys_do() -> None:
    async def work(app: WatchApp, pilot: Pilot[None]) -> None:
        await pilot.press("colon")
        await until(lambda: isinstance(app.screen, CommandPalette))
        await pilot.press(*"longer")
        await until(lambda: "Longer span of time" in "\n".join(drawn(app)))
        await pilot.press("enter")
        await until(lambda: app.seen.span_s == 120)

    with_app(work)


def test_the_mouse_works() -> None:
    async def work(app: WatchApp, pilot: Pilot[None]) -> None:
        await pilot.click("KeyBar", offset=(25, 0))
        await until(lambda: app.current_mode == "sessions")
        await pilot.click("SessionList", offset=(3, 5))
        await until(lambda: slot_of(app) == 4)

    with_app(work)


def test_keys_can_be_others(tmp_path: Path) -> None:
    path = tmp_path / "keys.yaml"
    path.write_text("screen.sessions: Y\nlist.down: n\n")

    async def other(app: WatchApp, pilot: Pilot[None]) -> None:
        await pilot.press("Y")
        await until(lambda: app.current_mode == "sessions")
        await pilot.press("n", "n")
        await pilot.pause()
        assert slot_of(app) == 2

    with_app(other, Options(keys=path))
