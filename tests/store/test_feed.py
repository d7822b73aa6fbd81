"""What is read from the journals to be shipped: runs under way, clocks, damaged records, ends, journals made anew."""

from __future__ import annotations

import sqlite3

from line_protocol_parser import parse_line

from core.records import Note, Outcome, Record, RunEnded, RunStarted
from store.feed import Batch, Feed
from store.journal import JournalWriter
from store.ship_ledger import Cursor
from tests.store.journals import WALL_NS, S, append, busy, make_run, started, summary
from tests.store.ship_world import Sink, World, whole_run


def test_a_run_that_is_under_way_and_a_journal_that_is_made_later(world: World) -> None:
    (world.runs / "r").mkdir(parents=True)
    journal = JournalWriter(world.runs / "r" / "c1.db", "c1")
    journal.append(started("c1"))
    journal.sync()
    ledger, sink = world.ledger(), Sink()
    feed = Feed(ledger.cursors(), "test", world.runs)
    assert len(feed.take(10).lines) == 1
    assert feed.take(10) == Batch()
    journal.append(summary(6 * S, "c1", 0))
    journal.sync()
    assert feed.lag().records == 1
    assert feed.lag().since_wall_ns == WALL_NS + S
    (line,) = feed.take(10).lines
    assert line.startswith("sessions,environment=test,vantage=c1,site=dc1,node=ace1,nat_pool=N1 ")
    (world.runs / "r" / "c2.db").write_bytes(b"")
    assert feed.take(10).lines == []
    assert "c2.db" in str(feed.unreadable)
    (world.runs / "r" / "c2.db").unlink()
    make_run(world.runs, "s", {"c2": [started("c2"), summary(7 * S, "c2", 0)]})
    assert len(feed.take(10).lines) == 2
    journal.close()
    assert feed.take(10) == Batch()
    assert sink.lines == []


def test_the_wall_is_that_of_the_last_record_that_told_it(world: World) -> None:
    """An agent that began again after a reboot has another monotonic clock in the same journal."""
    early = Note(S, "c1", "before the agent began")
    rebooted = started("c1", t_ns=S, wall_ns=WALL_NS + 1_000 * S)
    records: list[Record] = [early, started("c1"), summary(6 * S, "c1", 0), rebooted, summary(2 * S, "c1", 0)]
    make_run(world.runs, "r", {"c1": records, "guard": [Note(6 * S, "guard", "no clock of its own")]})
    make_run(
        world.runs, "s", {"controller": [RunStarted(0, WALL_NS, "s", "0", "", ())], "guard": [Note(S, "guard", "x")]}
    )
    sink = Sink()
    world.ship(sink, points=2)
    stamps = {(line.split(",")[0], parse_line(line)["time"] // 10**6 - WALL_NS // 10**6) for line in sink.facts}
    assert stamps == {
        ("notes", -4_000),
        ("probes", 0),
        ("sessions", 1_000),
        ("probes", 1_000_000),
        ("sessions", 1_001_000),
        ("runs", 0),
        ("notes", 1_000),
    }
    assert world.ledger().cursors().keys() == {"r/c1.db", "s/controller.db", "s/guard.db"}


def test_a_record_that_makes_no_sense_is_kept_and_the_rest_goes_on(world: World) -> None:
    run = make_run(world.runs, "r", {"c1": busy("c1", 2)})
    JournalWriter(run / "bad.db", "bad").close()
    (run / "none.db").write_bytes(b"not a journal, by far not" * 100)
    with sqlite3.connect(run / "bad.db") as connection:
        connection.executemany(
            "INSERT INTO records VALUES (?, 1, ?, '', ?)",
            [(1, "Drop", '{"cause": "gremlins"}'), (2, "OfTheFuture", "{}"), (3, "ProbeStarted", "{")],
        )
    connection.close()
    sink = Sink()
    shipper = world.ship(sink)
    assert len(sink.facts) == 11
    assert "none.db" in str(shipper.feed.unreadable)
    assert "bad.db" in str(shipper.feed.unreadable)  # no record of it tells the wall
    make_run(world.runs, "s", {"controller": [RunStarted(0, WALL_NS, "s", "0", "", ())]})
    (run / "bad.db").rename(world.runs / "s" / "bad.db")
    world.ship(sink)
    assert [letter.line for letter in reversed(world.dead())] == ["s/bad.db record 1", "s/bad.db record 3"]
    assert "a Drop that cannot be read" in world.dead()[-1].words


def test_a_run_is_judged_at_its_end_and_its_point_written_anew(world: World) -> None:
    records = whole_run()
    make_run(world.runs, "r", {"controller": [r for r in records if not isinstance(r, RunEnded)]})
    sink = Sink()
    world.ship(sink)
    (running,) = [line for line in sink.facts if line.startswith("runs,")]
    assert 'outcome="RUNNING"' in running
    append(world.runs / "r" / "controller.db", [r for r in records if isinstance(r, RunEnded)])
    after = Sink()
    world.ship(after)
    (ended,) = [line for line in after.facts if line.startswith("runs,")]
    assert 'outcome="INCONCLUSIVE"' in ended  # three vantages of the inventory have no records
    assert (parse_line(running)["tags"], parse_line(running)["time"]) == (
        parse_line(ended)["tags"],
        parse_line(ended)["time"],
    )
    assert {line.split(",")[0] for line in after.facts} >= {"runs", "failovers", "verdicts", "fault_windows"}
    world.ship(again := Sink())
    assert again.facts == []


def test_a_run_that_cannot_be_judged_is_told_once(world: World) -> None:
    make_run(
        world.runs,
        "r",
        {"controller": [RunStarted(1, WALL_NS, "r", "0", ": no yaml", ()), RunEnded(2, 3, Outcome.PASSED)]},
    )
    world.ship(Sink())
    world.ship(Sink())
    (letter,) = world.dead()
    assert letter.line == "r/outcome"
    assert "its points cannot be made" in letter.words


def test_back_to_a_moment(world: World) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 50), "c2": busy("c2", 10)})
    make_run(world.runs, "s", {"controller": whole_run()})
    first = Sink()
    world.ship(first)
    ledger = world.ledger()
    feed = Feed(ledger.cursors(), "test", world.runs)
    moved = feed.back_to(WALL_NS + 41 * S)
    assert moved == {"r/c1.db": Cursor(1 + 40 * 5, WALL_NS - 5 * S, 5 * S)}
    ledger.settle(moved)
    world.ship(again := Sink())
    assert again.facts == first.facts[201:251]
    ledger.settle(Feed(ledger.cursors(), "test", world.runs).back_to(0))
    world.ship(all_again := Sink())
    assert all_again.facts == first.facts
    assert Feed({}, "test", world.runs).back_to(0) == {}
    behind = {"r/c1.db": Cursor(100, WALL_NS - 5 * S)}
    assert Feed(behind, "test", world.runs).back_to(WALL_NS + 41 * S) == {}  # never forward, over what is not shipped


def test_a_journal_that_was_made_anew_under_its_name_is_begun_anew(world: World) -> None:
    """An agent by itself, whose journal was deleted: the new one has few records, or more than the old one had."""
    run = make_run(world.runs, "r", {"c1": busy("c1", 50)})
    world.ship(Sink())
    for seconds in (3, 80):
        (run / "c1.db").unlink()
        JournalWriter(run / "c1.db", "c1").close()
        append(run / "c1.db", [started("c1", (900 + seconds) * S, WALL_NS + 900 * S), *list(busy("c1", seconds))[1:]])
        world.ship(sink := Sink())
        assert len(sink.facts) == 1 + 5 * seconds
    world.ship(again := Sink())
    assert again.facts == []
