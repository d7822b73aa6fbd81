"""Shipping: nothing is lost, nothing is shipped twice without need, what is refused is kept with the server's words."""

from __future__ import annotations

import sqlite3
import subprocess
import threading
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import pytest
from line_protocol_parser import parse_line

from core.errors import CallError
from core.records import Note, Outcome, Record, RunEnded, RunStarted
from store import influx
from store import ship_ledger as ledger_module
from store.feed import Batch, Feed
from store.influx import Api, Destination, Influx, Meaning, Reply
from store.journal import JournalError, JournalWriter
from store.ship_ledger import Cursor, DeadLetter, ShipLedger, standings
from store.shipper import Clocks, Shipper, ShippingForbiddenError, ShippingStoppedError, waits_s
from tests.core.test_judge import EXPERIMENTS, history
from tests.store.journals import WALL_NS, S, append, busy, make_run, started, summary
from tests.store.standin import HALF, HALF_BODY, HANG_UP, NOTHING, Said, standing_in

TOKEN = "s3cret-t0ken"


@dataclass
class Sink:
    """Takes lines; `answer` decides, and what is accepted is kept."""

    answer: Callable[[list[str]], Reply] = lambda _: Reply(Meaning.ACCEPTED, 204)
    lines: list[str] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)

    def write(self, lines: list[str]) -> Reply:
        self.sizes.append(len(lines))
        reply = self.answer(lines)
        if reply.meaning is Meaning.ACCEPTED:
            self.lines += lines
        return reply

    @property
    def facts(self) -> list[str]:
        """What came from journals: all but the shipper's own points."""
        return [line for line in self.lines if not line.startswith("shipper,")]


@dataclass
class World:
    """Runs, a ledger and a clock of the test's own."""

    path: Path
    stop: threading.Event = field(default_factory=threading.Event)
    waited_s: list[float] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def runs(self) -> Path:
        return self.path / "runs"

    def ledger(self) -> ShipLedger:
        return ShipLedger(self.path / "ship.db", "there")

    def ship(self, sink: Sink | Influx, once: bool = True, points: int = 5_000) -> Shipper:
        ledger = self.ledger()
        clocks = Clocks(self.stop, lambda: 0.5, lambda: WALL_NS, count().__next__, self.waited_s.append)
        feed = Feed(ledger.cursors(), "test", self.runs)
        shipper = Shipper(feed, sink, ledger, clocks, "test", self.told.append, points)
        try:
            shipper.run(once)
        finally:
            ledger.close()
        return shipper

    def dead(self) -> list[DeadLetter]:
        return self.ledger().last_dead(10_000)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


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


def test_waiting_grows_by_chance_to_a_minute_and_is_never_less_than_asked() -> None:
    assert [waits_s(n, 0, 0.0) for n in range(9)] == [0.25, 0.5, 1, 2, 4, 8, 16, 30, 30]
    assert [waits_s(n, 0, 0.999) <= min(60, 0.5 * 2**n) for n in range(40)] == [True] * 40
    assert waits_s(0, 17.0, 0.5) == 17.0


@pytest.mark.parametrize(
    "said",
    [
        Said(429, "slow down", (("Retry-After", "7"),)),
        Said(503, "overloaded"),
        Said(500, '{"code":"internal error"}'),
        Said(HALF),
        Said(HALF_BODY),
        Said(HANG_UP),
        Said(NOTHING),
    ],
    ids=lambda said: str(said.status),
)
def test_an_outage_is_waited_out(world: World, said: Said, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(influx, "TIMEOUT_MS", (500, 500))
    make_run(world.runs, "r", {"c1": busy("c1", 20)})
    bad = iter([True, True, False, True])
    with standing_in(lambda _: said if next(bad, False) else Said(204)) as there:
        sink = Influx(Destination(there.url, "o", "b", Api.V2), TOKEN)
        world.ship(sink, points=30)
        sink.close()
        facts = [line for line in there.lines if not line.startswith("shipper,")]
    assert sorted(facts) == sorted(Feed({}, "test", world.runs).take(10_000).lines)
    asked_s = 7.0 if said.status == 429 else 0
    assert world.waited_s[:3] == [max(asked_s, waited_s) for waited_s in (0.375, 0.75, 0.375)]
    assert world.dead() == []
    assert sum("so far" not in words for words in world.told) == 4
    assert world.told[0].startswith("shipping waits, ")
    assert said.status < 0 or f"status {said.status}: {said.body}" in world.told[0]
    assert TOKEN not in "".join(world.told)


def test_a_server_that_is_not_there_is_waited_for(world: World) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 2)})
    sink = Influx(Destination("http://127.0.0.1:9", "o", "b", Api.V2), TOKEN)

    def give_up(waited_s: float) -> None:
        world.waited_s.append(waited_s)
        if len(world.waited_s) == 4:
            world.stop.set()

    ledger = world.ledger()
    clocks = Clocks(world.stop, lambda: 0.5, lambda: WALL_NS, count().__next__, give_up)
    Shipper(Feed({}, "test", world.runs), sink, ledger, clocks, "test", world.told.append).run(once=True)
    assert ledger.cursors() == {}
    assert "refused" in world.told[0].lower()
    standing = ledger.standing()
    assert standing is not None
    assert (standing.state, standing.words) == ("ended", "told to stop")


def test_the_refused_points_alone_are_kept_with_the_words(world: World) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 100, slots=60)})
    everything = Feed({}, "test", world.runs).take(10_000).lines
    bad = {everything[7], everything[8], everything[333], everything[-1]}

    def answer(lines: list[str]) -> Said:
        found = bad & set(lines)
        return Said(400, f'{{"message":"unable to parse {len(found)} for {TOKEN}"}}') if found else Said(204)

    with standing_in(answer) as there:
        sink = Influx(Destination(there.url, "o", "b", Api.V2), TOKEN)
        world.ship(sink, points=200)
        sink.close()
        facts = [line for line in there.lines if not line.startswith("shipper,")]
        requests = len(there.sizes)
    assert sorted(facts) == sorted(set(everything) - bad)
    assert {letter.line for letter in world.dead()} == bad
    assert {letter.words for letter in world.dead()} == {'status 400: {"message":"unable to parse 1 for ***"}'}
    assert requests < 4 * 2 * 9
    assert all(letter.wall_ns == WALL_NS for letter in world.dead())


def test_a_batch_that_is_too_large_is_halved(world: World) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 40)})
    sink = Sink(lambda lines: Reply(Meaning.REFUSED, 413) if len(lines) > 50 else Reply(Meaning.ACCEPTED))
    world.ship(sink)
    assert len(sink.facts) == 201
    assert world.dead() == []


@pytest.mark.parametrize(
    ("said", "error", "code"),
    [
        (Said(401, "unauthorized access"), ShippingForbiddenError, 6),
        (Said(403, "forbidden"), ShippingForbiddenError, 6),
        (Said(404, 'bucket "b" not found'), ShippingStoppedError, 4),
        (Said(405), ShippingStoppedError, 4),
        (Said(301, "", (("Location", "http://elsewhere.invalid/"),)), ShippingStoppedError, 4),
        (Said(200, "<html>welcome</html>"), ShippingStoppedError, 4),
    ],
    ids=lambda value: str(getattr(value, "status", "")),
)
def test_what_will_never_be_taken_stops_shipping(world: World, said: Said, error: type[Exception], code: int) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 2)})
    with standing_in(lambda _: said) as there:
        sink = Influx(Destination(there.url, "o", "b", Api.V2), TOKEN)
        with pytest.raises(error, match=f"shipping stops, status {said.status}") as raised:
            world.ship(sink)
        sink.close()
    assert raised.value.exit_code == code  # type: ignore[attr-defined]
    assert world.ledger().cursors() == {}
    (standing,) = standings(world.path / "ship.db")
    assert standing.state == "stopped"
    assert TOKEN not in standing.words


def test_a_certificate_that_nobody_vouches_for_stops_shipping(
    world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = tmp_path / "own.pem"
    words = [
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "1",
        "-subj",
        "/CN=own",
        "-addext",
        "subjectAltName=IP:127.0.0.1",
    ]
    argv = ["openssl", "req", "-x509", *words, "-keyout", str(own), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(argv, check=True, capture_output=True)
    with own.open("a") as file:
        file.write((tmp_path / "cert.pem").read_text())
    make_run(world.runs, "r", {"c1": busy("c1", 2)})
    with standing_in(certificate=own) as there:
        sink = Influx(Destination(there.url, "o", "b", Api.V2), TOKEN)
        with pytest.raises(ShippingStoppedError, match="CERTIFICATE_VERIFY_FAILED"):
            world.ship(sink)
        assert there.asked == []
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "cert.pem"))
        trusting = Influx(Destination(there.url, "o", "b", Api.V2), TOKEN)
        world.ship(trusting)
        assert len(there.asked) == 2


def test_what_is_sent_to_which_api(world: World) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 2)})
    with standing_in() as there:
        for destination, token in (
            (Destination(f"{there.url}/", "an org", "b&b", Api.V2), TOKEN),
            (Destination(there.url, "", "db/rp", Api.V1), "user:pass"),
            (Destination(there.url, "", "db", Api.V1), ""),
        ):
            sink = Influx(destination, token)
            assert sink.write(["a,b=c d=1i 1"]).meaning is Meaning.ACCEPTED
            sink.close()
    (two, one, none) = there.asked
    assert two[0] == "/api/v2/write?org=an+org&bucket=b%26b&precision=ns"
    assert two[1]["Authorization"] == f"Token {TOKEN}"
    assert one[0] == "/write?db=db&rp=rp&precision=ns"
    assert one[1]["authorization"] == "Basic dXNlcjpwYXNz"
    assert none[0] == "/write?db=db&precision=ns"
    assert "authorization" not in {name.lower() for name in none[1]}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("ftp://x", "o", "b", Api.V2), "want http://HOST:PORT"),
        (("http://", "o", "b", Api.V2), "want http://HOST:PORT"),
        (("http://me:secret@x", "o", "b", Api.V2), "no user, password or token"),
        (("http://x?token=secret", "o", "b", Api.V2), "no user, password or token"),
        (("http://x", "", "b", Api.V2), "no organisation"),
        (("http://x", "o", "", Api.V1), "no bucket"),
    ],
)
def test_a_destination_that_cannot_be(words: tuple[str, str, str, Api], said: str) -> None:
    with pytest.raises(CallError, match=said) as raised:
        Destination(*words)
    assert "secret" not in str(raised.value)


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


def whole_run() -> list[Record]:
    inventory = (EXPERIMENTS / "lab.yaml").read_text()
    experiment = (EXPERIMENTS / "node-failover.yaml").read_text()
    return [RunStarted(1, WALL_NS, "r", "0.1.0", inventory, (experiment,)), *history()]


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


def test_dead_letters_are_counted_for_ever_and_kept_up_to_a_bound(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledger_module, "KEPT", 10)
    ledger = ShipLedger(tmp_path / "ship.db", "there")
    for number in range(7):
        ledger.settle({}, [DeadLetter(f"{number}-{n}", "w") for n in range(5)])
    assert ledger.dead_letters() == 35
    assert [letter.line for letter in ledger.last_dead(100)] == [f"{k}-{n}" for k in (6, 5) for n in (4, 3, 2, 1, 0)]


def test_a_long_way_is_told_as_it_goes(world: World) -> None:
    make_run(world.runs, "r", {"c1": busy("c1", 400)})
    world.ship(Sink(), points=50)
    assert "points shipped so far, more follow" in world.told[0]
    assert len(world.told) <= 2_000 // 50  # at most one a batch, each five seconds of this world's fast clock


def test_a_ledger_that_cannot_be_used_is_told_with_its_file(tmp_path: Path) -> None:
    (tmp_path / "ship.db").write_bytes(b"no database" * 1_000)
    with pytest.raises(JournalError, match=r"ship\.db: the ledger of shipping cannot be used"):
        ShipLedger(tmp_path / "ship.db", "there")


def test_cursors_of_destinations_are_apart_and_settle_whole_or_not_at_all(tmp_path: Path) -> None:
    one, two = (ShipLedger(tmp_path / "ship.db", name) for name in ("one", "two"))
    one.settle({"a": Cursor(3, 4)}, [DeadLetter("l", "w")], 5)
    assert (one.cursors(), two.cursors()) == ({"a": Cursor(3, 4)}, {})
    assert (one.dead_letters(), two.dead_letters(), one.last_dead(1)) == (1, 0, [DeadLetter("l", "w", 5)])
    with pytest.raises(JournalError):
        one.settle({"a": Cursor(9), "b": Cursor(9)}, [DeadLetter(None, "w")])  # type: ignore[arg-type]
    assert one.cursors() == {"a": Cursor(3, 4)}
