"""The screens on real journals: what is written is shown; a finished run is replayed; a newer run is gone over to."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from textual.widgets import Input

from core.records import OutageBegan, ProbeStarted, Record, RunStarted, Summary
from store.journal import JournalWriter
from store.runs import CONTROLLER
from tests.tui.recorded import OUTAGE_S, StillApp, drawn, records, write_run
from tui.app import WatchApp
from tui.options import Options

SECOND_NS = 1_000_000_000


async def until(condition: Callable[[], object], within_s: float = 20.0) -> None:
    """Wait while the application goes on."""
    until_s = time.monotonic() + within_s
    while not condition():
        assert time.monotonic() < until_s, f"not within {within_s} s"
        await asyncio.sleep(0.02)


def text_of(app: WatchApp) -> str:
    return "\n".join(drawn(app))


def shifted() -> list[Record]:
    """The first 15 seconds of the recorded run, as if they had just happened."""
    by_ns = time.monotonic_ns() - records()[0].t_ns - 15 * SECOND_NS
    found: list[Record] = []
    for record in records():
        if record.t_ns > records()[0].t_ns + 15 * SECOND_NS:
            break
        fields = {name: getattr(record, name) for name in record.__slots__}
        for name, value in fields.items():
            if name.endswith("_ns") and isinstance(value, int) and value > 1_000 * SECOND_NS and name != "wall_ns":
                fields[name] = value + by_ns
        if isinstance(record, RunStarted | ProbeStarted):
            fields["wall_ns"] = time.time_ns() - time.monotonic_ns() + fields["t_ns"]
        found.append(type(record)(**fields))
    return found


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("VIPCHAOS_HOME", str(tmp_path))
    return tmp_path


class RealApp(WatchApp):
    """Reads journals, and looks at nothing else on this machine."""

    def _start_standing(self) -> None:
        """Start nothing more."""


def test_what_is_written_is_shown_and_a_pause_does_not_stop_the_recording(home: Path) -> None:
    path = home / "runs" / "20260101-000000-live-0000"
    path.mkdir(parents=True)
    writers: dict[str, JournalWriter] = {}

    def write(record: Record) -> None:
        owner = getattr(record, "vantage", "") or CONTROLLER
        if owner not in writers:
            writers[owner] = JournalWriter(path / f"{owner}.db", owner)
        writers[owner].append(record)

    def tell_all(silent: bool) -> None:
        now_ns = time.monotonic_ns()
        for name in ("c1", "c2", "c3", "c4"):
            write(Summary(now_ns, name, "dc1", "ace1", "N1", 25, 2500, 2500, 0, 0, 200_000, 300_000, (0,) * 24))
        for slot in range(25 if silent else 0):
            write(OutageBegan(now_ns, "c1", slot, "data_plane", now_ns - 100_000_000))  # type: ignore[arg-type]

    for record in shifted():
        write(record)

    async def go_on() -> None:
        while True:
            tell_all(silent=False)
            await asyncio.sleep(0.5)

    async def watched() -> None:
        app = RealApp(Options())
        async with app.run_test(size=(120, 40)) as pilot:
            probes = asyncio.create_task(go_on())
            await until(lambda: "STEADY" in text_of(app) and "data 0" in text_of(app))
            assert app.seen.frame is not None
            assert app.seen.frame.running
            tell_all(silent=True)
            await until(lambda: "c1 without answer" in text_of(app))
            await pilot.press("space")
            await until(lambda: app.seen.paused)
            halted = app.seen.view
            assert halted is not None
            await until(lambda: app.tail is not None and app.tail.end_ns > halted.now_ns)
            assert app.seen.view is not None
            assert app.seen.view.now_ns == halted.now_ns
            await pilot.press("left_square_bracket")
            await until(lambda: app.seen.view is not None and app.seen.view.now_ns == halted.now_ns - SECOND_NS)
            await pilot.press("space")
            await until(lambda: app.seen.frame is not None and app.seen.frame.clock.live)
            probes.cancel()

    asyncio.run(watched())
    for writer in writers.values():
        writer.close()


def test_a_past_run_is_replayed_on_the_same_screens(home: Path) -> None:
    path = write_run(home)

    async def watched() -> None:
        app = RealApp(Options(run=path, from_begin=True))
        async with app.run_test(size=(120, 40)) as pilot:
            await until(lambda: "replay 1x" in text_of(app))
            await pilot.press("S")
            await until(lambda: isinstance(app.focused, Input))
            await pilot.press(*f"{OUTAGE_S}", "enter")
            await until(lambda: "FAILING OVER" in text_of(app) and app.seen.paused)
            assert "c1 c2 without answer for 0.94 s" in text_of(app)
            await pilot.press("left_curly_bracket")
            await until(lambda: "site-failover 2/4 gate" in text_of(app))
            await pilot.press("space", "greater_than_sign", "greater_than_sign", "greater_than_sign")
            await until(lambda: "replay 10x" in text_of(app))
            await until(lambda: "RUN ENDED" in text_of(app))
            assert "● held 8" in text_of(app)

    asyncio.run(watched())


def test_a_newer_run_is_gone_over_to(home: Path) -> None:
    write_run(home, name="20260101-000000-first-0000")

    async def watched() -> None:
        app = RealApp(Options())
        async with app.run_test(size=(120, 40)):
            await until(lambda: "RUN ENDED" in text_of(app))
            write_run(home, OUTAGE_S, name="20260101-000001-second-0000")
            await until(lambda: app.seen.frame is not None and app.seen.frame.path.endswith("second-0000"))
            await until(lambda: "FAILING OVER" in text_of(app))

    asyncio.run(watched())


def test_a_journal_that_cannot_be_read_is_told(home: Path) -> None:
    path = home / "runs" / "20260101-000000-broken-0000"
    path.mkdir(parents=True)
    (path / "controller.db").write_bytes(b"this is no journal" * 100)

    async def watched() -> None:
        app = RealApp(Options(run=path))
        async with app.run_test(size=(120, 40)):
            await until(lambda: "is not a readable journal" in text_of(app), 10)

    asyncio.run(watched())


def test_exports_are_written_whole(tmp_path: Path) -> None:
    from cli.output import write_whole
    from tests.tui.recorded import AFTER_S, frame_at

    async def exported() -> None:
        app = StillApp(Options(exports=tmp_path, write=write_whole))
        async with app.run_test(size=(120, 40)) as pilot:
            app.show_frame(frame_at(AFTER_S))
            await pilot.press("2")
            for key in ("s", "c", "m"):
                await pilot.press("E", key)
                await pilot.pause()

    asyncio.run(exported())
    svg, csv, md = (next(tmp_path.glob(f"vipchaos-failovers-*.{kind}")).read_text() for kind in ("svg", "csv", "md"))
    assert svg.startswith("<svg")
    assert "site-failover" in svg
    assert csv.splitlines()[0].startswith("when,event,fault")
    assert "1.33 … 1.37 s" in csv
    assert len(md.splitlines()) == 5
