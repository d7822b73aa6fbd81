"""Shipping: nothing is lost, nothing is shipped twice without need, whatever ends in between."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import count

import pytest
from line_protocol_parser import parse_line

from core.records import Record
from store.feed import Feed
from store.ship_ledger import ShipLedger, standings
from store.shipper import Clocks, Shipper
from tests.store.journals import WALL_NS, S, append, busy, make_run, summary
from tests.store.ship_world import Sink, World


def expected(records: Iterable[Record]) -> int:
    return sum(1 for _ in records)


def test_everything_is_shipped_once_and_what_is_new_after_it(world: World) -> None:
    run = make_run(world.runs, "r", {"c1": busy("c1", 120, slots=50), "c2": busy("c2", 7)})
    sink = Sink()
    shipper = world.ship(sink, points=100)
    assert len(sink.facts) == len(set(sink.facts)) == expected(busy("c1", 120, slots=50)) + expected(busy("c2", 7))
    assert max(sink.sizes) <= 100
    again = Sink()
    world.ship(again)
    assert again.facts == []
    append(run / "c2.db", [summary(99 * S, "c2", 0)])
    world.ship(again)
    (line,) = again.facts
    assert parse_line(line)["time"] == WALL_NS + 94 * S
    (standing,) = standings(world.path / "ship.db")
    assert (standing.state, standing.accepted) == ("ended", shipper.accepted + 1)


@pytest.mark.parametrize("fails_at", range(8))
def test_a_crash_between_acknowledgement_and_cursor_ships_again_the_same(world: World, fails_at: int) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 60, slots=3)})

    class Crash(BaseException):
        pass

    sink, calls = Sink(), count()

    class Crashing(ShipLedger):
        def settle(self, moved: object, dead: object = (), wall_ns: int = 0) -> None:
            if next(calls) == fails_at:
                raise Crash
            super().settle(moved, dead, wall_ns)  # type: ignore[arg-type]

    ledger = Crashing(world.path / "ship.db", "there")
    clocks = Clocks(world.stop, lambda: 0.5, lambda: WALL_NS, count().__next__, world.waited_s.append)
    shipper = Shipper(Feed({}, "test", world.runs), sink, ledger, clocks, "test", points=25)
    with pytest.raises(Crash):
        shipper.run(once=True)
    ledger.close()
    world.ship(sink, points=40)
    assert set(sink.facts) == set(Feed({}, "test", world.runs).take(10_000).lines)
    assert len(sink.facts) - len(set(sink.facts)) <= 2 * 25  # one batch under way, one acknowledged


def test_a_long_way_is_told_as_it_goes(world: World) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 400)})
    world.ship(Sink(), points=50)
    assert "points shipped so far, more follow" in world.told[0]
    assert len(world.told) <= 2_000 // 50  # at most one a batch, each five seconds of this world's fast clock
