"""What is looked at outside of the run: game days with what blocks them, who serves them, and how shipping stands."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from pathlib import Path

import pytest

from chaos.drivers import DECLARED
from core.schedule import Row, State
from store.ledger import Ledger, directory
from store.ship_ledger import Cursor, DeadLetter, ShipLedger
from store.shipping import ledger_path
from store.skips import skip
from tests.cli.test_schedule import DAYS, RAILS
from tests.store.journals import WALL_NS, busy, make_run
from tui.edge import standing as watchman
from tui.edge.planned import Planned, first_game_days

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
NOW = datetime(2026, 10, 23, 12, tzinfo=UTC)


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home, and beside it game days with their files."""
    monkeypatch.setenv("VIPCHAOS_HOME", str(tmp_path / "home"))
    for name in ("lab.yaml", "node-failover.yaml"):
        (tmp_path / name).write_text((EXPERIMENTS / name).read_text())
    (tmp_path / "days.yaml").write_text(DAYS)
    return tmp_path


def test_the_next_runs_with_what_blocks_them_and_how_the_last_one_went(own: Path) -> None:
    planned = Planned(first_game_days(own), DECLARED)
    first, second, third = planned.look(NOW).lines[:3]
    assert (first.at, first.local) == (datetime(2026, 10, 24, 0, 30, tzinfo=UTC), "Sat 2026-10-24 02:30:00 CEST")
    assert (first.blocked, second.blocked, first.last) == ("", "", "-")
    assert third.blocked == "paused: holiday (on 2026-10-26, Europe/Brussels)"
    assert (Path(first.inventory), first.files) == (own / "lab.yaml", (str(own / "node-failover.yaml"),))
    skip(directory(), "nightly", first.at, "by the test")
    with Ledger(directory()) as ledger:
        before = Row("nightly", NOW, State.FINISHED, NOW, "", outcome="PASSED")
        ledger.append([before, Row("nightly", first.at, State.PLANNED, NOW, "")])
        found = planned.look(NOW)
        assert found.served
    assert (found.lines[0].blocked, found.lines[0].skipped) == ("skipped: by the test", True)
    assert found.lines[0].last == "PASSED 10-23 12:00"
    assert planned.look(NOW).served is False


def test_files_that_change_are_read_anew_and_one_that_is_broken_blocks(own: Path) -> None:
    planned = Planned(own / "days.yaml", DECLARED)
    assert not planned.look(NOW).lines[0].blocked
    for text, reason in ((RAILS, "ends_outside_window"), ("nonsense: 1\n", "bad_configuration")):
        inventory = own / "lab.yaml"
        inventory.write_text(inventory.read_text() + text)
        os.utime(inventory, ns=(0, inventory.stat().st_mtime_ns + 1))
        assert reason in {line.blocked.partition(":")[0] for line in planned.look(NOW).lines[:3]}
    (own / "days.yaml").write_text("game_days: 3")
    os.utime(own / "days.yaml", ns=(0, 0))
    assert "days.yaml:1" in planned.look(NOW).error
    assert Planned(None, DECLARED).look(NOW).path == ""


def test_what_a_shipper_has_not_shipped(own: Path) -> None:
    assert watchman.read_shippers() == ((), "")
    make_run(own / "home" / "runs", "r", {"c1": busy("c1", 20)})
    ledger = ShipLedger(ledger_path(), "there")
    ledger.settle({"r/c1.db": Cursor(90, WALL_NS)}, [DeadLetter("line", "words")])
    ledger.stand("waiting", "status 503", WALL_NS, 90, 1.5)
    ledger.close()
    (one,), error = watchman.read_shippers()
    assert (one.destination, one.state, one.words, one.dead_letters, error) == ("there", "waiting", "status 503", 1, "")
    assert one.lag_records > 0
    ledger_path().write_bytes(b"no database" * 1_000)
    assert "ship.db" in watchman.read_shippers()[1]


def test_what_is_seldom_looked_at_is_looked_at_anew_when_asked() -> None:
    looks = iter(range(9))
    seldom = watchman.Seldom(60.0, lambda: next(looks))
    assert [seldom.value(), seldom.value(), seldom.value(anew=True), seldom.value()] == [0, 0, 1, 1]
